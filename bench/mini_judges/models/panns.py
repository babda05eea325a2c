"""In the role of PANNs: a convolutional network on a mel spectrogram at 16 kHz, 60 classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.mini_judges.models.front_end import FrontEnd, log_mel
from bench.mini_judges.models.labels import N_LABELS

FRONT_END = FrontEnd(16_000, 512, 512, 320, 64, 50.0, 8_000.0, is_slaney=True)
WIDTH = 128
#: Channels of the temporal convolutions.
N_CHANNELS = 96
#: Frequency bands that are left, of 64, after four strides of 2; frames last 0.08 s by then.
N_BANDS = 4
#: With kernels of 3 frames, these dilations give a receptive field of 31 frames of 0.08 s, 2.5 s,
#: on either side: long enough for a rhythm, which distinguishes actions.
DILATIONS = (1, 2, 4, 8, 16)


class Panns(nn.Module):
    """Waveforms ``[B, T]`` to a non-negative embedding ``[B, 128]`` and logits ``[B, 60]``."""

    def __init__(self, n_labels: int = N_LABELS) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            *_block(1, 16, 5, (2, 2)),
            *_block(16, 32, 3, (2, 2)),
            *_block(32, 64, 3, (2, 1)),
            *_block(64, N_CHANNELS, 3, (2, 1)),
        )
        self.merge = nn.Conv1d(N_BANDS * N_CHANNELS, N_CHANNELS, 1)
        self.rhythm = nn.ModuleList(_temporal_layer(dilation) for dilation in DILATIONS)
        self.fc = nn.Linear(2 * N_CHANNELS, WIDTH)
        self.labels = nn.Linear(WIDTH, n_labels)

    def forward(self, waveforms: Tensor) -> tuple[Tensor, Tensor]:
        """Encode ``waveforms [B, T]`` at 16 kHz. Returns embedding and logits."""
        return self.encode_mel(log_mel(waveforms, FRONT_END))

    def encode_mel(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Encode log-mel frames ``[B, 64, F]``. Returns embedding and logits."""
        frames = self.merge(self.maps(frames[:, None]).flatten(1, 2))
        for layer in self.rhythm:
            frames = frames + layer(frames)
        # The maximum over time keeps a single impact, the mean the texture of the rest.
        pooled = torch.cat([frames.amax(dim=2), frames.mean(dim=2)], dim=1)
        embedding = self.fc(pooled).relu()
        return embedding, self.labels(embedding)


def _block(n_in: int, n_out: int, size: int, stride: tuple[int, int]) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(n_in, n_out, size, stride, size // 2, bias=False)
    return convolution, nn.BatchNorm2d(n_out), nn.ReLU()


def _temporal_layer(dilation: int) -> nn.Module:
    convolution = nn.Conv1d(N_CHANNELS, N_CHANNELS, 3, padding=dilation, dilation=dilation)
    return nn.Sequential(nn.BatchNorm1d(N_CHANNELS), nn.ReLU(), convolution)
