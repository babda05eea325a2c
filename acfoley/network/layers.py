"""The building blocks of the flow network; parts are named as in the official checkpoints.

Tokens are ``[B, L, D]``. What modulates them is a ``Condition``: a few rows, and which row each
token takes. MMAudio (Cheng et al., CVPR 2025), section 3 and appendix; AC-Foley, section 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from acfoley.network.attention import attend, gated_width, rotate, time_sinusoids

#: Kernels of the streams: neighbours in time see each other but in the text.
LATENT_KERNEL = CLIP_KERNEL = 3
EDGE_KERNEL = 7
HAS_ONEDNN = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Condition:
    """What modulates tokens: ``rows [R, D]``, and the row ``places [B, L]`` of each token.

    Layers work on rows and hand out the result: tokens that share a condition share the work.
    Without ``places`` all tokens of clip b take row b.
    """

    rows: Tensor
    places: Tensor | None = None

    def handed_out(self, values: Tensor) -> Tensor:
        """``values [R, D]`` of the rows by token, ``[B, L, D]`` or ``[B, 1, D]``."""
        if self.places is None:
            return values[:, None]
        return functional.embedding(self.places, values)


class Projection(nn.Linear):
    """A linear layer. On CPUs it runs as oneDNN's convolution over single tokens.

    That is the same sum, about twice as fast as the BLAS that torch ships where the processor is
    not Intel's (``benchmarks/flow_speed.py``). It is asked for by its own name: torch itself
    would choose by the number of threads. Neither autocast nor the compiler know that name.
    """

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [..., L, D]`` to ``[..., L, D']``."""
        is_plain = tokens.dim() == 3 and tokens.dtype == torch.float32
        is_eager = not (torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling())
        if not (HAS_ONEDNN and is_plain and is_eager and tokens.device.type == "cpu"):
            return super().forward(tokens)
        kernel, channels = self.weight.unsqueeze(-1), tokens.transpose(1, 2)
        mixed: Tensor = torch.ops.aten.mkldnn_convolution(
            channels, kernel, self.bias, [0], [1], [1], 1
        )
        return mixed.transpose(1, 2)


