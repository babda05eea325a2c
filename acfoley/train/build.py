"""The network and the optimiser that training starts with, and the description of a run."""

from __future__ import annotations

import torch
from torch import Tensor

from acfoley.network.flow_network import FlowNetwork
from acfoley.network.initialise import new_network
from acfoley.train.dataset import FeatureDataset
from acfoley.train.distributed import ProcessGroup
from acfoley.train.recipe import Recipe
from acfoley.train.settings import TrainingData
from bench.errors import RunError
from bench.seeds import stable_seed


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


def describe_run(
    recipe: Recipe, data: TrainingData, dataset: FeatureDataset, processes: ProcessGroup
) -> dict[str, object]:
    """Return the content of ``run.json``."""
    return {
        "recipe": recipe.as_json(),
        "recipe_digest": recipe.digest(),
        "features": dataset.store.identity,
        "folders": [str(folder) for folder in data.folders],
        "held_out": [str(folder) for folder in data.held_out],
        "n_clips": len(dataset.clips),
        "n_processes": processes.size,
        "device": str(processes.device),
        "torch": torch.__version__,
    }


def data_digest(dataset: FeatureDataset) -> str:
    """Return a hash that changes with the names of the clips and the identity of their features."""
    # Without the folders: a run can go on after its features were moved.
    names = (clip.name for clip in dataset.clips)
    return f"{stable_seed('data', dataset.store.identity, *names):x}"
