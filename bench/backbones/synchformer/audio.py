"""Synchformer's audio encoder: a spectrogram transformer, then one token per step of time.

A segment's image is cut into 12 x 6 overlapping patches (frequency x time). Twelve layers attend
to all of them; then the 12 frequencies of each time are pooled into one token.

Source: Gong et al., "AST: Audio Spectrogram Transformer", Interspeech 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.backbones.synchformer.attention import (
    HIDDEN,
    N_HEADS,
    WIDTH,
    ClassTokenPool,
    SelfAttention,
)

N_LAYERS = 12
PATCH_SIDE = 16
PATCH_STRIDE = 10
N_FREQUENCIES, N_TIMES = 12, 6
#: Class and distillation token, which take part in attention and are then dropped.
N_EXTRA = 2
EPS = 1e-12


class AudioEncoder(nn.Module):
    """Images of segments to 6 tokens each."""

    def __init__(self) -> None:
        super().__init__()
        self.ast = SpectrogramTransformer()
        self.freq_attn_agg = ClassTokenPool()

    def forward(self, images: Tensor) -> Tensor:
        """Normalised ``images [N, 128 mels, 66 frames]`` to ``[N, 6, 768]``."""
        patches = self.ast(images).reshape(-1, N_FREQUENCIES, N_TIMES, WIDTH)
        tokens: Tensor = self.freq_attn_agg(patches.transpose(1, 2))
        return tokens


class SpectrogramTransformer(nn.Module):
    """Images to the tokens of their patches, frequency by frequency."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = PatchEmbeddings()
        # A dict, as in other places here, for a name in the checkpoint: "encoder.layer.0".
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(Layer() for _ in range(N_LAYERS))})
        self.layernorm = nn.LayerNorm(WIDTH, eps=EPS)

    def forward(self, images: Tensor) -> Tensor:
        """``images [N, 128, 66]`` to ``[N, 72, 768]``."""
        tokens: Tensor = self.embeddings(images)
        for layer in self.encoder["layer"].children():
            tokens = layer(tokens)
        # A norm treats each token alone, so the two extra ones can be dropped before it.
        normed: Tensor = self.layernorm(tokens[:, N_EXTRA:])
        return normed


class PatchEmbeddings(nn.Module):
    """Images to tokens of patches with their positions."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.empty(1, 1, WIDTH))
        self.distillation_token = nn.Parameter(torch.empty(1, 1, WIDTH))
        n_tokens = N_EXTRA + N_FREQUENCIES * N_TIMES
        self.position_embeddings = nn.Parameter(torch.empty(1, n_tokens, WIDTH))
        convolution = nn.Conv2d(1, WIDTH, PATCH_SIDE, PATCH_STRIDE)
        self.patch_embeddings = nn.ModuleDict({"projection": convolution})

    def forward(self, images: Tensor) -> Tensor:
        """``images [N, 128, 66]`` to ``[N, 74, 768]``."""
        patches = self.patch_embeddings["projection"](images.unsqueeze(1)).flatten(2).mT
        extra = torch.cat([self.cls_token, self.distillation_token], dim=1)
        tokens = torch.cat([extra.expand(len(images), -1, -1), patches], dim=1)
        return tokens + self.position_embeddings


class Layer(nn.Module):
    """A pre-norm transformer layer, under the names that its checkpoint gives the parts."""

    def __init__(self) -> None:
        super().__init__()
        self.layernorm_before = nn.LayerNorm(WIDTH, eps=EPS)
        self.attention = nn.ModuleDict(
            {"attention": SelfAttention(N_HEADS), "output": _dense(WIDTH, WIDTH)}
        )
        self.layernorm_after = nn.LayerNorm(WIDTH, eps=EPS)
        self.intermediate = _dense(WIDTH, HIDDEN)
        self.output = _dense(HIDDEN, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [N, 74, 768]`` to as many."""
        attended = self.attention["attention"](self.layernorm_before(tokens))
        tokens = tokens + self.attention["output"](attended)
        hidden = functional.gelu(self.intermediate(self.layernorm_after(tokens)))
        change: Tensor = self.output(hidden)
        return tokens + change


def _dense(width_in: int, width_out: int) -> nn.Sequential:
    # The checkpoint calls the one layer inside "dense".
    dense = nn.Sequential()
    dense.add_module("dense", nn.Linear(width_in, width_out))
    return dense
