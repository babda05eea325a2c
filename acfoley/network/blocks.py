"""Transformer blocks of the flow network; attributes are named as in the official checkpoints.

MMAudio (Cheng et al., CVPR 2025), section 3.3; AC-Foley, section 3.3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from acfoley.network.attention import Heads, attend
from acfoley.network.layers import (
    Conditioning,
    Modulation,
    SwiGLU,
    TimeConvolution,
    make_projection,
    modulate,
)

#: Kernels of the MLPs: latents and frames mix with their neighbours in time, text does not.
LATENT_KERNEL = CLIP_KERNEL = 3
EDGE_KERNEL = 7


class Stream(nn.Module):
    """The layers of one modality within a block, before and after attention.

    ``kernel`` is the number of neighbouring tokens that its MLP mixes. With ``is_last`` the stream
    gives queries, keys and values and ends there ("pre-only" in SD3), since no block needs its
    tokens any more.
    """

    def __init__(self, width: int, n_heads: int, kernel: int, *, is_last: bool = False) -> None:
        super().__init__()
        self.attn = Heads(width, n_heads)
        self.adaLN_modulation = Modulation(width, 2 if is_last else 6)
        self.is_last = is_last
        if not is_last:
            self.linear1 = make_projection(width, width, kernel)
            self.ffn = SwiGLU(width, kernel)

    def qkv(
        self, tokens: Tensor, condition: Conditioning, angles: Tensor | None
    ) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, ...]]:
        """Return query, key and value ``[B, H, L, D / H]`` of ``tokens [B, L, D]``.

        The second item holds the modulation that ``post_attention`` needs.
        """
        shift, scale, *rest = self.adaLN_modulation(condition)
        return self.attn(modulate(tokens, shift, scale), angles), tuple(rest)

    def post_attention(
        self, tokens: Tensor, attended: Tensor, modulation: tuple[Tensor, ...]
    ) -> Tensor:
        """Add the gated ``attended [B, L, D]`` and the gated MLP to ``tokens [B, L, D]``."""
        if self.is_last:
            return tokens
        attention_gate, shift, scale, gate = modulation
        tokens = torch.addcmul(tokens, self.linear1(attended), attention_gate)
        return torch.addcmul(tokens, self.ffn(modulate(tokens, shift, scale)), gate)


class JointBlock(nn.Module):
    """Latents, video and text attend to one another; all other layers are their own."""

    def __init__(self, width: int, n_heads: int, *, is_last: bool) -> None:
        super().__init__()
        self.latent_block = Stream(width, n_heads, LATENT_KERNEL)
        self.clip_block = Stream(width, n_heads, CLIP_KERNEL, is_last=is_last)
        self.text_block = Stream(width, n_heads, 1, is_last=is_last)

    def forward(
        self,
        streams: tuple[Tensor, Tensor, Tensor],
        frames: Conditioning,
        shared: Conditioning,
        angles: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Streams of latents, video and text, each ``[B, L, D]``, in and out.

        Latents are conditioned frame by frame, the others by one vector per clip; ``angles`` are
        those of latents and video, text has no positions.
        """
        latent, clip, text = streams
        latent_heads, latent_modulation = self.latent_block.qkv(latent, frames, angles[0])
        clip_heads, clip_modulation = self.clip_block.qkv(clip, shared, angles[1])
        text_heads, text_modulation = self.text_block.qkv(text, shared, None)
        # One attention over the tokens of all streams, one stream after another.
        query, key, value = (
            torch.cat(parts, dim=2)
            for parts in zip(latent_heads, clip_heads, text_heads, strict=True)
        )
        n_tokens = [each.shape[1] for each in streams]
        attended = torch.split(attend(query, key, value), n_tokens, dim=1)
        return (
            self.latent_block.post_attention(latent, attended[0], latent_modulation),
            self.clip_block.post_attention(clip, attended[1], clip_modulation),
            self.text_block.post_attention(text, attended[2], text_modulation),
        )


class SingleBlock(Stream):
    """Latents attend to one another ("single block" of MMAudio)."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__(width, n_heads, LATENT_KERNEL)

    def forward(self, latent: Tensor, frames: Conditioning, angles: Tensor) -> Tensor:
        """Latent tokens ``[B, L, D]`` in and out."""
        heads, modulation = self.qkv(latent, frames, angles)
        return self.post_attention(latent, attend(*heads), modulation)


class FinalLayer(nn.Module):
    """Latent tokens to velocities."""

    def __init__(self, width: int, latent_width: int) -> None:
        super().__init__()
        self.adaLN_modulation = Modulation(width, 2)
        self.conv = TimeConvolution(width, latent_width, EDGE_KERNEL)

    def forward(self, latent: Tensor, shared: Conditioning) -> Tensor:
        """``latent [B, L, D]`` to ``[B, L, 40]``."""
        # The shared vector, not the frames': the published weights were trained with this slip.
        shift, scale = self.adaLN_modulation(shared)
        velocity: Tensor = self.conv(modulate(latent, shift, scale))
        return velocity
