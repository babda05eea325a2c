"""Four of the five networks, in the roles of PANNs, PaSST, VGGish and ImageBind.

The first three encode audio, the first two to class logits as well; the last one encodes audio and
video in one space, compared by cosine. Names of modules are those of the tensors in the weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.mini_judges.front_end import (
    ACTION_OF,
    MATERIAL_OF,
    N_ACTIONS,
    N_LABELS,
    N_MATERIALS,
    FrontEnd,
    log_mel,
)


class Panns(nn.Module):
    """Convolutions on a mel spectrogram: ``[B, T]`` at 16 kHz to an embedding and 60 logits."""

    FRONT_END = FrontEnd(16_000, 512, 512, 320, 64, 50.0, 8_000.0, is_slaney=True)
    WIDTH = 128
    #: Channels of the temporal convolutions.
    N_CHANNELS = 96
    #: Frequency bands that are left, of 64, after four strides of 2; frames last 0.08 s by then.
    N_BANDS = 4
    #: With kernels of 3 frames, these dilations give a receptive field of 31 frames of 0.08 s,
    #: 2.5 s, on either side: long enough for a rhythm, which distinguishes actions.
    DILATIONS = (1, 2, 4, 8, 16)

    def __init__(self, n_labels: int = N_LABELS) -> None:
        super().__init__()
        n = self.N_CHANNELS
        self.maps = nn.Sequential(
            *_block(1, 16, 5, (2, 2)),
            *_block(16, 32, 3, (2, 2)),
            # Rhythm needs the time axis as it is from here on.
            *_block(32, 64, 3, (2, 1)),
            *_block(64, n, 3, (2, 1)),
        )
        self.merge = nn.Conv1d(self.N_BANDS * n, n, 1)
        self.rhythm = nn.ModuleList(
            nn.Sequential(nn.BatchNorm1d(n), nn.ReLU(), nn.Conv1d(n, n, 3, padding=d, dilation=d))
            for d in self.DILATIONS
        )
        self.fc = nn.Linear(2 * n, self.WIDTH)
        self.labels = nn.Linear(self.WIDTH, n_labels)

    def forward(self, waveforms: Tensor) -> tuple[Tensor, Tensor]:
        """Encode ``waveforms [B, T]``. Returns embedding ``[B, 128]``, at least 0, and logits."""
        return self.encode_mel(log_mel(waveforms, self.FRONT_END))

    def encode_mel(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Encode log-mel frames ``[B, 64, F]``. Returns embedding and logits."""
        frames = self.merge(self.maps(frames[:, None]).flatten(1, 2))
        for layer in self.rhythm:
            frames = frames + layer(frames)
        # The maximum over time keeps a single impact, the mean the texture of the rest.
        pooled = torch.cat([frames.amax(dim=2), frames.mean(dim=2)], dim=1)
        embedding = self.fc(pooled).relu()
        return embedding, self.labels(embedding)


