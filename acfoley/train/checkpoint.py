"""The state of a run: how it is made at the start, and kept in checkpoints.

A resumed run needs the weights, the optimiser's moments, the averages of the weights, and progress.

One safetensors file per checkpoint, ``checkpoint-00012000.safetensors``, renamed into place when
complete; the last few are kept. Tensors are named ``network.<name>``, ``first.<name>`` and
``second.<name>`` (AdamW's moments) and ``average.<sigma>.<name>``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from acfoley.network.flow_network import FlowNetwork
from acfoley.network.initialise import new_network
from acfoley.train.dataset import FeatureDataset
from acfoley.train.ema import PowerFunctionEma
from acfoley.train.recipe import Recipe, find_differences
from bench.checkpoints.load import load_state
from bench.errors import BenchError, RunError
from bench.io import atomic_path
from bench.seeds import stable_seed

CHECKPOINT = re.compile(r"checkpoint-(\d+)\.safetensors")
#: The entry of a checkpoint's metadata with its recipe, the digest of its data, and its progress.
ABOUT = "training"


@dataclass(frozen=True)
class Progress:
    """Steps done, and the sum and number of the losses since the last row of the log."""

    step: int = 0
    loss_sum: float = 0.0
    n_losses: int = 0


@dataclass(frozen=True)
class State:
    """Everything that training changes."""

    network: FlowNetwork
    optimiser: torch.optim.AdamW
    averages: PowerFunctionEma


def build_network(
    recipe: Recipe, dataset: FeatureDataset, initial: FlowNetwork | None, device: torch.device
) -> FlowNetwork:
    """Return ``initial``, or a randomly initialised network with the statistics of ``dataset``.

    Raises:
        RunError: ``initial`` has other parameters than the recipe.
    """
    if initial is not None:
        if initial.params != recipe.params:
            raise RunError(
                f"the network to begin with has {initial.params}, the recipe {recipe.params}"
            )
        return initial.to(device)
    # Channels of the codec's latents differ in mean and deviation. The flow starts from noise of
    # mean 0 and deviation 1, and is learned towards latents of the same scale.
    network = new_network(recipe.params, recipe.seed)
    latents = dataset.latents()
    with torch.no_grad():
        network.latent_mean.copy_(torch.from_numpy(latents.mean))
        network.latent_std.copy_(torch.from_numpy(latents.std))
        network.empty_string_feat.copy_(torch.from_numpy(dataset.empty_text()))
    return network.to(device)


def build_optimiser(
    recipe: Recipe, weights: dict[str, Tensor], device: torch.device
) -> torch.optim.AdamW:
    """Return AdamW over ``weights``, all with the same settings."""
    settings = recipe.optimiser
    return torch.optim.AdamW(
        list(weights.values()),
        lr=recipe.schedule.rate(0),
        betas=settings.betas,
        eps=recipe.epsilon,
        weight_decay=settings.weight_decay,
        fused=device.type == "cuda",
    )


def data_digest(dataset: FeatureDataset) -> str:
    """Return a hash that changes with the names of the clips and the identity of their features."""
    # Without the folders: a run can go on after its features were moved.
    names = (clip.name for clip in dataset.clips)
    return f"{stable_seed('data', dataset.store.identity, *names):x}"


def trainable_weights(network: FlowNetwork) -> dict[str, Tensor]:
    """Return the weights that training changes, by name."""
    return {name: value for name, value in network.named_parameters() if value.requires_grad}


def list_checkpoints(run: Path) -> dict[int, Path]:
    """Return the checkpoints of a run by steps done, in ascending order."""
    found = {int(m[1]): path for path in run.glob("*") if (m := CHECKPOINT.fullmatch(path.name))}
    return dict(sorted(found.items()))


def save_checkpoint(
    run: Path, state: State, progress: Progress, recipe: Recipe, data: str, keep: int
) -> Path:
    """Write a checkpoint, then remove all but the last ``keep``."""
    from safetensors.torch import save_file

    path = run / f"checkpoint-{progress.step:08d}.safetensors"
    about = {"progress": asdict(progress), "recipe": recipe.as_json(), "data": data}
    with atomic_path(path) as temporary:
        # One entry: safetensors writes several in random order, and files must be reproducible.
        save_file(_tensors(state), temporary, metadata={ABOUT: json.dumps(about)})
    # Only now: a run that is killed here has one checkpoint too many, never none.
    for old in list(list_checkpoints(run).values())[:-keep]:
        old.unlink()
    return path


def load_checkpoint(path: Path, state: State, recipe: Recipe, data: str) -> Progress:
    """Load a checkpoint into ``state`` and return its progress.

    Raises:
        RunError: the checkpoint belongs to another recipe, or to other clips.
        BenchError: it is damaged, or no checkpoint of this network.
    """
    about = _metadata(path)
    if found := find_differences(about["recipe"], recipe.as_json()):
        raise RunError(
            f"{path} was trained by another recipe ({'; '.join(found[:3])}): use another folder, "
            "or the recipe it began with"
        )
    if about["data"] != data:
        raise RunError(f"{path} was trained on other clips: use the same --data, or another folder")
    tensors = load_state(path)
    own = _tensors(state)
    if set(tensors) != set(own):
        raise BenchError(f"{path} is no checkpoint of this network: use another folder")
    progress = Progress(**about["progress"])
    _restore(state, tensors, progress.step)
    return progress


def _tensors(state: State) -> dict[str, Tensor]:
    """Return all tensors of ``state`` by their names in the file."""
    found = {f"network.{name}": value for name, value in state.network.state_dict().items()}
    for name, parameter in trainable_weights(state.network).items():
        moments = state.optimiser.state.get(parameter, {})
        # AdamW creates its moments, zeros, at the first step.
        for ours, theirs in (("first", "exp_avg"), ("second", "exp_avg_sq")):
            found[f"{ours}.{name}"] = moments.get(theirs, torch.zeros_like(parameter))
    for sigma, averages in state.averages.values.items():
        found.update({f"average.{sigma:g}.{name}": value for name, value in averages.items()})
    # safetensors refuses tensors with gaps, such as transposed views.
    return {name: value.detach().contiguous() for name, value in found.items()}


def _restore(state: State, tensors: Mapping[str, Tensor], step: int) -> None:
    prefix = "network."
    network = {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
    state.network.load_state_dict(network)
    # The state of an optimiser is numbered by the order of its parameters, as at building.
    moments = {
        number: {
            "step": torch.tensor(float(step)),
            "exp_avg": tensors[f"first.{name}"],
            "exp_avg_sq": tensors[f"second.{name}"],
        }
        for number, name in enumerate(trainable_weights(state.network))
    }
    # The groups stay those of the recipe, which has just been compared with the checkpoint's.
    current = state.optimiser.state_dict()
    state.optimiser.load_state_dict({**current, "state": moments})
    for sigma, averages in state.averages.values.items():
        for name, value in averages.items():
            value.copy_(tensors[f"average.{sigma:g}.{name}"])


def _metadata(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    try:
        opened: Any = safe_open(path, framework="pt")
        with opened as file:
            metadata: dict[str, str] = file.metadata() or {}
    except SafetensorError as error:
        raise BenchError(
            f"{path} is damaged ({error}): remove it, and the one before it is used"
        ) from error
    if ABOUT not in metadata:
        raise BenchError(f"{path} is no checkpoint of a training run")
    about: dict[str, Any] = json.loads(metadata[ABOUT])
    return about