class TimeConvolution(nn.Conv1d):
    """A convolution over the tokens of ``[B, L, D]``, as many out as in."""

    def __init__(self, width_in: int, width_out: int, kernel: int, *, bias: bool = True) -> None:
        super().__init__(width_in, width_out, kernel, padding=kernel // 2, bias=bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [B, L, D]`` to ``[B, L, D']``."""
        return super().forward(tokens.transpose(1, 2)).transpose(1, 2)


def mixer(width_in: int, width_out: int, kernel: int, *, bias: bool = True) -> nn.Module:
    """The linear layer that sees ``kernel`` neighbouring tokens: one, or as many."""
    if kernel == 1:
        return Projection(width_in, width_out, bias=bias)
    return TimeConvolution(width_in, width_out, kernel, bias=bias)


class GatedPerceptron(nn.Module):
    """``w2(SiLU(w1 x) * w3 x)`` over ``kernel`` neighbouring tokens, without biases."""

    def __init__(self, width: int, kernel: int = 1, *, width_in: int | None = None) -> None:
        super().__init__()
        inner, width_in = gated_width(width), width if width_in is None else width_in
        self.w1 = mixer(width_in, inner, kernel, bias=False)
        self.w2 = mixer(inner, width, kernel, bias=False)
        self.w3 = mixer(width_in, inner, kernel, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [B, L, D]`` to ``[B, L, D']``."""
        mixed: Tensor = self.w2(functional.silu(self.w1(tokens)) * self.w3(tokens))
        return mixed


class TimeEmbedding(nn.Module):
    """The flow's time as a vector: sinusoids through a perceptron."""

    def __init__(self, width: int, time_width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(time_width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, times: Tensor, frequencies: Tensor) -> Tensor:
        """``times [B]`` in [0, 1], seen through ``frequencies [F]``, to ``[B, D]``."""
        sinusoids = time_sinusoids(times, frequencies)
        embedded: Tensor = self.mlp(sinusoids.to(next(self.parameters()).dtype))
        return embedded


class Modulation(nn.ModuleList):
    """Adaptive layer norm: a condition to ``n_parts`` shifts, scales and gates."""

    def __init__(self, width: int, n_parts: int) -> None:
        super().__init__([nn.SiLU(), Projection(width, n_parts * width)])
        self.n_parts = n_parts

    def forward(self, condition: Condition) -> tuple[Tensor, ...]:
        """Return the parts by token, each ``[B, L, D]`` or ``[B, 1, D]``."""
        activation, projection = self
        parts = projection(activation(condition.rows)[None])[0]
        return condition.handed_out(parts).chunk(self.n_parts, dim=-1)


def modulated(tokens: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Layer norm of ``tokens [B, L, D]``, scaled by ``1 + scale`` and shifted (paper, Eq. 3)."""
    return torch.addcmul(shift, functional.layer_norm(tokens, tokens.shape[-1:]), 1 + scale)


class HeadNorm(nn.RMSNorm):
    """RMS norm of each head, in the precision of its weight: autocast leaves it what it gets."""

    def forward(self, heads: Tensor) -> Tensor:
        """``heads [B, H, L, D]``, normalised."""
        return super().forward(heads.to(self.weight.dtype))


class Heads(nn.Module):
    """Queries, keys and values of one stream, normalised and turned to their places."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.qkv = Projection(width, 3 * width)
        self.q_norm = HeadNorm(width // n_heads)
        self.k_norm = HeadNorm(width // n_heads)

    def forward(self, tokens: Tensor, angles: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """``tokens [B, L, D]`` to three of ``[B, H, L, D / H]``."""
        # The rows of the checkpoint are head by head, then value by value, then q, k, v.
        heads = self.qkv(tokens).unflatten(-1, (self.n_heads, -1, 3)).transpose(1, 2)
        query, key, value = heads.unbind(-1)
        query, key = self.q_norm(query), self.k_norm(key)
        if angles is not None:
            query, key = rotate(query, angles), rotate(key, angles)
        return query, key, value


class Stream(nn.Module):
    """The part of a block that belongs to one stream: what it says, and what it makes of answers.

    ``kernel`` is how many neighbouring tokens its perceptron sees. A stream that ``only_speaks``
    gives queries, keys and values, and ends there.
    """

    def __init__(self, width: int, n_heads: int, kernel: int, *, only_speaks: bool = False) -> None:
        super().__init__()
        self.attn = Heads(width, n_heads)
        self.adaLN_modulation = Modulation(width, 2 if only_speaks else 6)
        self.only_speaks = only_speaks
        if not only_speaks:
            self.linear1 = mixer(width, width, kernel)
            self.ffn = GatedPerceptron(width, kernel)

    def speak(
        self, tokens: Tensor, condition: Condition, angles: Tensor | None
    ) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, ...]]:
        """Return the heads of ``tokens [B, L, D]``, and the rest of the modulation for later."""
        shift, scale, *rest = self.adaLN_modulation(condition)
        return self.attn(modulated(tokens, shift, scale), angles), tuple(rest)

    def listen(self, tokens: Tensor, gathered: Tensor, rest: tuple[Tensor, ...]) -> Tensor:
        """Return ``tokens [B, L, D]`` changed by what their heads ``gathered [B, L, D]``."""
        if self.only_speaks:
            return tokens
        attention_gate, shift, scale, gate = rest
        tokens = torch.addcmul(tokens, self.linear1(gathered), attention_gate)
        return torch.addcmul(tokens, self.ffn(modulated(tokens, shift, scale)), gate)


class JointBlock(nn.Module):
    """Sound, picture and text attend to one another; each then goes its own way."""

    def __init__(self, width: int, n_heads: int, *, is_last: bool) -> None:
        super().__init__()
        self.latent_block = Stream(width, n_heads, LATENT_KERNEL)
        self.clip_block = Stream(width, n_heads, CLIP_KERNEL, only_speaks=is_last)
        self.text_block = Stream(width, n_heads, 1, only_speaks=is_last)

    def forward(
        self,
        streams: tuple[Tensor, Tensor, Tensor],
        frames: Condition,
        shared: Condition,
        angles: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Streams of latents, picture and text, each ``[B, L, D]``, in and out.

        Latents are conditioned frame by frame, the others as a whole; text has no places in time.
        """
        latent, clip, text = streams
        said = [
            self.latent_block.speak(latent, frames, angles[0]),
            self.clip_block.speak(clip, shared, angles[1]),
            self.text_block.speak(text, shared, None),
        ]
        joined = (
            torch.cat(kind, dim=2) for kind in zip(*(heads for heads, _ in said), strict=True)
        )
        gathered = torch.split(attend(*joined), [each.shape[1] for each in streams], dim=1)
        return (
            self.latent_block.listen(latent, gathered[0], said[0][1]),
            self.clip_block.listen(clip, gathered[1], said[1][1]),
            self.text_block.listen(text, gathered[2], said[2][1]),
        )


class FusedBlock(Stream):
    """Latents attend to one another."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__(width, n_heads, LATENT_KERNEL)

    def forward(self, latent: Tensor, frames: Condition, angles: Tensor) -> Tensor:
        """Latent tokens ``[B, L, D]`` in and out."""
        heads, rest = self.speak(latent, frames, angles)
        return self.listen(latent, attend(*heads), rest)


class FinalLayer(nn.Module):
    """Latent tokens to velocities."""

    def __init__(self, width: int, latent_width: int) -> None:
        super().__init__()
        self.adaLN_modulation = Modulation(width, 2)
        self.conv = TimeConvolution(width, latent_width, EDGE_KERNEL)

    def forward(self, latent: Tensor, shared: Condition) -> Tensor:
        """``latent [B, L, D]`` to ``[B, L, 40]``."""
        # The shared condition, not the frames': the published weights were trained with this slip.
        shift, scale = self.adaLN_modulation(shared)
        velocity: Tensor = self.conv(modulated(latent, shift, scale))
        return velocity


class AttentionPool(nn.Module):
    """Tokens to one vector: a learned query looks at all of them (paper, Table 5)."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.empty(1, 1, width))
        self.attn = nn.MultiheadAttention(width, n_heads, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [B, L, D]`` to ``[B, D]``."""
        query = self.query.expand(len(tokens), -1, -1)
        pooled: Tensor = self.attn(query, tokens, tokens, need_weights=False)[0]
        return pooled[:, 0]
