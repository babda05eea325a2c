"""The variants of the mini model, under the names of the paper's tables, and how they are opened.

    model = open_mini("two-stage")
    (audio,) = model.generate([Job(seconds=8, seed=42, video=Excerpt(path), reference=reference)])

A variant is a recipe of ``acfoley.train.recipe`` without its ``mini-``. Its weights, the codec and
the encoders come with the package, in ``weights``: safetensors in half precision, read in single.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from acfoley.params import MINI_GUIDANCE
from acfoley.train.recipe import RECIPES, Recipe
from bench.errors import BenchError, MissingError
from bench.io import atomic_path

if TYPE_CHECKING:
    import torch
    from torch import nn

    from acfoley.codec import Codec
    from acfoley.generate import Model
    from acfoley.network.flow_network import FlowNetwork

    Network = TypeVar("Network", bound=nn.Module)


PREFIX = "mini-"
#: The first one is the default.
VARIANTS = tuple(name.removeprefix(PREFIX) for name in RECIPES if name.startswith(PREFIX))
CODEC = "codec"
#: Files of the package, by the kind of features that they make.
ENCODER_FILES = {
    "video": "video-encoder",
    "sync": "motion-encoder",
    "embedding": "audio-encoder",
}
FOLDER = Path(__file__).parent / "weights"


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
    from acfoley.encoders.files import FeatureFiles
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

    return Codec(load_weights(LinearAutoencoder(), CODEC), GriffinLim()).to(device)


def weights_path(name: str) -> Path:
    """Return the file of a variant, of the ``codec`` or of an encoder."""
    return FOLDER / f"{name}.safetensors"


def require_weights(name: str) -> Path:
    """Return the file of ``name``; MissingError where there is none."""
    if not (path := weights_path(name)).is_file():
        raise MissingError(f"there is no {path}: `make mini-weights` trains it")
    return path


@cache
def weights_hash(name: str) -> str:
    """Return the SHA-256 of weights as shipped; MissingError where there are none."""
    return hashlib.sha256(require_weights(name).read_bytes()).hexdigest()


def load_weights(network: Network, name: str) -> Network:
    """Give ``network``, made on the meta device, the weights of ``name``; returns it frozen.

    Raises:
        MissingError: the file is not there.
        BenchError: it is damaged or of another network.
    """
    # Imported here, so that names of variants and files need no torch.
    from bench.checkpoints.load import assign_state, load_state, to_float32

    path = require_weights(name)
    return assign_state(network, to_float32(load_state(path)), path)


def ship(state: dict[str, torch.Tensor], name: str) -> Path:
    """Put weights into the package, in half precision, and return their file.

    Raises:
        BenchError: a weight is not finite, or too large for half precision.
    """
    from safetensors.torch import save_file

    # Half precision halves what the repository and the package have to hold.
    halves = {
        key: (value.half() if value.is_floating_point() else value).contiguous()
        for key, value in state.items()
    }
    if broken := [key for key, value in halves.items() if not value.isfinite().all()]:
        raise BenchError(f"the weights {', '.join(broken)} of {name} are not finite in 16 bit")
    path = weights_path(name)
    with atomic_path(path) as temporary:
        save_file(halves, temporary)
    # Folders of features and runs are named after this hash: they must be those of the new weights.
    weights_hash.cache_clear()
    return path
