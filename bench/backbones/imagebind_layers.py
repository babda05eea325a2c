"""The parts of ImageBind's trunks: patches to tokens, transformer blocks, heads.

Every trunk is a plain vision transformer. Attribute names are those of the official checkpoint,
which explains the modules that only hold one table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

MLP_RATIO = 4
EPS = 1e-6
AUDIO_LENGTH, MAX_AUDIO_LENGTH = 20.0, 100.0


@dataclass(frozen=True)
class TrunkParams:
    """The size of one trunk: ``width`` of its tokens, blocks, attention heads per block."""

    width: int
    n_blocks: int
    n_heads: int


class Tokens(nn.Module):
    """``[N, C, ...]`` to ``[N, 1 + n_patches, width]``: class token first, positions added.

    ``proj`` cuts patches, ``norm_layer`` follows it.
    """

    def __init__(self, proj: nn.Module, norm_layer: nn.Module, n_patches: int, width: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.rgbt_stem = _Stem(proj, norm_layer)
        self.pos_embedding_helper = _Positions(1 + n_patches, width)

    def forward(self, inputs: Tensor) -> Tensor:
        """Tokens of the patches of ``inputs``."""
        patches = self.rgbt_stem(inputs)
        # The class token has the first position, and is what the head reads.
        tokens = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1)
        return tokens + self.pos_embedding_helper.pos_embed


class Trunk(nn.Module):
    """Pre-norm transformer blocks, ``[N, n_tokens, width]`` to the same.

    ``has_first_norm``: a norm comes before all blocks (vision). ``has_extra_key``: attention
    has one more, learned, key and value (audio).
    """

    def __init__(self, params: TrunkParams, *, has_first_norm: bool, has_extra_key: bool) -> None:
        super().__init__()
        first = nn.LayerNorm(params.width, EPS) if has_first_norm else nn.Identity()
        self.pre_transformer_layer = nn.Sequential(first)
        self.blocks = nn.Sequential(
            *(_Block(params, has_extra_key=has_extra_key) for _ in range(params.n_blocks))
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens after the last block, without a last norm."""
        attended: Tensor = self.blocks(self.pre_transformer_layer(tokens))
        return attended


class Head(nn.Sequential):
    """The class token of ``[N, n_tokens, width]``, normed and projected: ``[N, out_width]``."""

    def __init__(self, width: int, out_width: int) -> None:
        # Norm before selection, although only one token is used: the parameters are counted by
        # position in the checkpoint ("heads.vision.0", ".2").
        projection = nn.Linear(width, out_width, bias=False)
        super().__init__(nn.LayerNorm(width, EPS), _ClassToken(), projection)


class UnitLength(nn.Module):
    """Embeddings ``[N, D]`` at length 1."""

    def forward(self, embeddings: Tensor) -> Tensor:
        """``embeddings`` divided by their length."""
        return functional.normalize(embeddings, dim=-1)


class LogitScale(nn.Module):
    """A length for unit vectors: 20, kept as its logarithm and never above 100."""

    def __init__(self) -> None:
        super().__init__()
        # A buffer and no parameter: for audio the length is a constant of the checkpoint.
        self.register_buffer("log_logit_scale", torch.tensor(math.log(AUDIO_LENGTH)))
        self.log_logit_scale: Tensor

    def forward(self, embeddings: Tensor) -> Tensor:
        """``embeddings`` times the length."""
        return embeddings * self.log_logit_scale.exp().clamp(max=MAX_AUDIO_LENGTH)


class _Stem(nn.Module):
    def __init__(self, proj: nn.Module, norm_layer: nn.Module) -> None:
        super().__init__()
        self.proj = proj
        self.norm_layer = norm_layer

    def forward(self, inputs: Tensor) -> Tensor:
        patches: Tensor = self.norm_layer(self.proj(inputs).flatten(2).transpose(1, 2))
        return patches


class _Positions(nn.Module):
    def __init__(self, n_tokens: int, width: int) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, n_tokens, width))


class _Block(nn.Module):
    """Attention, then two layers with an exact GELU between them; each adds to its input."""

    def __init__(self, params: TrunkParams, *, has_extra_key: bool) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(
            params.width, params.n_heads, add_bias_kv=has_extra_key, batch_first=True
        )
        self.norm_1 = nn.LayerNorm(params.width, EPS)
        self.mlp = _MLP(params.width)
        self.norm_2 = nn.LayerNorm(params.width, EPS)

    def forward(self, tokens: Tensor) -> Tensor:
        normed = self.norm_1(tokens)
        # Without weights torch takes its fused kernel; with them it would store N x N numbers.
        tokens = tokens + self.attn(normed, normed, normed, need_weights=False)[0]
        change: Tensor = self.mlp(self.norm_2(tokens))
        return tokens + change


class _MLP(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, MLP_RATIO * width)
        self.fc2 = nn.Linear(MLP_RATIO * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        narrowed: Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return narrowed


class _ClassToken(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, 0]
