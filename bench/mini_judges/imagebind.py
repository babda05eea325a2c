"""In the role of ImageBind: embeddings of sounds and of pictures whose cosine says how they fit."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from bench.mini_judges.front_end import log_mel
from bench.mini_judges.panns import HEARING, Panns

WIDTH = 64
FPS = 2


class Imagebind(nn.Module):
    """Sound ``[B, T]`` at 16 kHz and stills ``[B, S, 64, 64, 3]`` uint8 to ``[B, 64]`` each."""

    def __init__(self) -> None:
        super().__init__()
        self.hearing = Panns(n_labels=WIDTH)
        self.seeing = nn.Sequential(
            *_block(3, 16, 5), *_block(16, 32, 3), *_block(32, 64, 3), *_block(64, 96, 3)
        )
        self.picture = nn.Sequential(nn.Linear(96 * 16, 128), nn.ReLU(), nn.Linear(128, WIDTH))

    def hear(self, waveforms: Tensor) -> Tensor:
        """Embeddings of unit length of sounds."""
        return self.judge(log_mel(waveforms, HEARING))

    def judge(self, frames: Tensor) -> Tensor:
        """The same of log-mel frames ``[B, 64, F]``."""
        return functional.normalize(self.hearing.judge(frames)[1], dim=-1)

    def see(self, stills: Tensor) -> Tensor:
        """Embeddings of unit length of pictures: the mean over their stills."""
        return functional.normalize(self.see_each(stills).mean(dim=1), dim=-1)

    def see_each(self, stills: Tensor) -> Tensor:
        """What is seen in every still, ``[B, S, 64]``, of any length."""
        pixels = stills.flatten(0, 1).movedim(-1, 1).float() / 127.5 - 1.0
        each: Tensor = self.picture(self.seeing(pixels).flatten(1))
        return each.view(*stills.shape[:2], -1)


def _block(n_in: int, n_out: int, size: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(n_in, n_out, size, 2, size // 2, bias=False)
    return convolution, nn.BatchNorm2d(n_out), nn.ReLU()
