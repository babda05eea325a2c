"""In the role of PaSST: a transformer over patches of a mel spectrogram at 32 kHz.

Class logits are the sum of the logits of two heads, one of 10 actions and one of 6 materials: every
example trains both, where one head of 60 classes would see each class in one example of 60.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.mini_judges.models.front_end import FrontEnd, log_mel
from bench.mini_judges.models.labels import ACTION_OF, MATERIAL_OF, N_ACTIONS, N_MATERIALS

FRONT_END = FrontEnd(32_000, 1024, 1024, 640, 64, 30.0, 15_500.0, is_slaney=False)
WIDTH = 96
N_HEADS = 4
N_LAYERS = 2
#: Patches are 8 frames (0.16 s) by 16 bands, 4 of them over frequency. They come from a stack of
#: convolutions, so that their receptive fields overlap.
N_BANDS = 4
LONGEST_PERIOD = 256.0


class Passt(nn.Module):
    """Waveforms ``[B, T]`` to an embedding ``[B, 96]`` and logits ``[B, 60]``."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *_strided_block(1, 24, 5),
            *_strided_block(24, 48, 3),
            *_strided_block(48, WIDTH, 3),
            nn.Conv2d(WIDTH, WIDTH, (2, 1), stride=(2, 1)),
        )
        self.band = nn.Parameter(0.02 * torch.randn(1, WIDTH, N_BANDS, 1))
        layer = nn.TransformerEncoderLayer(
            WIDTH, N_HEADS, 3 * WIDTH, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, N_LAYERS, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(WIDTH)
        self.actions = nn.Linear(WIDTH, N_ACTIONS)
        self.materials = nn.Linear(WIDTH, N_MATERIALS)

    def forward(self, waveforms: Tensor) -> tuple[Tensor, Tensor]:
        """Encode ``waveforms [B, T]`` at 32 kHz. Returns the mean of all tokens, and the logits."""
        return self.encode_mel(log_mel(waveforms, FRONT_END))

    def encode_mel(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Encode log-mel frames ``[B, 64, F]``. Returns embedding and logits."""
        patches = self.stem(frames[:, None])
        patches = patches + self.band + _time_embedding(patches.shape[-1]).to(patches)
        embedding = self.norm(self.layers(patches.flatten(2).transpose(1, 2)).mean(dim=1))
        logits = self.actions(embedding)[:, ACTION_OF] + self.materials(embedding)[:, MATERIAL_OF]
        return embedding, logits


def _strided_block(n_in: int, n_out: int, size: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(n_in, n_out, size, 2, size // 2, bias=False)
    return convolution, nn.BatchNorm2d(n_out), nn.GELU()


def _time_embedding(n_patches: int) -> Tensor:
    """Sines and cosines of time ``[1, 96, 1, n_patches]``, defined for any length of audio.

    Periods are 2 pi times 1 to 256 patches, spaced logarithmically; the amplitude of 0.3 keeps them
    small beside the content of the patches.
    """
    periods = LONGEST_PERIOD ** torch.linspace(0.0, 1.0, WIDTH // 2)
    angles = torch.arange(n_patches) / periods[:, None]
    return 0.3 * torch.cat([angles.sin(), angles.cos()])[None, :, None]
