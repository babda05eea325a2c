"""BigVGAN's tensors as its file has them, to the plain weights that the vocoder uses.

The file keeps weight norm, w = g v / |v| with the norm over all axes but the first, under
``weight_g`` and ``weight_v`` (or as torch now names them), and states the anti-aliasing filter 218
times although it is a constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from acfoley.codec.snake import N_TAPS, lowpass_taps
from bench.errors import BenchError

#: Endings of magnitude and direction: in the official file, and in files of newer torch.
PAIRS = (
    (".weight_g", ".weight_v"),
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
)
FILTER = ".filter"
FILTER_TOLERANCE = 1e-5


def plain_state(state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The tensors of ``state`` without filters and with weight norm multiplied out.

    Files whose weight norm was multiplied out before pass as they are. ``path`` is for the refusal.

    Raises:
        BenchError: half of a pair is missing, or a filter is not the one that is used.
    """
    plain: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.endswith(FILTER):
            _check_filter(name, tensor, path)
            continue
        pair = next((pair for pair in PAIRS if name.endswith(pair)), None)
        if pair is None:
            plain[name] = tensor
            continue
        stem = name.removesuffix(pair[0]).removesuffix(pair[1])
        if name.endswith(pair[1]):
            plain[f"{stem}.weight"] = _multiplied_out(state, stem, pair, path)
        elif stem + pair[1] not in state:
            raise BenchError(f"{path} has {name} without {stem + pair[1]}: it is half a checkpoint")
    return plain


def _multiplied_out(
    state: Mapping[str, Tensor], stem: str, pair: tuple[str, str], path: Path
) -> Tensor:
    magnitude, direction = state.get(stem + pair[0]), state[stem + pair[1]]
    expected = (len(direction), *[1] * (direction.ndim - 1))
    if magnitude is None or magnitude.shape != expected:
        raise BenchError(
            f"{path} has {stem + pair[1]} {list(direction.shape)} without a {stem + pair[0]} "
            f"{list(expected)}: it is no whole checkpoint of this vocoder"
        )
    axes = tuple(range(1, direction.ndim))
    norm: Tensor = torch.linalg.vector_norm(direction, dim=axes, keepdim=True)
    return magnitude * direction / norm


def _check_filter(name: str, tensor: Tensor, path: Path) -> None:
    taps = torch.tensor(lowpass_taps())
    if tensor.shape != (1, 1, N_TAPS) or not torch.allclose(
        tensor.flatten().float(), taps, rtol=0, atol=FILTER_TOLERANCE
    ):
        raise BenchError(f"{path}: {name} is not the low-pass of BigVGAN v2 with {N_TAPS} taps")
