"""Layers of the flow network on tokens ``[B, L, D]``; attributes are named as in the checkpoints.

MMAudio (Cheng et al., CVPR 2025), section 3 and appendix.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from acfoley.network import winograd

TIME_BASE = 10_000.0
HAS_ONEDNN = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
PROCESSOR = Path("/proc/cpuinfo")


@cache
def has_slow_products() -> bool:
    """Whether oneDNN is faster here than the matrix products of torch.

    They are MKL's, which reach the peak of Intel's processors (145 GFLOP/s per core of a Xeon, of
    which oneDNN, that reorders weights at every call, reaches 67 to 116), and about half of
    oneDNN's speed on an AMD EPYC.
    """
    # By the maker and not by a measurement at first use: its outcome would depend on what else the
    # machine does, and the rounding of samples on the outcome.
    has_mkl = bool(torch.backends.mkl.is_available())  # type: ignore[no-untyped-call]
    is_known = HAS_ONEDNN and has_mkl and PROCESSOR.exists()
    return is_known and "GenuineIntel" not in PROCESSOR.read_text(encoding="utf-8")


class Projection(nn.Linear):
    """A linear layer, on CPUs as oneDNN's convolution of single tokens until it is prepared.

    The result is that of ``nn.Linear`` but for rounding: ``tests/acfoley/network/test_layers.py``
    compares them.
    """

    #: Whether torch's own matrix product is used.
    is_prepared = False

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [..., L, D]`` to ``[..., L, D']``."""
        # oneDNN is reached by the private name of its convolution, because the public conv1d
        # chooses its back end by the number of threads. Neither autocast nor the compiler know
        # that name. Small networks gain little from MKL, and are not prepared: Griffin-Lim makes
        # 2e-4 of the other rounding, and their samples are published.
        is_plain = tokens.dim() == 3 and tokens.dtype == torch.float32
        is_eager = not (torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling())
        is_on_cpu = HAS_ONEDNN and tokens.device.type == "cpu"
        if self.is_prepared or not (is_plain and is_eager and is_on_cpu):
            return super().forward(tokens)
        kernel, channels = self.weight.unsqueeze(-1), tokens.transpose(1, 2)
        projected: Tensor = torch.ops.aten.mkldnn_convolution(
            channels, kernel, self.bias, [0], [1], [1], 1
        )
        return projected.transpose(1, 2)


