"""In the role of ImageBind: embeddings of audio and of video in one space, compared by cosine."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from bench.mini_judges.models.front_end import log_mel
from bench.mini_judges.models.panns import FRONT_END, Panns

WIDTH = 64


class Imagebind(nn.Module):
    """Audio ``[B, T]`` at 16 kHz and stills ``[B, S, 64, 64, 3]`` uint8 to ``[B, 64]`` each."""

    def __init__(self) -> None:
        super().__init__()
        # The architecture of the audio tagger; its 60 class logits are 64 coordinates here.
        self.audio_encoder = Panns(n_labels=WIDTH)
        self.image_encoder = nn.Sequential(
            *_block(3, 16, 5), *_block(16, 32, 3), *_block(32, 64, 3), *_block(64, 96, 3)
        )
        self.image_head = nn.Sequential(nn.Linear(96 * 16, 128), nn.ReLU(), nn.Linear(128, WIDTH))

    def encode_audio(self, waveforms: Tensor) -> Tensor:
        """Encode ``waveforms [B, T]`` at 16 kHz. Returns unit vectors ``[B, 64]``."""
        return self.encode_mel(log_mel(waveforms, FRONT_END))

    def encode_mel(self, frames: Tensor) -> Tensor:
        """Encode log-mel frames ``[B, 64, F]``. Returns unit vectors ``[B, 64]``."""
        return functional.normalize(self.audio_encoder.encode_mel(frames)[1], dim=-1)

    def encode_video(self, stills: Tensor) -> Tensor:
        """Encode ``stills [B, S, 64, 64, 3]``. Returns unit vectors ``[B, 64]``."""
        return functional.normalize(self.encode_frames(stills).mean(dim=1), dim=-1)

    def encode_frames(self, stills: Tensor) -> Tensor:
        """Encode every still by itself. Returns ``[B, S, 64]``, not normalised."""
        pixels = stills.flatten(0, 1).movedim(-1, 1).float() / 127.5 - 1.0
        each: Tensor = self.image_head(self.image_encoder(pixels).flatten(1))
        return each.view(*stills.shape[:2], -1)


def _block(n_in: int, n_out: int, size: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(n_in, n_out, size, 2, size // 2, bias=False)
    return convolution, nn.BatchNorm2d(n_out), nn.ReLU()
