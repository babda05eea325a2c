"""How offsets are learned: windows of sound and picture, moved by any number of frames.

What lies between two steps of the grid is shared by both, in proportion, so that the answer to an
offset that is on no step is a step beside it. A head that is not shipped marks the events on each
side, which tells both early on what to look for. A third of the sounds are of another material, so
that time does not hang on timbre.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from bench.mini_judges.augment import augment, tint
from bench.mini_judges.examples import FULL_SCALE, TRAINING_SPLIT, load_arrays
from bench.mini_judges.synchformer import (
    FRAMES_PER_S,
    GRID_FRAMES,
    HEARING,
    LARGEST_FRAMES,
    N_OFFSETS,
    WIDTH,
    WINDOW_FRAMES,
    Synchformer,
)

N_SCENES = 10
N_WINDOWS = 12
#: Frames of a scene that a batch is made of: 8 s, as they are judged.
N_FRAMES = 200
OTHER_SHARE = 0.3
MARK_WEIGHT = 2.0
SMOOTHING = 0.05
SAMPLES_PER_FRAME = HEARING.sample_rate_hz // FRAMES_PER_S


class Moved(NamedTuple):
    """A batch: 10 scenes, and for each of 120 windows its offset and where its picture starts.

    ``grey [10, F, 64, 64]``, ``waveforms [10, T]``, ``marks [10, F]``, ``ahead [120]``: frames by
    which the sound is ahead; window n is of scene n modulo 10.
    """

    grey: Tensor
    waveforms: Tensor
    marks: Tensor
    ahead: Tensor
    starts: list[int]


class OffsetLesson(nn.Module):
    """By how much a sound is ahead of its picture."""

    def __init__(self, network: Synchformer, n_blocks: int) -> None:
        super().__init__()
        self.network = network
        names = ("sounds_16k", "grey", "marks")
        self.sounds, self.grey, self.marks = load_arrays(TRAINING_SPLIT, n_blocks, names)
        self.mark_heads = nn.ModuleList([nn.Linear(WIDTH, 1), nn.Linear(WIDTH, 1)])

    def draw(self, generator: Generator) -> Moved:
        """A batch of 12 windows of each of 10 scenes."""
        scenes = torch.randint(len(self.grey), (N_SCENES,), generator=generator)
        first = int(torch.randint(self.grey.shape[1] - N_FRAMES, (1,), generator=generator))
        shown = slice(first, first + N_FRAMES)
        part = slice(first * SAMPLES_PER_FRAME, (first + N_FRAMES) * SAMPLES_PER_FRAME)
        which = (torch.rand(N_SCENES, generator=generator) < OTHER_SHARE).long()
        sounds = self.sounds[scenes, which, part].float() / FULL_SCALE
        grey = tint(self.grey[scenes, shown], generator)
        waveforms = augment(sounds, HEARING.sample_rate_hz, generator)
        n_offsets = 2 * LARGEST_FRAMES + 1
        ahead = torch.randint(n_offsets, (N_SCENES * N_WINDOWS,), generator=generator)
        ahead -= LARGEST_FRAMES
        starts = [_start(each, generator) for each in ahead.tolist()]
        return Moved(grey, waveforms, self.marks[scenes, shown], ahead, starts)

    def forward(self, moved: Moved) -> Tensor:
        """The loss of one batch."""
        seen, heard = self.network.see(moved.grey), self.network.hear(moved.waveforms)
        loss = self._of_offsets(seen, heard, moved)
        for head, side in zip(self.mark_heads, (seen, heard), strict=True):
            loss = loss + MARK_WEIGHT * functional.mse_loss(head(side).squeeze(-1), moved.marks)
        return loss

    def _of_offsets(self, seen: Tensor, heard: Tensor, moved: Moved) -> Tensor:
        windows: list[tuple[Tensor, Tensor]] = []
        for number, (ahead, start) in enumerate(
            zip(moved.ahead.tolist(), moved.starts, strict=True)
        ):
            # The window of the sound starts later where the sound is ahead.
            scene, later = number % N_SCENES, start + ahead
            windows.append(
                (
                    seen[scene, start : start + WINDOW_FRAMES],
                    heard[scene, later : later + WINDOW_FRAMES],
                )
            )
        sides = (torch.stack(side) for side in zip(*windows, strict=True))
        logits = self.network.compare(*sides)
        shares = grid_shares(moved.ahead)
        return functional.cross_entropy(logits, shares, label_smoothing=SMOOTHING)


def grid_shares(ahead: Tensor) -> Tensor:
    """The share of each step of the grid ``[B, 21]`` in offsets ``ahead [B]`` in frames."""
    steps = torch.arange(N_OFFSETS) * GRID_FRAMES - LARGEST_FRAMES
    distance = (ahead[:, None] - steps).abs() / GRID_FRAMES
    return (1.0 - distance).clamp(min=0.0)


def _start(ahead: int, generator: Generator) -> int:
    """Where the window of the picture starts, so that that of the sound is inside as well."""
    latest = N_FRAMES - WINDOW_FRAMES
    low, high = max(0, -ahead), min(latest, latest - ahead)
    return low + int(torch.randint(high - low + 1, (1,), generator=generator))
