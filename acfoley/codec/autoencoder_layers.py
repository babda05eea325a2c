"""The layers of the spectrogram autoencoder, on signals ``[B, C, T]``.

They preserve magnitude: inputs of unit variance give outputs of unit variance. There are no biases
and no learned norms; instead weights are normalised, activations are rescaled by constants, and
sums are weighted.

Source: Karras et al., "Analyzing and Improving the Training Dynamics of Diffusion Models", CVPR
2024 (EDM2), equations 47 (weights), 81 (SiLU) and 88 (sum), here in one dimension.
"""

# Weights (Eq. 47). A filter w over n = channels x taps independent inputs of unit variance has an
# output of variance |w|^2. Dividing w by its norm makes that 1; with the root mean square r = |w| /
# sqrt(n) this is w / (r sqrt(n)), which is how the code writes it (with eps beside r).
#
# SiLU (Eq. 81). For a standard normal z the root mean square of SiLU(z) is 0.596; dividing by it
# keeps unit variance.
#
# Sum (Eq. 88). (1 - t) a + t b of independent a and b has the variance (1 - t)^2 + t^2; dividing by
# its root keeps unit variance. t = 0.3 is the share of the residual branch.

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

KERNEL = 3
#: Frames of the spectrogram per latent.
STRIDE = 2
MAX_ACTIVATION = 256.0
EPS = 1e-4
#: Root mean square of SiLU of a standard normal, as EDM2 rounds it.
SILU_RMS = 0.596
#: Share of the residual branch in every sum.
RESIDUAL_SHARE = 0.3


