"""Synchformer's comparison: tokens of both sides to the logits of 21 offsets.

One sequence: a token for the result, the video's tokens, a token in between, the audio's tokens.
Its positions are a table of fixed size, so exactly 14 segments (4.8 s) are compared at a time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.backbones.synchformer.attention import HIDDEN, WIDTH, SelfAttention

N_SEGMENTS = 14
VIDEO_TOKENS, AUDIO_TOKENS = 8, 6
N_LAYERS = 3
N_HEADS = 8

#: From -2 to 2 s in steps of 0.2 s.
N_OFFSETS = 21


class OffsetTransformer(nn.Module):
    """Projected tokens of 14 segments of video and audio to logits."""

    def __init__(self) -> None:
        super().__init__()
        self.vis_in_lnorm = nn.LayerNorm(WIDTH)
        self.aud_in_lnorm = nn.LayerNorm(WIDTH)
        self.OFF_tok = nn.Parameter(torch.empty(1, 1, WIDTH))
        self.MOD_tok = nn.Parameter(torch.empty(1, 1, WIDTH))
        n_tokens = 2 + N_SEGMENTS * (VIDEO_TOKENS + AUDIO_TOKENS)
        self.pos_emb_cfg = nn.ParameterDict({"pos_emb": torch.empty(1, n_tokens, WIDTH)})
        self.blocks = nn.Sequential(*(Block() for _ in range(N_LAYERS)))
        self.ln_f = nn.LayerNorm(WIDTH)
        self.off_head = nn.Linear(WIDTH, N_OFFSETS)

    def forward(self, video: Tensor, audio: Tensor) -> Tensor:
        """``video [B, 112, 768]`` and ``audio [B, 84, 768]`` to ``[B, 21]``."""
        result, between = (
            token.expand(len(video), -1, -1) for token in (self.OFF_tok, self.MOD_tok)
        )
        sides = self.vis_in_lnorm(video), self.aud_in_lnorm(audio)
        sequence = torch.cat([result, sides[0], between, sides[1]], dim=1)
        sequence = self.blocks(sequence + self.pos_emb_cfg["pos_emb"])
        logits: Tensor = self.off_head(self.ln_f(sequence[:, 0]))
        return logits


class Block(nn.Module):
    """A pre-norm transformer layer."""

    def __init__(self) -> None:
        super().__init__()
        self.ln1 = nn.LayerNorm(WIDTH)
        self.attn = ProjectedSelfAttention(N_HEADS)
        self.ln2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, WIDTH))

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [B, 198, 768]`` to as many."""
        tokens = tokens + self.attn(self.ln1(tokens))
        change: Tensor = self.mlp(self.ln2(tokens))
        return tokens + change


class ProjectedSelfAttention(SelfAttention):
    """Self-attention whose heads are mixed at the end."""

    def __init__(self, n_heads: int) -> None:
        super().__init__(n_heads)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [B, N, 768]`` to as many."""
        mixed: Tensor = self.proj(super().forward(tokens))
        return mixed
