"""Synchformer's video encoder: attention divided into time and space, then one token per time.

A segment of 16 frames is cut into 8 x 196 patches of 2 frames x 16 x 16 pixels, time slowest.
In each of twelve layers a patch attends first to its own position at all times, then to all
positions at its own time; the class token attends to all patches, and they to it. Last, the 196
positions of each time are pooled into one token.

Source: Bertasius et al., "Is Space-Time Attention All You Need for Video Understanding?",
ICML 2021; Patrick et al., "Keeping Your Eye on the Ball" (Motionformer), NeurIPS 2021.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from bench.backbones.synchformer.attention import HIDDEN, WIDTH, ClassTokenPool, attend

N_LAYERS = 12
PATCH = (2, 16, 16)
N_TIMES, N_POSITIONS = 8, 196
#: Axes of patches ``[N, 8, 196, D]``.
TIMES, POSITIONS = 1, 2
EPS = 1e-6


def video_front_end(pixels: Tensor) -> Tensor:
    """RGB ``pixels [..., H, W, 3]`` uint8 as float32 ``[..., 3, H, W]`` in [-1, 1]."""
    # Each step as the reference evaluator rounds it: to [0, 1] first, then mean and spread 0.5.
    return (pixels.movedim(-1, -3) / 255 - 0.5) / 0.5


class VideoEncoder(nn.Module):
    """Segments of frames to 8 tokens each."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.empty(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.empty(1, 1 + N_POSITIONS, WIDTH))
        self.temp_embed = nn.Parameter(torch.empty(1, N_TIMES, WIDTH))
        self.patch_embed_3d = nn.ModuleDict({"proj": nn.Conv3d(3, WIDTH, PATCH, PATCH)})
        self.blocks = nn.ModuleList(Block() for _ in range(N_LAYERS))
        self.norm = nn.LayerNorm(WIDTH, eps=EPS)
        self.spatial_attn_agg = ClassTokenPool()

    def forward(self, segments: Tensor) -> Tensor:
        """``segments [N, 16, 3, 224, 224]`` in [-1, 1] to ``[N, 8, 768]``."""
        tokens = self._embedded(segments)
        for block in self.blocks:
            tokens = block(tokens)
        patches = self.norm(tokens[:, 1:])
        pooled: Tensor = self.spatial_attn_agg(patches.reshape(-1, N_TIMES, N_POSITIONS, WIDTH))
        return pooled

    def _embedded(self, segments: Tensor) -> Tensor:
        """The class token and all patches, each with its position and time, ``[N, 1569, 768]``."""
        patches = self.patch_embed_3d["proj"](segments.transpose(1, 2))
        patches = patches.flatten(3).permute(0, 2, 3, 1)
        patches = patches + self.pos_embed[:, None, 1:] + self.temp_embed[:, :, None]
        first = (self.cls_token + self.pos_embed[:, :1]).expand(len(segments), -1, -1)
        return torch.cat([first, patches.flatten(1, 2)], dim=1)


class Block(nn.Module):
    """A pre-norm transformer layer: time, space, and an MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.norm3 = nn.LayerNorm(WIDTH, eps=EPS)
        # The patches of one position share a group, so this one attends in time.
        self.timeattn = DividedAttention(POSITIONS)
        self.norm1 = nn.LayerNorm(WIDTH, eps=EPS)
        self.attn = DividedAttention(TIMES)
        self.norm2 = nn.LayerNorm(WIDTH, eps=EPS)
        parts = {"fc1": nn.Linear(WIDTH, HIDDEN), "gelu": nn.GELU()}
        self.mlp = nn.Sequential(OrderedDict(parts, fc2=nn.Linear(HIDDEN, WIDTH)))

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [N, 1569, 768]`` to as many."""
        tokens = tokens + self.timeattn(self.norm3(tokens))
        tokens = tokens + self.attn(self.norm1(tokens))
        change: Tensor = self.mlp(self.norm2(tokens))
        return tokens + change


class DividedAttention(nn.Module):
    """Patches attend to the class token and their group, which shares a time or a position."""

    def __init__(self, group_axis: int) -> None:
        super().__init__()
        self.group_axis = group_axis
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [N, 1569, 768]`` to as many."""
        query, key, value = self.qkv(tokens).chunk(3, dim=-1)
        # The class token alone attends to everything: N keys for one query, not for each patch.
        first = attend(query[:, :1], key, value)
        groups = attend(self._groups(query), self._context(key), self._context(value))
        patches = groups.movedim(1, self.group_axis).flatten(1, 2)
        mixed: Tensor = self.proj(torch.cat([first, patches], dim=1))
        return mixed

    def _groups(self, tokens: Tensor) -> Tensor:
        """The patches of ``tokens [N, 1569, D]``, group by group: ``[N, G, 1568 / G, D]``."""
        patches = tokens[:, 1:].reshape(-1, N_TIMES, N_POSITIONS, WIDTH)
        return patches.movedim(self.group_axis, 1)

    def _context(self, tokens: Tensor) -> Tensor:
        """The groups with the class token in front of each, ``[N, G, 1 + 1568 / G, D]``."""
        groups = self._groups(tokens)
        first = tokens[:, None, :1].expand(-1, groups.shape[1], -1, -1)
        return torch.cat([first, groups], dim=2)
