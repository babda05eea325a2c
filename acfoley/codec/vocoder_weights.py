"""Convert the tensors of BigVGAN's file to the weights that the vocoder uses.

The file stores weight normalisation, w = g v / |v| with the norm over all axes but the first, as
``weight_g`` and ``weight_v`` (newer torch: ``parametrizations.weight.original0`` and
``original1``), and repeats the anti-aliasing filter, a constant, 218 times.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from acfoley.codec.snake import N_TAPS, lowpass_taps
from bench.errors import BenchError

#: Suffixes of magnitude g and direction v: in the official file, and in files of newer torch.
PAIRS = (
    (".weight_g", ".weight_v"),
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
)
FILTER = ".filter"
FILTER_TOLERANCE = 1e-5


def fuse_weight_norm(state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Return the tensors of ``state`` without filters and with weight normalisation fused.

    Weights that were fused before pass unchanged. ``path`` is for the refusal.

    Raises:
        BenchError: half of a pair is missing, or a filter is not the one that the vocoder computes.
    """
    plain: dict[str, Tensor] = {}
    taps = torch.tensor(lowpass_taps())
    for name, tensor in state.items():
        if name.endswith(FILTER):
            # The vocoder computes its filter, so a file made with another one would give wrong
            # audio and no error.
            if tensor.shape != (1, 1, N_TAPS) or not torch.allclose(
                tensor.flatten().float(), taps, rtol=0, atol=FILTER_TOLERANCE
            ):
                raise BenchError(
                    f"{path}: {name} is not the low-pass of BigVGAN v2 with {N_TAPS} taps"
                )
            continue
        pair = next((pair for pair in PAIRS if name.endswith(pair)), None)
        if pair is None:
            plain[name] = tensor
            continue
        stem = name.removesuffix(pair[0]).removesuffix(pair[1])
        # A pair is met twice, by either half: the direction's turn writes the weight.
        if name.endswith(pair[1]):
            plain[f"{stem}.weight"] = _fuse(state, stem, pair, path)
        elif stem + pair[1] not in state:
            raise BenchError(f"{path} has {name} without {stem + pair[1]}: it is half a checkpoint")
    return plain


def _fuse(state: Mapping[str, Tensor], stem: str, pair: tuple[str, str], path: Path) -> Tensor:
    magnitude, direction = state.get(stem + pair[0]), state[stem + pair[1]]
    expected = (len(direction), *[1] * (direction.ndim - 1))
    if magnitude is None or magnitude.shape != expected:
        raise BenchError(
            f"{path} has {stem + pair[1]} {list(direction.shape)} without a {stem + pair[0]} "
            f"{list(expected)}: it is no complete checkpoint of this vocoder"
        )
    axes = tuple(range(1, direction.ndim))
    norm: Tensor = torch.linalg.vector_norm(direction, dim=axes, keepdim=True)
    return magnitude * direction / norm
