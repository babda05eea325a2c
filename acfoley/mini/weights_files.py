"""The weights that come with the package: safetensors in half precision, read in single."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bench.errors import BenchError, MissingError
from bench.io import atomic_path

if TYPE_CHECKING:
    import torch
    from torch import nn

    Network = TypeVar("Network", bound=nn.Module)

FOLDER = Path(__file__).parent / "weights"

#: Files of the encoders, by the kind of features that they make. Here, because what a system needs
#: is listed without importing its networks.
ENCODER_FILES = {
    "video": "video-encoder",
    "sync": "motion-encoder",
    "embedding": "audio-encoder",
}


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