class Passt(nn.Module):
    """A transformer over patches of a mel spectrogram: ``[B, T]`` at 32 kHz to the same.

    Class logits are the sum of the logits of two heads, one of 10 actions and one of 6 materials:
    every example trains both, where one head of 60 classes would see each class in one of 60.
    """

    FRONT_END = FrontEnd(32_000, 1024, 1024, 640, 64, 30.0, 15_500.0, is_slaney=False)
    WIDTH = 96
    N_HEADS = 4
    N_LAYERS = 2
    #: Patches are 8 frames (0.16 s) by 16 bands, 4 of them over frequency. They come from a stack
    #: of convolutions, so that their receptive fields overlap.
    N_BANDS = 4
    LONGEST_PERIOD = 256.0

    def __init__(self) -> None:
        super().__init__()
        width = self.WIDTH
        self.stem = nn.Sequential(
            *_block(1, 24, 5, activation=nn.GELU),
            *_block(24, 48, 3, activation=nn.GELU),
            *_block(48, width, 3, activation=nn.GELU),
            nn.Conv2d(width, width, (2, 1), stride=(2, 1)),
        )
        self.band = nn.Parameter(0.02 * torch.randn(1, width, self.N_BANDS, 1))
        layer = nn.TransformerEncoderLayer(
            width, self.N_HEADS, 3 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, self.N_LAYERS, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.actions = nn.Linear(width, N_ACTIONS)
        self.materials = nn.Linear(width, N_MATERIALS)

    def forward(self, waveforms: Tensor) -> tuple[Tensor, Tensor]:
        """Encode ``waveforms [B, T]``. Returns the mean of all tokens ``[B, 96]``, and logits."""
        return self.encode_mel(log_mel(waveforms, self.FRONT_END))

    def encode_mel(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Encode log-mel frames ``[B, 64, F]``. Returns embedding and logits."""
        patches = self.stem(frames[:, None])
        patches = patches + self.band + self._embed_time(patches.shape[-1]).to(patches)
        embedding = self.norm(self.layers(patches.flatten(2).transpose(1, 2)).mean(dim=1))
        logits = self.actions(embedding)[:, ACTION_OF] + self.materials(embedding)[:, MATERIAL_OF]
        return embedding, logits

    def _embed_time(self, n_patches: int) -> Tensor:
        """Sines and cosines of time ``[1, 96, 1, n_patches]``, defined for any length of audio.

        Periods are 2 pi times 1 to 256 patches, spaced logarithmically.
        """
        periods = self.LONGEST_PERIOD ** torch.linspace(0.0, 1.0, self.WIDTH // 2)
        angles = torch.arange(n_patches) / periods[:, None]
        # An amplitude of 0.3 keeps them small beside the content of the patches.
        return 0.3 * torch.cat([angles.sin(), angles.cos()])[None, :, None]


class Vggish(nn.Module):
    """Waveforms ``[B, T]`` to embeddings ``[B, P, 64]`` of P full patches; the rest is dropped."""

    FRONT_END = FrontEnd(16_000, 512, 400, 160, 64, 125.0, 7_500.0, is_slaney=False)
    WIDTH = 64
    #: 0.96 s, as in VGGish.
    PATCH_FRAMES = 96

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            *(*_block(1, 16, 3, 2), nn.MaxPool2d(2)),
            *(*_block(16, 32, 3, 1), nn.MaxPool2d(2)),
            *(*_block(32, 64, 3, 1), nn.MaxPool2d(2)),
        )
        self.fc = nn.Sequential(nn.Linear(64 * 4 * 6, 128), nn.ReLU(), nn.Linear(128, self.WIDTH))

    def forward(self, waveforms: Tensor) -> Tensor:
        """Encode ``waveforms [B, T]`` at 16 kHz of at least 0.96 s."""
        return self.encode_mel(log_mel(waveforms, self.FRONT_END))

    def encode_mel(self, frames: Tensor) -> Tensor:
        """Encode log-mel frames ``[B, 64, F]``. Returns embeddings ``[B, F // 96, 64]``."""
        # [B, 64, F] to [B, P, 64, 96]: patches do not overlap, as in VGGish.
        patches = frames.unfold(2, self.PATCH_FRAMES, self.PATCH_FRAMES).transpose(1, 2)
        maps = self.maps(patches.flatten(0, 1)[:, None])
        embedding: Tensor = self.fc(maps.flatten(1)).unflatten(0, patches.shape[:2])
        return embedding


class Imagebind(nn.Module):
    """Audio ``[B, T]`` at 16 kHz and stills ``[B, S, 64, 64, 3]`` uint8 to ``[B, 64]`` each."""

    FRONT_END = Panns.FRONT_END
    WIDTH = 64

    def __init__(self) -> None:
        super().__init__()
        # The architecture of the audio tagger; its 60 class logits are 64 coordinates here.
        self.audio_encoder = Panns(n_labels=self.WIDTH)
        self.image_encoder = nn.Sequential(
            *_block(3, 16, 5), *_block(16, 32, 3), *_block(32, 64, 3), *_block(64, 96, 3)
        )
        self.image_head = nn.Sequential(
            nn.Linear(96 * 16, 128), nn.ReLU(), nn.Linear(128, self.WIDTH)
        )

    def encode_audio(self, waveforms: Tensor) -> Tensor:
        """Encode ``waveforms [B, T]`` at 16 kHz. Returns unit vectors ``[B, 64]``."""
        return self.encode_mel(log_mel(waveforms, self.FRONT_END))

    def encode_mel(self, frames: Tensor) -> Tensor:
        """Encode log-mel frames ``[B, 64, F]``. Returns unit vectors ``[B, 64]``."""
        return functional.normalize(self.audio_encoder.encode_mel(frames)[1], dim=-1)

    def encode_video(self, stills: Tensor) -> Tensor:
        """Encode ``stills [B, S, 64, 64, 3]``. Returns unit vectors ``[B, 64]``."""
        pixels = stills.flatten(0, 1).movedim(-1, 1).float() / 127.5 - 1.0
        each: Tensor = self.image_head(self.image_encoder(pixels).flatten(1))
        # The mean over stills first: as unit vectors, those that show little would count in full.
        return functional.normalize(each.view(*stills.shape[:2], -1).mean(dim=1), dim=-1)


def _block(
    n_in: int,
    n_out: int,
    size: int,
    stride: int | tuple[int, int] = 2,
    activation: type[nn.Module] = nn.ReLU,
) -> tuple[nn.Module, ...]:
    # Without a bias, which the normalisation would remove again.
    convolution = nn.Conv2d(n_in, n_out, size, stride, size // 2, bias=False)
    return convolution, nn.BatchNorm2d(n_out), activation()