def normalise(values: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Divide ``values`` by 1e-4 plus their root mean square over ``dims``, taken in float32."""
    n_values = math.prod(values.shape[dim] for dim in dims)
    norm = torch.linalg.vector_norm(values, dim=dims, keepdim=True, dtype=torch.float32)
    rms: Tensor = norm / math.sqrt(n_values)
    return values / (EPS + rms).to(values.dtype)


def pixel_norm(signal: Tensor) -> Tensor:
    """Bring each frame of ``signal [B, C, T]`` to unit root mean square over its channels."""
    return normalise(signal, (1,))


def scaled_silu(signal: Tensor) -> Tensor:
    """Apply SiLU(x) / 0.596, which keeps the variance of normal values."""
    return functional.silu(signal) / SILU_RMS


def residual_sum(signal: Tensor, change: Tensor) -> Tensor:
    """Sum ``signal`` and ``change`` by 7 : 3, scaled to unit variance."""
    scale = math.hypot(1 - RESIDUAL_SHARE, RESIDUAL_SHARE)
    return torch.lerp(signal, change, RESIDUAL_SHARE) / scale


class Conv(nn.Module):
    """A convolution over time without bias whose filters have unit gain, ``[B, C, T]``.

    Checkpoints store raw weights, which are normalised in every pass, so that they can be trained;
    ``fold`` normalises them permanently, for inference.
    """

    def __init__(self, n_inputs: int, n_outputs: int, kernel: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_outputs, n_inputs, kernel))
        self.is_folded = False

    def forward(self, signal: Tensor, gain: Tensor | None = None) -> Tensor:
        """Convolve with zeros beyond the ends; ``gain [1]`` multiplies the weights."""
        weight = self.weight if self.is_folded else self._unit_weight()
        if gain is not None:
            weight = weight * gain.to(weight.dtype)
        return functional.conv1d(signal, weight, padding=weight.shape[-1] // 2)

    def fold(self) -> None:
        """Replace raw weights by normalised ones; a second call changes nothing."""
        if not self.is_folded:
            with torch.no_grad():
                self.weight = nn.Parameter(self._unit_weight(), self.weight.requires_grad)
            self.is_folded = True

    def _unit_weight(self) -> Tensor:
        fan_in = self.weight.shape[1] * self.weight.shape[2]
        return normalise(self.weight, (1, 2)) / math.sqrt(fan_in)


def fold_weights(module: nn.Module) -> None:
    """Fold every convolution of ``module``: for inference, not for training or saving."""
    for part in module.modules():
        if isinstance(part, Conv):
            part.fold()


class Level(nn.Module):
    """Residual blocks of one width; subclasses halve or double the rate after them."""

    def __init__(self, n_inputs: int, width: int, n_blocks: int) -> None:
        super().__init__()
        inputs = [n_inputs] + [width] * (n_blocks - 1)
        self.block = nn.ModuleList(ResidualBlock(channels, width) for channels in inputs)

    def forward(self, signal: Tensor) -> Tensor:
        """``signal [B, n_inputs, T]`` to ``[B, width, T]``."""
        for block in self.block:
            signal = clamp_activations(block(signal))
        return signal


class HalvingLevel(Level):
    """A level that ends at half the rate."""

    def __init__(self, n_inputs: int, width: int, n_blocks: int) -> None:
        super().__init__(n_inputs, width, n_blocks)
        self.downsample = Downsample(width)

    def forward(self, signal: Tensor) -> Tensor:
        """``signal [B, n_inputs, T]`` to ``[B, width, T // 2]``."""
        halved: Tensor = self.downsample(super().forward(signal))
        return halved


class DoublingLevel(Level):
    """A level that ends at twice the rate."""

    def __init__(self, n_inputs: int, width: int, n_blocks: int) -> None:
        super().__init__(n_inputs, width, n_blocks)
        self.upsample = Upsample(width)

    def forward(self, signal: Tensor) -> Tensor:
        """``signal [B, n_inputs, T]`` to ``[B, width, 2 T]``."""
        doubled: Tensor = self.upsample(super().forward(signal))
        return doubled


class Middle(nn.Module):
    """The innermost part, the only one with attention over all frames."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block_1 = ResidualBlock(width, width)
        self.attn_1 = Attention(width)
        self.block_2 = ResidualBlock(width, width)

    def forward(self, signal: Tensor) -> Tensor:
        """``signal [B, C, T]`` to the same shape."""
        return clamp_activations(self.block_2(self.attn_1(self.block_1(signal))))


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut; both start from the pixel-normalised input."""

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.conv1 = Conv(n_inputs, n_outputs, KERNEL)
        self.conv2 = Conv(n_outputs, n_outputs, KERNEL)
        self.nin_shortcut = Conv(n_inputs, n_outputs, 1) if n_inputs != n_outputs else None

    def forward(self, signal: Tensor) -> Tensor:
        """``signal [B, n_inputs, T]`` to ``[B, n_outputs, T]``."""
        signal = pixel_norm(signal)
        change = self.conv2(scaled_silu(self.conv1(scaled_silu(signal))))
        return residual_sum(
            signal if self.nin_shortcut is None else self.nin_shortcut(signal), change
        )


class Attention(nn.Module):
    """Self-attention of all frames with one head as wide as the signal."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = Conv(width, 3 * width, 1)
        self.proj_out = Conv(width, width, 1)

    def forward(self, signal: Tensor) -> Tensor:
        """``signal [B, C, T]`` to the same shape."""
        # Query, key and value alternate along the channels.
        parts = self.qkv(signal).unflatten(1, (-1, 3)).unbind(2)
        query, key, value = (pixel_norm(part).transpose(1, 2) for part in parts)
        gathered = functional.scaled_dot_product_attention(query, key, value)
        return residual_sum(signal, self.proj_out(gathered.transpose(1, 2)))


class Downsample(nn.Module):
    """Average pairs of frames between two convolutions; an odd last frame is dropped."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = Conv(width, width, 1)
        self.conv2 = Conv(width, width, 1)

    def forward(self, signal: Tensor) -> Tensor:
        """``signal [B, C, T]`` to ``[B, C, T // 2]``."""
        halved: Tensor = self.conv2(functional.avg_pool1d(self.conv1(signal), STRIDE))
        return halved


class Upsample(nn.Module):
    """Repeat every frame, then convolve."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = Conv(width, width, KERNEL)

    def forward(self, signal: Tensor) -> Tensor:
        """``signal [B, C, T]`` to ``[B, C, 2 T]``."""
        doubled: Tensor = self.conv(signal.repeat_interleave(STRIDE, dim=2))
        return doubled


def clamp_activations(signal: Tensor) -> Tensor:
    """Clamp ``signal`` to +-256, far within the range of half precision."""
    return signal.clamp(-MAX_ACTIVATION, MAX_ACTIVATION)
