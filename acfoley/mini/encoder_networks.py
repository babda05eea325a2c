"""Three small networks in the roles of CLIP, CLAP and Synchformer, which condition the mini model.

They were trained on the mini world and come with the package in half precision. Their weights are
copies of those of the small judges ImageBind (``video-encoder``, ``audio-encoder``) and Synchformer
(``motion-encoder``), so that the mini judge favours this model in IB and DeSync; every table
with its numbers has that caveat.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.dsp.mel import power_spectrogram, slaney_mel_bank

#: Height and width of the frames that both video networks take.
SIDE_PIXELS = 64
SAMPLE_RATE_HZ = 16_000
WIDTH = 64

N_FFT, HOP_SAMPLES, N_MELS = 512, 320, 64
MIN_HZ, MAX_HZ = 50.0, 8_000.0
#: Power of a band below which codecs leave nothing of a signal; a full-scale sine has a quarter.
POWER_FLOOR = 3e-8
#: Brings the log10 of powers near to mean 0 and unit variance.
CENTRE, SPREAD = -5.0, 1.5


class VideoEncoder(nn.Module):
    """Frames ``[B, F, 64, 64, 3]`` uint8 to features ``[B, F, 64]``, each frame by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *_block(3, 16, 5, 2),
            *_block(16, 32, 3, 2),
            *_block(32, 64, 3, 2),
            *_block(64, 96, 3, 2),
        )
        self.head = nn.Sequential(nn.Linear(96 * 16, 128), nn.ReLU(), nn.Linear(128, WIDTH))

    def forward(self, frames: Tensor) -> Tensor:
        """Encode ``frames``."""
        pixels = frames.flatten(0, 1).movedim(-1, 1).float() / 127.5 - 1.0
        features: Tensor = self.head(self.convolutions(pixels).flatten(1))
        return features.view(*frames.shape[:2], -1)


class MotionEncoder(nn.Module):
    """Grey frames ``[B, F, 64, 64]`` uint8 at 25 fps to features ``[B, F, 96]``.

    Of these 64 describe a frame and its change from the one before and to the next, 32 the frames
    within 6 of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.frames = nn.Sequential(
            nn.Conv2d(3, 16, 8, stride=4, padding=2, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            *_block(16, 32, 3, 2),
            *_block(32, 48, 3, 2),
            nn.Flatten(),
            nn.Linear(48 * 16, 64),
        )
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm1d(64), nn.GELU(), nn.Conv1d(64, 64, 5, padding=2))
            for _ in range(3)
        )
        self.out = nn.Linear(64, 32)

    def forward(self, grey: Tensor) -> Tensor:
        """Encode ``grey``."""
        levels = grey.float() / 64.0 - 2.0
        change = functional.pad(levels.diff(dim=1), (0, 0, 0, 0, 1, 1))
        # Changes from and to the neighbours mark when something moves, the frame shows where.
        channels = torch.stack([levels, 2.0 * change[:, :-1], 2.0 * change[:, 1:]], dim=2)
        each = self.frames(channels.flatten(0, 1)).view(*grey.shape[:2], -1).transpose(1, 2)
        around = each
        for layer in self.layers:
            around = around + layer(around)
        return torch.cat([each.transpose(1, 2), self.out(around.transpose(1, 2))], dim=-1)


class AudioEncoder(nn.Module):
    """Waveforms ``[B, T]`` at 16 kHz to embeddings ``[B, 64]`` of unit length."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            *_block(1, 16, 5, (2, 2)),
            *_block(16, 32, 3, (2, 2)),
            *_block(32, 64, 3, (2, 1)),
            *_block(64, 96, 3, (2, 1)),
        )
        self.merge = nn.Conv1d(4 * 96, 96, 1)
        self.rhythm = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm1d(96),
                nn.ReLU(),
                nn.Conv1d(96, 96, 3, padding=dilation, dilation=dilation),
            )
            for dilation in (1, 2, 4, 8, 16)
        )
        self.fc = nn.Linear(2 * 96, 128)
        self.head = nn.Linear(128, WIDTH)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Encode ``waveforms``."""
        frames = self.merge(self.maps(_log_mel(waveforms)[:, None]).flatten(1, 2))
        for layer in self.rhythm:
            frames = frames + layer(frames)
        pooled = torch.cat([frames.amax(dim=2), frames.mean(dim=2)], dim=1)
        return functional.normalize(self.head(self.fc(pooled).relu()), dim=-1)


def _block(n_in: int, n_out: int, size: int, stride: int | tuple[int, int]) -> list[nn.Module]:
    convolution = nn.Conv2d(n_in, n_out, size, stride, size // 2, bias=False)
    return [convolution, nn.BatchNorm2d(n_out), nn.ReLU()]


def _log_mel(waveforms: Tensor) -> Tensor:
    """Log-mel frames ``[B, 64, T // 320]``, near mean 0 and variance 1.

    Powers are relative to a sine of full scale and summed over each band.
    """
    window = torch.hann_window(N_FFT)
    power = power_spectrogram(waveforms, window, n_fft=N_FFT, hop_samples=HOP_SAMPLES)
    bands = torch.einsum("bft,fm->bmt", power / window.sum() ** 2, _mel_bank().to(power))
    frames = bands[..., : waveforms.shape[1] // HOP_SAMPLES]
    return ((frames + POWER_FLOOR).log10() - CENTRE) / SPREAD


@cache
def _mel_bank() -> Tensor:
    """Triangles ``[257, 64]`` of height 1."""
    bank = slaney_mel_bank(N_MELS, N_FFT, SAMPLE_RATE_HZ, MIN_HZ, MAX_HZ)
    return torch.from_numpy(bank / np.maximum(bank.max(axis=0), 1e-9)).float()
