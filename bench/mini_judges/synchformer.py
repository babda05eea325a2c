"""In the role of Synchformer: by how much a sound is ahead of a picture or behind it.

Picture and sound become features at 25 per second; the products of both at every lag, group by
group of their coordinates, say how well they agree when one is moved against the other.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.mini_judges.front_end import Hearing, log_mel

HEARING = Hearing(16_000, 512, 400, 160, 48, 60.0, 7_800.0, is_slaney=True)
FRAMES_PER_S = 25
#: Frames of a window (4.8 s), and between neighbours of the grid of offsets (0.2 s).
WINDOW_FRAMES = 120
GRID_FRAMES = 5
N_OFFSETS = 21
LARGEST_FRAMES = GRID_FRAMES * (N_OFFSETS // 2)
WIDTH = 32
N_GROUPS = 8
#: Lags beside those of the grid that the head sees at its ends.
MARGIN = 5


class Synchformer(nn.Module):
    """Grey frames and a sound to features, and two windows of features to logits."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = nn.Sequential(
            nn.Conv2d(3, 16, 8, stride=4, padding=2, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 48, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(48),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(48 * 16, 64),
        )
        self.seeing = Temporal(64)
        self.bands = nn.Sequential(
            nn.Conv1d(HEARING.n_mels, 64, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(64, 64, 4, stride=2, padding=1),
            nn.GELU(),
            nn.Conv1d(64, 64, 4, stride=2, padding=1),
        )
        self.hearing = Temporal(64)
        self.head = nn.Sequential(
            nn.Conv1d(N_GROUPS, 32, 5),
            nn.GELU(),
            nn.Conv1d(32, 32, 5),
            nn.GELU(),
            nn.Conv1d(32, 1, 3, stride=GRID_FRAMES),
        )
        self.scale = nn.Parameter(torch.ones(N_OFFSETS))
        self.bias = nn.Parameter(torch.zeros(N_OFFSETS))

    def see(self, grey: Tensor) -> Tensor:
        """``grey [B, F, 64, 64]`` uint8 at 25 fps to features ``[B, F, 32]``."""
        features: Tensor = self.seeing(self.see_each(grey).transpose(1, 2))
        return features

    def see_each(self, grey: Tensor) -> Tensor:
        """What is seen in every frame and has changed since the one before, ``[B, F, 64]``."""
        now = grey.float() / 64.0 - 2.0
        change = functional.pad(now.diff(dim=1), (0, 0, 0, 0, 1, 1))
        # what changed since the frame before, and what will until the next
        channels = torch.stack([now, 2.0 * change[:, :-1], 2.0 * change[:, 1:]], dim=2)
        each: Tensor = self.frames(channels.flatten(0, 1))
        return each.view(*grey.shape[:2], -1)

    def hear(self, waveforms: Tensor) -> Tensor:
        """``waveforms [B, T]`` at 16 kHz to features ``[B, F, 32]`` at 25 per second."""
        features: Tensor = self.hearing(self.bands(log_mel(waveforms, HEARING)))
        return features

    def offsets(self, seen: Tensor, heard: Tensor) -> Tensor:
        """Logits ``[B, 2, 21]`` of the first and the last 4.8 s of features ``[B, F, 32]``.

        Of the two sides the longer one is cut. ValueError where F is below 120.
        """
        n_frames = min(seen.shape[1], heard.shape[1])
        if n_frames < WINDOW_FRAMES:
            raise ValueError(f"a window has {WINDOW_FRAMES} frames (4.8 s), these are {n_frames}")
        windows = slice(0, WINDOW_FRAMES), slice(n_frames - WINDOW_FRAMES, n_frames)
        return torch.stack([self.tell(seen[:, w], heard[:, w]) for w in windows], dim=1)

    def tell(self, seen: Tensor, heard: Tensor) -> Tensor:
        """What ``compare`` says beyond what it says where nothing agrees.

        So silence, of which nothing can be told, is not taken for a sound in step: its logits are
        equal but for the ends of the sound, which are heard.
        """
        nothing = seen.new_zeros(1, WINDOW_FRAMES, WIDTH)
        return self.compare(seen, heard) - self.compare(nothing, nothing)

    def compare(self, seen: Tensor, heard: Tensor) -> Tensor:
        """Logits ``[B, 21]`` of offsets -2 to 2 s from windows ``[B, 120, 32]`` of features.

        A positive offset is that of a sound ahead of its picture, as Synchformer has it.
        """
        reach = LARGEST_FRAMES + MARGIN
        lags = correlation(seen, heard)[..., WINDOW_FRAMES - 1 - reach : WINDOW_FRAMES + reach]
        # A sound ahead by n frames agrees with the picture n frames later: at lag -n.
        answers = self.head(lags.flip(-1)).squeeze(1)
        logits: Tensor = answers * self.scale + self.bias
        return logits


class Temporal(nn.Module):
    """Convolutions over time, ``[B, C, F]`` to ``[B, F, 32]``."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm1d(n_in), nn.GELU(), nn.Conv1d(n_in, n_in, 5, padding=2))
            for _ in range(3)
        )
        self.out = nn.Linear(n_in, WIDTH)

    def forward(self, features: Tensor) -> Tensor:
        """Features of every frame, which know their neighbours within 6 frames."""
        for layer in self.layers:
            features = features + layer(features)
        answer: Tensor = self.out(features.transpose(1, 2))
        return answer


def correlation(seen: Tensor, heard: Tensor) -> Tensor:
    """Products ``[B, 8, 2 N - 1]`` of windows ``[B, N, 32]`` at lags -(N - 1) to N - 1.

    Group by group of coordinates, the mean over the frames that overlap; at lag n, frame t of
    ``seen`` meets frame t + n of ``heard``. The mean over time is removed first.
    """
    n_clips, n_frames = seen.shape[:2]
    groups = [
        (side - side.mean(dim=1, keepdim=True)).reshape(n_clips, n_frames, N_GROUPS, -1)
        for side in (seen, heard)
    ]
    products = torch.einsum("btgc,bugc->bgtu", groups[0].flip(1), groups[1])
    # Rows are moved against one another by reading them with one element less each, so that
    # columns hold equal lags.
    skewed = functional.pad(products, (0, n_frames)).flatten(-2)[..., :-n_frames]
    sums = skewed.reshape(n_clips, N_GROUPS, n_frames, 2 * n_frames - 1).sum(dim=-2)
    overlap: Tensor = n_frames - torch.arange(1 - n_frames, n_frames, device=seen.device).abs()
    means: Tensor = sums / overlap
    return means
