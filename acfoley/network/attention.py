"""Attention and rotary position embeddings.

Axes: B clips, L tokens, D values, H heads. Angles and positions are float32 whatever the dtype of
the network, because the published weights were trained with them that way.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from acfoley.network.layers import Projection

ROTARY_BASE = 10_000.0


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Softmax attention of heads ``[B, H, L, D]``; returns all heads side by side, ``[B, L, H D]``.

    Every token attends to every token: softmax(q kᵀ / sqrt(D)) v, without a mask.
    """
    # Contiguous on purpose: cuDNN reads strided heads wrongly in some versions (pytorch 133974).
    attended = functional.scaled_dot_product_attention(
        query.contiguous(), key.contiguous(), value.contiguous()
    )
    return attended.transpose(1, 2).flatten(2)


def rotary_angles(n_tokens: int, head_width: int, step: float = 1.0) -> Tensor:
    """Cosines and sines ``[2, L, D / 2]`` for tokens at positions 0, ``step``, 2 ``step``, ...

    Pair i of a head is rotated by position * 10000 ** (-2 i / D). Su et al., "RoFormer", 2021.
    """
    # As a complex number, pair i of a head at position p is multiplied by exp(j p w_i). The
    # product of a query at p with a key at q then depends on them through exp(j (p - q) w_i) alone,
    # so that attention knows distances and no absolute positions. The frequencies
    #     w_i = 10000 ** (-2 i / D),   i = 0 ... D / 2 - 1
    # fall geometrically from one radian per token to one turn in about 63,000 tokens.
    # In float64 until the end, as the published code does: 345 rad in float32 would be off by 1e-5.
    frequencies = ROTARY_BASE ** -(torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
    positions = step * torch.arange(n_tokens, dtype=torch.float64)
    angles = torch.outer(positions, frequencies)
    return torch.stack([angles.cos(), angles.sin()]).float()


def rotate(heads: Tensor, angles: Tensor) -> Tensor:
    """Rotate neighbouring pairs of ``heads [B, H, L, D]`` by ``angles [2, L, D / 2]``, in float32.

    (x, y) -> (x cos a - y sin a, x sin a + y cos a): pairs are the values 2 i and 2 i + 1.
    """
    cosine, sine = angles
    first, second = heads.float().reshape(*heads.shape[:-1], -1, 2).unbind(-1)
    rotated = (first * cosine - second * sine, first * sine + second * cosine)
    return torch.stack(rotated, dim=-1).flatten(-2).to(heads.dtype)


class HeadNorm(nn.RMSNorm):
    """RMS norm of each head in the dtype of its weight, whichever dtype autocast gave the heads."""

    def forward(self, heads: Tensor) -> Tensor:
        """Normalise ``heads [B, H, L, D]``."""
        return super().forward(heads.to(self.weight.dtype))


class Heads(nn.Module):
    """Queries, keys and values of one stream, normalised and rotated to their positions."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.qkv = Projection(width, 3 * width)
        self.q_norm = HeadNorm(width // n_heads)
        self.k_norm = HeadNorm(width // n_heads)

    def forward(self, tokens: Tensor, angles: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """``tokens [B, L, D]`` to query, key and value, each ``[B, H, L, D / H]``.

        ``angles`` are those of ``rotary_angles``; None for tokens without positions (text).
        """
        # Rows of the checkpoint are ordered by head, then by value, then q, k, v.
        heads = self.qkv(tokens).unflatten(-1, (self.n_heads, -1, 3)).transpose(1, 2)
        query, key, value = heads.unbind(-1)
        query, key = self.q_norm(query), self.k_norm(key)
        if angles is not None:
            query, key = rotate(query, angles), rotate(key, angles)
        return query, key, value


class AttentionPool(nn.Module):
    """Tokens to one vector by a learned query that attends to all of them (paper, Table 5)."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.empty(1, 1, width))
        self.attn = nn.MultiheadAttention(width, n_heads, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [B, L, D]`` to ``[B, D]``."""
        query = self.query.expand(len(tokens), -1, -1)
        pooled: Tensor = self.attn(query, tokens, tokens, need_weights=False)[0]
        return pooled[:, 0]