class TimeConvolution(nn.Conv1d):
    """A convolution over the tokens of ``[B, L, D]`` with as many tokens out as in."""

    #: The weight as ``winograd.convolve`` takes it, once ``prepare`` has been called.
    transformed: Tensor | None = None

    def __init__(self, width_in: int, width_out: int, kernel: int, *, bias: bool = True) -> None:
        super().__init__(width_in, width_out, kernel, padding=kernel // 2, bias=bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [B, L, D]`` to ``[B, L, D']``."""
        # The transformed weight is a constant: gradients and other types take the weight itself.
        weight = None if torch.is_grad_enabled() else self.transformed
        if weight is not None and (tokens.dtype, tokens.device) == (weight.dtype, weight.device):
            return winograd.convolve(tokens, weight, self.bias)
        return super().forward(tokens.transpose(1, 2)).transpose(1, 2)

    def prepare(self) -> None:
        """Transform the weight, of three tokens, for inference; it must not change afterwards."""
        # No buffer: names and sizes of the state are those of the official checkpoints.
        self.transformed = winograd.transform_weight(self.weight.detach())


def make_projection(width_in: int, width_out: int, kernel: int, *, bias: bool = True) -> nn.Module:
    """Return a linear map of ``kernel`` neighbouring tokens: a convolution, or a linear layer."""
    if kernel == 1:
        return Projection(width_in, width_out, bias=bias)
    return TimeConvolution(width_in, width_out, kernel, bias=bias)


def swiglu_width(width: int, multiple: int = 256) -> int:
    """Inner width of a SwiGLU: two thirds of ``4 * width``, rounded up to a ``multiple``.

    >>> swiglu_width(896)
    2560
    """
    # An MLP with a factor of 4 has 8 width^2 weights in two matrices; SwiGLU has three, and as many
    # weights where its inner width is 8 / 3 of the outer one (Shazeer, 2020).
    inner = 2 * 4 * width // 3
    return -(-inner // multiple) * multiple


class SwiGLU(nn.Module):
    """``w2(SiLU(w1 x) * w3 x)`` over ``kernel`` neighbouring tokens, without biases."""

    def __init__(self, width: int, kernel: int = 1, *, width_in: int | None = None) -> None:
        super().__init__()
        inner, width_in = swiglu_width(width), width if width_in is None else width_in
        self.w1 = make_projection(width_in, inner, kernel, bias=False)
        self.w2 = make_projection(inner, width, kernel, bias=False)
        self.w3 = make_projection(width_in, inner, kernel, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [B, L, D]`` to ``[B, L, D']``."""
        output: Tensor = self.w2(functional.silu(self.w1(tokens)) * self.w3(tokens))
        return output


def time_frequencies(width: int, highest: float) -> Tensor:
    """Frequencies of ``width / 2`` sinusoids in rad per unit of time, float32, from ``highest``.

    w_i = highest * 10000 ** (-2 i / width): geometric, as rotary frequencies are.
    """
    # In float32 from the first step: version 2 has phases of 10,000 rad, where the published
    # rounding is visible.
    exponents = torch.arange(0, width, 2, dtype=torch.float32) / width
    return highest * (1.0 / TIME_BASE**exponents)


class TimeEmbedding(nn.Module):
    """The time of the flow as a vector: sinusoids through an MLP."""

    def __init__(self, width: int, time_width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(time_width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, times: Tensor, frequencies: Tensor) -> Tensor:
        """``times [B]`` in [0, 1] and ``frequencies [F]`` to ``[B, D]``."""
        phases = times.float()[:, None] * frequencies
        sinusoids = torch.cat([phases.cos(), phases.sin()], dim=-1)
        embedded: Tensor = self.mlp(sinusoids.to(next(self.parameters()).dtype))
        return embedded


@dataclass(frozen=True)
class Conditioning:
    """What modulates tokens: ``rows [R, D]``, and for each token its row, ``indices [B, L]``.

    Without ``indices`` all tokens of clip b take row b.
    """

    rows: Tensor
    indices: Tensor | None = None

    def broadcast(self, values: Tensor) -> Tensor:
        """Give ``values [R, D]`` of the rows to the tokens: ``[B, L, D]`` or ``[B, 1, D]``."""
        if self.indices is None:
            return values[:, None]
        return functional.embedding(self.indices, values)


class Modulation(nn.ModuleList):
    """Adaptive layer norm (DiT): a condition to ``n_parts`` shifts, scales and gates."""

    def __init__(self, width: int, n_parts: int) -> None:
        super().__init__([nn.SiLU(), Projection(width, n_parts * width)])
        self.n_parts = n_parts

    def forward(self, condition: Conditioning) -> tuple[Tensor, ...]:
        """Return the parts by token, each ``[B, L, D]`` or ``[B, 1, D]``."""
        # Project the rows, then broadcast: 192 sync tokens of 8 s are shared by 345 latents, and
        # the projection, six times as wide as its input, is done once per row.
        activation, projection = self
        parts = projection(activation(condition.rows)[None])[0]
        return condition.broadcast(parts).chunk(self.n_parts, dim=-1)


def modulate(tokens: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Layer norm of ``tokens [B, L, D]``, scaled by ``1 + scale`` and shifted (paper, Eq. 3)."""
    return torch.addcmul(shift, functional.layer_norm(tokens, tokens.shape[-1:]), 1 + scale)
