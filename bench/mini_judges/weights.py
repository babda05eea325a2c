"""The weights of the mini judges: half-precision safetensors that come with the package."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.io import atomic_path

if TYPE_CHECKING:
    import torch
    from torch import nn

NAMES = ("passt", "panns", "vggish", "imagebind", "synchformer")
FOLDER = Path(__file__).parent / "weights"


def build_network(name: str) -> nn.Module:
    """Build a randomly initialised network.

    Raises:
        BenchError: no network has this name.
    """
    from bench.mini_judges.networks import Imagebind, Panns, Passt, Vggish
    from bench.mini_judges.synchformer import Synchformer

    kinds: tuple[Callable[[], nn.Module], ...] = (Passt, Panns, Vggish, Imagebind, Synchformer)
    if name not in NAMES:
        raise BenchError(f"no mini judge {name!r}, expected one of: {', '.join(NAMES)}")
    return kinds[NAMES.index(name)]()


def load_network(name: str, device: torch.device | str = "cpu") -> nn.Module:
    """Load a network with the weights of the package, in float32, frozen, on ``device``.

    Raises:
        BenchError: no network has this name, or its file is damaged or of another network.
    """
    import torch

    from bench.checkpoints.load import assign_state, load_state, to_float32

    path = weights_path(name)
    state = load_state(path)
    # On the meta device nothing is initialised, and the random state of the process is not touched.
    with torch.device("meta"):
        network = build_network(name)
    return assign_state(network, to_float32(state), path).to(device)


def save_network(network: nn.Module, name: str) -> Path:
    """Write the weights of a network into the package in half precision, and return the path.

    Raises:
        BenchError: a weight is not finite, or too large for half precision.
    """
    from safetensors.torch import save_file

    # Half the download. Counters of batches, which a normalisation keeps, are integers.
    halves = {
        key: (value.half() if value.is_floating_point() else value).contiguous()
        for key, value in network.state_dict().items()
    }
    if broken := [key for key, value in halves.items() if not value.isfinite().all()]:
        raise BenchError(f"the weights {', '.join(broken)} of {name} are not finite in 16 bit")
    path = weights_path(name)
    with atomic_path(path) as temporary:
        save_file(halves, temporary)
    return path


def weights_path(name: str) -> Path:
    """The path of the weights of a network in the package."""
    return FOLDER / f"{name}.safetensors"


@cache
def weights_hash(name: str) -> str:
    """The SHA-256 of the weights of a network in the package.

    Raises:
        BenchError: the file is missing.
    """
    path = weights_path(name)
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise BenchError(f"cannot read {path} ({error}): install the package again") from error
