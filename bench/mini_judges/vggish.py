"""In the role of VGGish: one embedding for every patch of 0.96 s at 16 kHz."""

from __future__ import annotations

from torch import Tensor, nn

from bench.mini_judges.front_end import Hearing, log_mel

HEARING = Hearing(16_000, 512, 400, 160, 64, 125.0, 7_500.0, is_slaney=False)
PATCH_FRAMES = 96
WIDTH = 64


class Vggish(nn.Module):
    """Waveforms ``[B, T]`` to embeddings ``[B, P, 64]`` of P patches; what is left over is cut."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Sequential(*_block(1, 16, 2), *_block(16, 32), *_block(32, 64))
        self.fc = nn.Sequential(nn.Linear(64 * 4 * 6, 128), nn.ReLU(), nn.Linear(128, WIDTH))

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the embeddings; the sounds last 0.96 s at least."""
        return self.judge(log_mel(waveforms, HEARING))

    def judge(self, frames: Tensor) -> Tensor:
        """The same of log-mel frames ``[B, 64, F]``."""
        patches = frames.unfold(2, PATCH_FRAMES, PATCH_FRAMES)
        patches = patches.transpose(1, 2)
        maps = self.maps(patches.flatten(0, 1)[:, None])
        embedding: Tensor = self.fc(maps.flatten(1)).unflatten(0, patches.shape[:2])
        return embedding


def _block(n_in: int, n_out: int, stride: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
    return convolution, nn.BatchNorm2d(n_out), nn.ReLU(), nn.MaxPool2d(2)
