"""In the role of VGGish: one embedding for every patch of 0.96 s at 16 kHz."""

from __future__ import annotations

from torch import Tensor, nn

from bench.mini_judges.models.front_end import FrontEnd, log_mel

FRONT_END = FrontEnd(16_000, 512, 400, 160, 64, 125.0, 7_500.0, is_slaney=False)
PATCH_FRAMES = 96
WIDTH = 64


class Vggish(nn.Module):
    """Waveforms ``[B, T]`` to embeddings ``[B, P, 64]`` of P full patches; the rest is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Sequential(*_block(1, 16, 2), *_block(16, 32), *_block(32, 64))
        self.fc = nn.Sequential(nn.Linear(64 * 4 * 6, 128), nn.ReLU(), nn.Linear(128, WIDTH))

    def forward(self, waveforms: Tensor) -> Tensor:
        """Encode ``waveforms [B, T]`` at 16 kHz of at least 0.96 s."""
        return self.encode_mel(log_mel(waveforms, FRONT_END))

    def encode_mel(self, frames: Tensor) -> Tensor:
        """Encode log-mel frames ``[B, 64, F]``. Returns embeddings ``[B, F // 96, 64]``."""
        # [B, 64, F] to [B, 64, P, 96]: patches do not overlap, as in VGGish.
        patches = frames.unfold(2, PATCH_FRAMES, PATCH_FRAMES)
        patches = patches.transpose(1, 2)
        maps = self.maps(patches.flatten(0, 1)[:, None])
        embedding: Tensor = self.fc(maps.flatten(1)).unflatten(0, patches.shape[:2])
        return embedding


def _block(n_in: int, n_out: int, stride: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False)
    return convolution, nn.BatchNorm2d(n_out), nn.ReLU(), nn.MaxPool2d(2)
