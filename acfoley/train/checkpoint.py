"""What training needs to go on: weights, the optimiser's moments, averages, and how far it is.

One safetensors file per checkpoint, ``checkpoint-00012000.safetensors``, renamed into place when
whole; the last few are kept. Tensors are named ``network.<name>``, ``first.<name>`` and
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
from acfoley.train.ema import PowerAverages
from acfoley.train.recipe import Recipe, differences
from bench.checkpoints.load import load_state
from bench.errors import BenchError, RunError
from bench.io import atomic_path

CHECKPOINT = re.compile(r"checkpoint-(\d+)\.safetensors")
#: The entry of a checkpoint's metadata that says whose it is, and how far.
ABOUT = "training"


@dataclass(frozen=True)
class Progress:
    """How far a run is: steps done, and the losses since the last row of its curve."""

    step: int = 0
    loss_sum: float = 0.0
    n_losses: int = 0


@dataclass(frozen=True)
class State:
    """All that changes while training."""

    network: FlowNetwork
    optimiser: torch.optim.AdamW
    averages: PowerAverages


def trainable(network: FlowNetwork) -> dict[str, Tensor]:
    """The weights that training changes, by name."""
    return {name: value for name, value in network.named_parameters() if value.requires_grad}


def checkpoints(run: Path) -> dict[int, Path]:
    """The checkpoints of a run by steps done, rising."""
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
        # One entry: safetensors writes several in any order.
        save_file(_tensors(state), temporary, metadata={ABOUT: json.dumps(about)})
    for old in list(checkpoints(run).values())[:-keep]:
        old.unlink()
    return path


def load_checkpoint(path: Path, state: State, recipe: Recipe, data: str) -> Progress:
    """Bring ``state`` to where the checkpoint is, and return how far that is.

    Raises:
        RunError: it belongs to another recipe, or to other clips.
        BenchError: it is damaged.
    """
    about = _metadata(path)
    if found := differences(about["recipe"], recipe.as_json()):
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
    """Everything by its name in the file."""
    found = {f"network.{name}": value for name, value in state.network.state_dict().items()}
    for name, parameter in trainable(state.network).items():
        moments = state.optimiser.state.get(parameter, {})
        for ours, theirs in (("first", "exp_avg"), ("second", "exp_avg_sq")):
            found[f"{ours}.{name}"] = moments.get(theirs, torch.zeros_like(parameter))
    for sigma, averages in state.averages.values.items():
        found.update({f"average.{sigma:g}.{name}": value for name, value in averages.items()})
    return {name: value.detach().contiguous() for name, value in found.items()}


def _restore(state: State, tensors: Mapping[str, Tensor], step: int) -> None:
    network = {
        name.removeprefix("network."): value
        for name, value in tensors.items()
        if name.startswith("network.")
    }
    state.network.load_state_dict(network)
    moments = {
        number: {
            "step": torch.tensor(float(step)),
            "exp_avg": tensors[f"first.{name}"],
            "exp_avg_sq": tensors[f"second.{name}"],
        }
        for number, name in enumerate(trainable(state.network))
    }
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
