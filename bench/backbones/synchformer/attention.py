"""The two kinds of attention that Synchformer's parts share. Tokens are ``[..., N, 768]``."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 768
HIDDEN = 4 * WIDTH
#: Of both encoders; the transformer that compares them has fewer.
N_HEADS = 12


def attend(query: Tensor, key: Tensor, value: Tensor, n_heads: int = N_HEADS) -> Tensor:
    """Attention of queries ``[..., N, D]`` over keys and values ``[..., M, D]``, cut into heads."""
    queries, keys, values = (_split(each, n_heads) for each in (query, key, value))
    attended = functional.scaled_dot_product_attention(queries, keys, values)
    return attended.transpose(1, 2).reshape(query.shape)


def _split(tokens: Tensor, n_heads: int) -> Tensor:
    """``[..., N, D]`` as ``[-1, H, N, D / H]``; four axes, for which the fast kernels are made."""
    n_tokens, width = tokens.shape[-2:]
    return tokens.reshape(-1, n_tokens, n_heads, width // n_heads).transpose(1, 2)


class SelfAttention(nn.Module):
    """Every token attends to every token; the result is not projected."""

    def __init__(self, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [B, N, 768]`` to as many."""
        return attend(self.query(tokens), self.key(tokens), self.value(tokens), self.n_heads)


class ClassTokenPool(nn.Module):
    """Tokens to one: a pre-norm encoder layer, of which only the class token's output is made."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.empty(1, 1, WIDTH))
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.self_attn = nn.MultiheadAttention(WIDTH, N_HEADS, batch_first=True)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.linear1 = nn.Linear(WIDTH, HIDDEN)
        self.linear2 = nn.Linear(HIDDEN, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [B, T, N, 768]`` to ``[B, T, 768]``, over N."""
        groups = tokens.flatten(0, 1)
        groups = torch.cat([self.cls_token.expand(len(groups), -1, -1), groups], dim=1)
        # One query: the outputs of all other tokens would be thrown away.
        keys = self.norm1(groups)
        attended, _ = self.self_attn(keys[:, :1], keys, keys, need_weights=False)
        pooled: Tensor = groups[:, :1] + attended
        hidden = functional.gelu(self.linear1(self.norm2(pooled)))
        pooled = pooled + self.linear2(hidden)
        return pooled.reshape(*tokens.shape[:2], WIDTH)
