"""What is trained in the mini world, under the names of the tables; weights come with the package.

A variant is a recipe of ``acfoley.train.presets`` without its ``mini-``. Weights are safetensors
in half precision.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from acfoley.train.presets import RECIPES
from acfoley.train.recipe import Recipe
from bench.errors import BenchError, MissingError
from bench.mini_judges.shipped import save_halves

if TYPE_CHECKING:
    import torch

    from acfoley.codec import Codec
    from acfoley.network.flow_network import FlowNetwork

FOLDER = Path(__file__).parent / "weights"
PREFIX = "mini-"
#: The first is what is meant where no variant is named.
VARIANTS = tuple(name.removeprefix(PREFIX) for name in RECIPES if name.startswith(PREFIX))
CODEC = "codec"


def variant_recipe(variant: str) -> Recipe:
    """How a variant is trained.

    Raises:
        BenchError: there is no such variant; the message lists those there are.
    """
    if variant not in VARIANTS:
        raise BenchError(f"no mini variant {variant!r}; there are: {', '.join(VARIANTS)}")
    return RECIPES[PREFIX + variant]


def open_mini_flow(
    variant: str, device: torch.device | str = "cpu", flow: Path | None = None
) -> FlowNetwork:
    """The flow network of a variant, of the package or of ``flow``, frozen, in single precision.

    Raises:
        BenchError: there is no such variant, or its file is damaged or of another network.
        MissingError: its file is not there.
    """
    from acfoley.weights import open_flow

    params = variant_recipe(variant).params
    return open_flow(flow or _require(variant), params, device=device)


def open_mini_codec(device: torch.device | str = "cpu") -> Codec:
    """The codec of all variants, whose vocoder is Griffin-Lim; raises as ``open_mini_flow``."""
    from acfoley.codec import Codec
    from acfoley.codec.griffin_lim import GriffinLim
    from acfoley.mini.pca_autoencoder import LinearAutoencoder
    from bench.checkpoints.load import assign_state, load_state, to_float32

    path = _require(CODEC)
    autoencoder = assign_state(LinearAutoencoder(), to_float32(load_state(path)), path)
    return Codec(autoencoder, GriffinLim()).to(device)


def weights_path(name: str) -> Path:
    """Where the weights of a variant, or of the ``codec``, lie in the package."""
    return FOLDER / f"{name}.safetensors"


@cache
def weights_hash(name: str) -> str:
    """The SHA-256 of weights as shipped; MissingError where they are not there."""
    return hashlib.sha256(_require(name).read_bytes()).hexdigest()


def ship(state: dict[str, torch.Tensor], name: str) -> Path:
    """Put weights in the package, in half precision; returns their file.

    Raises:
        BenchError: a weight is not finite, or too large for half precision.
    """
    path = save_halves(state, name, weights_path(name))
    weights_hash.cache_clear()
    return path


def _require(name: str) -> Path:
    if not (path := weights_path(name)).is_file():
        raise MissingError(f"there is no {path}: `make mini-weights` trains it")
    return path
