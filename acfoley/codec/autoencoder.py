"""The spectrogram autoencoder: log-mel frames to latents of half their rate, and back.

Tensors are named as in ``v1-44.pth``, 57 of them, 305,479,938 values. Everything here has channels
before time, ``[B, C, T]``; log-mel is in natural units and normalised per band inside.

Source: the 44.1 kHz autoencoder of MMAudio (Cheng et al., CVPR 2025), after Make-An-Audio 2, with
the magnitude-preserving layers of EDM2.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from acfoley.codec.autoencoder_layers import (
    KERNEL,
    Conv,
    DoublingLevel,
    HalvingLevel,
    Level,
    Middle,
    fold_weights,
    scaled_silu,
)
from bench.checkpoints.load import assign_state, load_state

#: Keeps the exponential finite: deviations of 3e-7 to 2.2e4.
LOG_VARIANCE_RANGE = (-30.0, 20.0)


@dataclass(frozen=True)
class AutoencoderParams:
    """Sizes: widths are ``width`` times each multiplier, from the spectrogram to the middle.

    The encoder has ``n_blocks`` residual blocks per level and the decoder one more; time is halved
    after the first level.
    """

    n_mels: int
    n_latent: int
    width: int
    multipliers: tuple[int, ...]
    n_blocks: int

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level."""
        return tuple(self.width * multiplier for multiplier in self.multipliers)


AUTOENCODER_44K = AutoencoderParams(
    n_mels=128, n_latent=40, width=512, multipliers=(1, 2, 4), n_blocks=2
)


class Autoencoder(nn.Module):
    """Log-mel ``[B, n_mels, T]`` to a posterior of latents ``[B, n_latent, T // 2]``, and back."""

    data_mean: Tensor
    data_std: Tensor

    def __init__(self, params: AutoencoderParams = AUTOENCODER_44K) -> None:
        super().__init__()
        self.register_buffer("data_mean", torch.zeros(1, params.n_mels, 1))
        self.register_buffer("data_std", torch.ones(1, params.n_mels, 1))
        self.encoder = Encoder(params)
        self.decoder = Decoder(params)

    def encode(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the latents ``[B, n_latent, T // 2]`` of ``mel``.

        An odd last frame is not represented.
        """
        moments = self.encoder((mel - self.data_mean) / self.data_std)
        mean, log_variance = moments.chunk(2, dim=1)
        return mean, (log_variance.clamp(*LOG_VARIANCE_RANGE) / 2).exp()

    def decode(self, latents: Tensor) -> Tensor:
        """Log-mel ``[B, n_mels, 2 L]`` of ``latents [B, n_latent, L]``."""
        mel: Tensor = self.decoder(latents)
        return mel * self.data_std + self.data_mean


class Encoder(nn.Module):
    """Normalised log-mel ``[B, n_mels, T]`` to means and log-variances ``[B, 2 D, T // 2]``."""

    def __init__(self, params: AutoencoderParams) -> None:
        super().__init__()
        widths = params.widths
        # All other layers keep unit variance; the last one needs the scale of its target, which is
        # 1 + this.
        self.learnable_gain = nn.Parameter(torch.zeros([]))
        self.conv_in = Conv(params.n_mels, widths[0], KERNEL)
        self.down = nn.Sequential(HalvingLevel(widths[0], widths[0], params.n_blocks))
        for before, width in pairwise(widths):
            self.down.append(Level(before, width, params.n_blocks))
        self.mid = Middle(widths[-1])
        self.conv_out = Conv(widths[-1], 2 * params.n_latent, KERNEL)

    def forward(self, mel: Tensor) -> Tensor:
        """Encode ``mel``."""
        signal = self.mid(self.down(self.conv_in(mel)))
        moments: Tensor = self.conv_out(scaled_silu(signal), 1 + self.learnable_gain)
        return moments


class Decoder(nn.Module):
    """Latents ``[B, D, L]`` to normalised log-mel ``[B, n_mels, 2 L]``."""

    def __init__(self, params: AutoencoderParams) -> None:
        super().__init__()
        widths = params.widths
        n_blocks = params.n_blocks + 1
        self.learnable_gain = nn.Parameter(torch.zeros([]))
        self.conv_in = Conv(params.n_latent, widths[-1], KERNEL)
        self.mid = Middle(widths[-1])
        # Levels are numbered from the spectrogram; the signal passes them from the last to the 0th.
        # Level 1 doubles the rate at its end, where the encoder's level 0 has halved it.
        self.up = nn.ModuleList(
            (DoublingLevel if number == 1 else Level)(before, width, n_blocks)
            for number, (before, width) in enumerate(
                zip((*widths[1:], widths[-1]), widths, strict=True)
            )
        )
        self.conv_out = Conv(widths[0], params.n_mels, KERNEL)

    def forward(self, latents: Tensor) -> Tensor:
        """Decode ``latents``."""
        signal = self.mid(self.conv_in(latents))
        for level in reversed(self.up):
            signal = level(signal)
        mel: Tensor = self.conv_out(scaled_silu(signal), 1 + self.learnable_gain)
        return mel


def load_autoencoder(
    checkpoint: Path,
    device: torch.device | str = "cpu",
    params: AutoencoderParams = AUTOENCODER_44K,
) -> Autoencoder:
    """Return the network with the tensors of ``v1-44.pth``, folded and frozen, on ``device``.

    Raises:
        MissingError: there is no such file.
        BenchError: it is damaged, or its tensors are not those of the autoencoder.
    """
    with torch.device("meta"):
        model = Autoencoder(params)
    assign_state(model, load_state(checkpoint), checkpoint)
    fold_weights(model)
    return model.to(device)
