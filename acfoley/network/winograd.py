"""Convolutions over three tokens with half of the products: Winograd's F(4, 3).

For inference on CPUs in float32, where the weights are transformed once. Outputs differ from those
of the direct sum by rounding, 1e-6 relative. Source: Lavin and Gray, "Fast Algorithms for
Convolutional Neural Networks", CVPR 2016; Toom and Cook before them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# Four neighbouring outputs of a kernel g of three taps take six inputs d and, by their definition,
# 12 products. They are the coefficients of a product of polynomials (transposed), and a polynomial
# is known by its values: at 0, 1, -1, 2, -2 and infinity, six products are enough,
#
#     y = A [(G g) * (B d)],        G [6, 3], B [6, 6], A [4, 6],
#
# where * multiplies value by value. Here each of these six is a matrix product over channels, which
# is nearly all of the work: weights G g are made once, and B d and A m are sums of few terms.
# Larger tiles save more products, but their matrices hold powers of more points, and in float32
# F(6, 3) is wrong by 1e-5. F(2, 3) is a tenth more exact per tap and saves a third, not a half.
TILE, KERNEL = 4, 3
#: Inputs of a tile, and products: as many values as determine its polynomial.
N_POINTS = TILE + KERNEL - 1
WEIGHT_TRANSFORM = torch.tensor(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    dtype=torch.float64,
)
INPUT_TRANSFORM = torch.tensor(
    [
        [4.0, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
OUTPUT_TRANSFORM = torch.tensor(
    [
        [1.0, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ]
)


def transform_weight(weight: Tensor) -> Tensor:
    """Return ``weight [D', D, 3]`` of a convolution as six matrices ``[6, D, D']``."""
    # In float64, so that it is the products alone that round.
    transformed = torch.einsum("pk,oik->pio", WEIGHT_TRANSFORM, weight.double())
    return transformed.to(weight.dtype).contiguous()


def convolve(tokens: Tensor, transformed: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve ``tokens [B, L, D]``, zero beyond both ends, with a transformed weight.

    Returns ``[B, L, D']``, ``functional.conv1d`` with a padding of 1 but for rounding.
    """
    n_clips, n_tokens, width = tokens.shape
    n_tiles = -(-n_tokens // TILE)
    # One zero before the first token; after the last, as many as the last tile reaches.
    padded = functional.pad(tokens, (0, 0, 1, 1 + TILE * n_tiles - n_tokens)).contiguous()
    # Point p of all tiles: every fourth token from token p. Tiles overlap by two tokens.
    points = padded.as_strided(
        (N_POINTS, n_clips, n_tiles, width), (width, padded.stride(0), TILE * width, 1)
    )
    # Both transforms are matrix products too: one pass over memory, not one per term of the sums.
    values = INPUT_TRANSFORM @ points.reshape(N_POINTS, -1)
    products = torch.bmm(values.view(N_POINTS, -1, width), transformed)
    outputs = OUTPUT_TRANSFORM @ products.view(N_POINTS, -1)
    ordered = outputs.view(TILE, n_clips, n_tiles, -1).permute(1, 2, 0, 3).flatten(1, 2)
    convolved = ordered[:, :n_tokens]
    return convolved if bias is None else convolved.add_(bias)
