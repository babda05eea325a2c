"""In the role of PaSST: a transformer over patches of a mel spectrogram at 32 kHz.

Its labels come from two heads, one of actions and one of materials; their logits add up.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.mini_judges.front_end import Hearing, log_mel
from bench.mini_judges.labels import ACTION_OF, MATERIAL_OF, N_ACTIONS, N_MATERIALS

HEARING = Hearing(32_000, 1024, 1024, 640, 64, 30.0, 15_500.0, is_slaney=False)
WIDTH = 96
N_HEADS = 4
N_LAYERS = 2
#: A patch is 8 frames (0.16 s) by 16 bands; it knows a little of its neighbours.
N_BANDS = 4
LONGEST_PERIOD = 256.0


class Passt(nn.Module):
    """Waveforms ``[B, T]`` to an embedding ``[B, 96]`` and logits ``[B, 60]``."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            *_halved(1, 24, 5),
            *_halved(24, 48, 3),
            *_halved(48, WIDTH, 3),
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
        """Return the mean of all tokens, and the logits of (action, material)."""
        return self.judge(log_mel(waveforms, HEARING))

    def judge(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """The same of log-mel frames ``[B, 64, F]``."""
        patches = self.stem(frames[:, None])
        patches = patches + self.band + _places(patches.shape[-1]).to(patches)
        embedding = self.norm(self.layers(patches.flatten(2).transpose(1, 2)).mean(dim=1))
        logits = self.actions(embedding)[:, ACTION_OF] + self.materials(embedding)[:, MATERIAL_OF]
        return embedding, logits


def _halved(n_in: int, n_out: int, size: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(n_in, n_out, size, 2, size // 2, bias=False)
    return convolution, nn.BatchNorm2d(n_out), nn.GELU()


def _places(n_patches: int) -> Tensor:
    """Sines and cosines of time ``[1, WIDTH, 1, n_patches]``."""
    periods = LONGEST_PERIOD ** torch.linspace(0.0, 1.0, WIDTH // 2)
    turns = torch.arange(n_patches) / periods[:, None]
    return 0.3 * torch.cat([turns.sin(), turns.cos()])[None, :, None]
