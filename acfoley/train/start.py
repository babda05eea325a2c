"""What training begins with: the network, the optimiser, and what the folder of a run says."""

from __future__ import annotations

import torch
from torch import Tensor

from acfoley.network.flow_network import FlowNetwork
from acfoley.network.initialise import new_network
from acfoley.train.corpus import Corpus
from acfoley.train.recipe import Recipe
from acfoley.train.settings import Data
from acfoley.train.world import World
from bench.errors import RunError
from bench.seeds import stable_seed


def first_network(
    recipe: Recipe, corpus: Corpus, initial: FlowNetwork | None, device: torch.device
) -> FlowNetwork:
    """The network to begin with: drawn, and told the statistics of latents and the empty text.

    Raises:
        RunError: ``initial`` is a network of another kind.
    """
    if initial is not None:
        if initial.params != recipe.params:
            raise RunError(
                f"the network to begin with has {initial.params}, the recipe {recipe.params}"
            )
        return initial.to(device)
    network = new_network(recipe.params, recipe.seed)
    latents = corpus.latents()
    with torch.no_grad():
        network.latent_mean.copy_(torch.from_numpy(latents.mean))
        network.latent_std.copy_(torch.from_numpy(latents.std))
        network.empty_string_feat.copy_(torch.from_numpy(corpus.empty_text()))
    return network.to(device)


def new_optimiser(
    recipe: Recipe, weights: dict[str, Tensor], device: torch.device
) -> torch.optim.AdamW:
    """AdamW over all weights."""
    settings = recipe.optimiser
    return torch.optim.AdamW(
        list(weights.values()),
        lr=recipe.schedule.rate(0),
        betas=settings.betas,
        eps=recipe.epsilon,
        weight_decay=settings.weight_decay,
        fused=device.type == "cuda",
    )


def about_run(recipe: Recipe, data: Data, corpus: Corpus, world: World) -> dict[str, object]:
    """What a reader of the folder wants to know."""
    return {
        "recipe": recipe.as_json(),
        "recipe_digest": recipe.digest(),
        "features": corpus.store.identity,
        "folders": [str(folder) for folder in data.folders],
        "held_out": [str(folder) for folder in data.held_out],
        "n_clips": len(corpus.rows),
        "n_processes": world.size,
        "device": str(world.device),
        "torch": torch.__version__,
    }


def data_digest(corpus: Corpus) -> str:
    """A short hash that changes with the clips, and with what made their features."""
    names = (row.name for row in corpus.rows)
    return f"{stable_seed('data', corpus.store.identity, *names):x}"
