"""The variants of the mini model, under the names of the paper's tables, and how they are opened.

    model = open_mini("two-stage")
    (audio,) = model.generate([Job(seconds=8, seed=42, video=Excerpt(path), reference=reference)])

A variant is a recipe of ``acfoley.train.presets`` without its ``mini-``. Its weights, the codec and
the encoders come with the package.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from acfoley.mini.weights_files import ENCODER_FILES, require_weights, weights_hash
from acfoley.params import MINI_GUIDANCE
from acfoley.train.presets import RECIPES
from acfoley.train.recipe import Recipe
from bench.errors import BenchError

if TYPE_CHECKING:
    import torch

    from acfoley.codec import Codec
    from acfoley.generate import Model
    from acfoley.network.flow_network import FlowNetwork

PREFIX = "mini-"
#: The first one is the default.
VARIANTS = tuple(name.removeprefix(PREFIX) for name in RECIPES if name.startswith(PREFIX))
CODEC = "codec"


def variant_recipe(variant: str) -> Recipe:
    """Return the recipe that trains a variant.

    Raises:
        BenchError: there is no such variant; the message lists those there are.
    """
    if variant not in VARIANTS:
        raise BenchError(f"no mini variant {variant!r}; there are: {', '.join(VARIANTS)}")
    return RECIPES[PREFIX + variant]


def open_mini(
    variant: str = VARIANTS[0],
    device: torch.device | str = "cpu",
    *,
    dtype: torch.dtype | None = None,
    flow: Path | None = None,
) -> Model:
    """Return the model of a variant on ``device``; ``flow`` is a checkpoint in place of its own.

    Codec and encoders are float32, the flow network has ``dtype`` (float32 by default).

    Raises:
        BenchError: there is no such variant, or a file is damaged or of another network.
        MissingError: a file is not there.
    """
    from acfoley.encoders.cache import FeatureFiles
    from acfoley.generate import Model
    from acfoley.mini.encoders import load_mini_encoders

    network = open_mini_flow(variant, device, flow)
    if dtype is not None:
        network = network.to(dtype)
    # Words need no file: their vectors are drawn faster than a file is read.
    files = {**ENCODER_FILES, "reference": CODEC}
    identities = {kind: f"mini-{weights_hash(name)[:16]}" for kind, name in files.items()}
    return Model(
        network,
        open_mini_codec(device),
        load_mini_encoders(device),
        guidance=MINI_GUIDANCE,
        files=FeatureFiles(identities, device),
    )


def open_mini_flow(
    variant: str, device: torch.device | str = "cpu", flow: Path | None = None
) -> FlowNetwork:
    """Return the flow network of a variant, frozen, float32; ``flow`` is another file of weights.

    Raises:
        BenchError: there is no such variant, or its file is damaged or of another network.
        MissingError: its file is not there.
    """
    from acfoley.network.weights import open_flow

    params = variant_recipe(variant).params
    return open_flow(flow or require_weights(variant), params, device=device)


def open_mini_codec(device: torch.device | str = "cpu") -> Codec:
    """Return the codec of all variants, with Griffin-Lim; raises as ``open_mini_flow``."""
    from acfoley.codec import Codec
    from acfoley.codec.griffin_lim import GriffinLim
    from acfoley.mini.pca_autoencoder import LinearAutoencoder
    from acfoley.mini.weights_files import load_weights

    return Codec(load_weights(LinearAutoencoder(), CODEC), GriffinLim()).to(device)
