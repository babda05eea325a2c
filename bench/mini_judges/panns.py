"""In the role of PANNs: a convolutional network on a mel spectrogram at 16 kHz, 60 labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.mini_judges.front_end import Hearing, log_mel
from bench.mini_judges.labels import N_LABELS

HEARING = Hearing(16_000, 512, 512, 320, 64, 50.0, 8_000.0, is_slaney=True)
WIDTH = 128
#: Channels of the frames.
N_CHANNELS = 96
#: Bands that are left when the frames, of 0.08 s by then, meet their neighbours.
N_BANDS = 4
#: Steps between the frames that meet; together they span 2.5 s either way, which holds a rhythm.
DILATIONS = (1, 2, 4, 8, 16)


class Panns(nn.Module):
    """Waveforms ``[B, T]`` to an embedding ``[B, 128]``, not negative, and logits ``[B, 60]``."""

    def __init__(self, n_labels: int = N_LABELS) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            *_block(1, 16, 5, (2, 2)),
            *_block(16, 32, 3, (2, 2)),
            *_block(32, 64, 3, (2, 1)),
            *_block(64, N_CHANNELS, 3, (2, 1)),
        )
        self.merge = nn.Conv1d(N_BANDS * N_CHANNELS, N_CHANNELS, 1)
        self.rhythm = nn.ModuleList(_over_time(dilation) for dilation in DILATIONS)
        self.fc = nn.Linear(2 * N_CHANNELS, WIDTH)
        self.labels = nn.Linear(WIDTH, n_labels)

    def forward(self, waveforms: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the strongest and the mean moment say, and the logits."""
        return self.judge(log_mel(waveforms, HEARING))

    def judge(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """The same of log-mel frames ``[B, 64, F]``."""
        frames = self.merge(self.maps(frames[:, None]).flatten(1, 2))
        for layer in self.rhythm:
            frames = frames + layer(frames)
        moments = torch.cat([frames.amax(dim=2), frames.mean(dim=2)], dim=1)
        embedding = self.fc(moments).relu()
        return embedding, self.labels(embedding)


def _block(n_in: int, n_out: int, size: int, stride: tuple[int, int]) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(n_in, n_out, size, stride, size // 2, bias=False)
    return convolution, nn.BatchNorm2d(n_out), nn.ReLU()


def _over_time(dilation: int) -> nn.Module:
    convolution = nn.Conv1d(N_CHANNELS, N_CHANNELS, 3, padding=dilation, dilation=dilation)
    return nn.Sequential(nn.BatchNorm1d(N_CHANNELS), nn.ReLU(), convolution)
