"""The layers of the spectrogram autoencoder, on signals ``[B, C, T]``."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from acfoley.codec.magnitude_preserving import Conv, pixel_norm, residual_sum, scaled_silu

KERNEL = 3
#: Frames of the spectrogram per latent.
STRIDE = 2
MAX_ACTIVATION = 256.0


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
