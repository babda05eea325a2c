"""What the network computes without weights: attention, rotations, stretching, sinusoids of time.

Axes: B clips, L tokens, D values, H heads. Angles, frequencies and places are computed in float32
whatever the network's type, because the published weights were trained with them that way.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

ROTARY_BASE = 10_000.0
TIME_BASE = 10_000.0


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Softmax attention of all tokens ``[B, H, L, D]`` to all; heads joined, ``[B, L, H * D]``."""
    # Contiguous on purpose: cuDNN reads strided heads wrongly in some versions (pytorch 133974).
    gathered = functional.scaled_dot_product_attention(
        query.contiguous(), key.contiguous(), value.contiguous()
    )
    return gathered.transpose(1, 2).flatten(2)


def rotary_angles(n_tokens: int, head_width: int, step: float = 1.0) -> Tensor:
    """Cosines and sines ``[2, L, D / 2]`` of the places 0, ``step``, 2 ``step``, ... of tokens.

    Pair i of a head turns by place * 10000 ** (-2 i / D). Su et al., "RoFormer", 2021.
    """
    frequencies = ROTARY_BASE ** -(torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
    places = step * torch.arange(n_tokens, dtype=torch.float64)
    angles = torch.outer(places, frequencies)
    return torch.stack([angles.cos(), angles.sin()]).float()


def rotate(heads: Tensor, angles: Tensor) -> Tensor:
    """Turn neighbouring pairs of ``heads [B, H, L, D]`` by ``angles [2, L, D / 2]``, in float32."""
    cosine, sine = angles
    first, second = heads.float().reshape(*heads.shape[:-1], -1, 2).unbind(-1)
    turned = (first * cosine - second * sine, first * sine + second * cosine)
    return torch.stack(turned, dim=-1).flatten(-2).to(heads.dtype)


def stretch_places(n_from: int, n_to: int) -> Tensor:
    """Which of ``n_from`` tokens each of ``n_to`` takes when they are stretched, int64 ``[n_to]``.

    torch's rule "nearest-exact" on float32: ties and rounding are part of the published model.
    """
    places = torch.arange(n_from, dtype=torch.float32)[None, None]
    return functional.interpolate(places, size=n_to, mode="nearest-exact")[0, 0].long()


def time_frequencies(width: int, highest: float) -> Tensor:
    """Radians per unit of time of ``width / 2`` sinusoids, float32, falling from ``highest``."""
    # In float32 from the first step: version 2 has phases of 10,000 rad, where one rounding shows.
    exponents = torch.arange(0, width, 2, dtype=torch.float32) / width
    return highest * (1.0 / TIME_BASE**exponents)


def time_sinusoids(times: Tensor, frequencies: Tensor) -> Tensor:
    """Cosines, then sines, of ``times [B]`` at ``frequencies [F]``, float32 ``[B, 2 F]``."""
    phases = times.float()[:, None] * frequencies
    return torch.cat([phases.cos(), phases.sin()], dim=-1)


def gated_width(width: int, multiple: int = 256) -> int:
    """Inner width of a gated perceptron: two thirds of ``4 * width``, up to a ``multiple``.

    >>> gated_width(896)
    2560
    """
    inner = 2 * 4 * width // 3
    return -(-inner // multiple) * multiple
