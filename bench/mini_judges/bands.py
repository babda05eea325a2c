"""Sounds of examples as mel bands, made once: the front end costs more than the small networks.

Level, noise and dullness are changed on the powers of the bands, as they would be on the sound.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from bench.mini_judges.augment import (
    CORNER_HZ,
    DULL_SHARE,
    GAIN_DB,
    NEVER_HZ,
    NOISE_DB,
    NOISY_SHARE,
    between,
)
from bench.mini_judges.examples import BLOCK_SCENES, FULL_SCALE, TRAINING_SPLIT, load_arrays
from bench.mini_judges.front_end import (
    Hearing,
    band_hertz,
    levels,
    log_mel,
    noise_powers,
    powers,
)
from bench.mini_judges.labels import N_MATERIALS

#: Lengths that sounds are cut to.
CUTS_S = (2, 3, 5, 8)
#: How much the power of noise in a frame of a band varies, in nepers.
NOISE_SPREAD = 0.5
N_THREADS = 2


class Bands(NamedTuple):
    """A batch: ``frames [B, M, F]``, ``action [B]``, ``material [B]``, ``timbre [B, 9]``."""

    frames: Tensor
    action: Tensor
    material: Tensor
    timbre: Tensor

    @property
    def label(self) -> Tensor:
        """Numbers of classes ``[B]``."""
        return self.action * N_MATERIALS + self.material


class Shelf:
    """The sounds of all examples as one network hears them, to draw batches from."""

    def __init__(self, hearing: Hearing, n_blocks: int) -> None:
        with ThreadPoolExecutor(N_THREADS) as threads:
            blocks = threads.map(partial(_frames, hearing), range(n_blocks))
            self.frames = torch.cat(list(blocks))
        names = ("action", "material", "timbre")
        self.action, self.material, self.timbre = load_arrays(TRAINING_SPLIT, n_blocks, names)
        self.hearing = hearing
        self.n_blocks = n_blocks

    def scenes(self, generator: Generator) -> Tensor:
        """A scene of every class, ``[60]``, each from a block drawn for it."""
        blocks = torch.randint(self.n_blocks, (BLOCK_SCENES,), generator=generator)
        return blocks * BLOCK_SCENES + torch.arange(BLOCK_SCENES)

    def draw(self, scenes: Tensor, which: Tensor, generator: Generator) -> Bands:
        """The sounds ``which [B]`` (0 own, 1 other) of ``scenes [B]``, cut and changed."""
        seconds = CUTS_S[int(torch.randint(len(CUTS_S), (1,), generator=generator))]
        n_frames = seconds * self.hearing.sample_rate_hz // self.hearing.hop_samples
        latest = self.frames.shape[-1] - n_frames
        starts = torch.randint(latest + 1, scenes.shape, generator=generator)
        places = starts[:, None] + torch.arange(n_frames)
        cut = self.frames[scenes[:, None], which[:, None], :, places].transpose(1, 2)
        return Bands(
            changed(cut.float(), self.hearing, generator),
            self.action[scenes],
            self.material[scenes, which],
            self.timbre[scenes, which],
        )

    def draw_any(self, generator: Generator) -> Bands:
        """60 sounds: of every action and material, or of the action on another material."""
        scenes = self.scenes(generator)
        return self.draw(scenes, torch.randint(2, scenes.shape, generator=generator), generator)


def changed(frames: Tensor, hearing: Hearing, generator: Generator) -> Tensor:
    """Log-mel frames ``[B, M, F]`` at other levels, a part of them noisy, a part of them dull."""
    n = len(frames)
    gain = 10.0 ** (between(GAIN_DB, n, generator) / 10.0)
    noise = 10.0 ** (between(NOISE_DB, n, generator) / 10.0)
    noise = noise * (torch.rand(n, generator=generator) < NOISY_SHARE)
    corner = between(CORNER_HZ, n, generator)
    corner[torch.rand(n, generator=generator) > DULL_SHARE] = NEVER_HZ
    dull = (1.0 + (band_hertz(hearing) / corner[:, None]) ** 2) ** -2
    hiss = (NOISE_SPREAD * torch.randn(frames.shape, generator=generator)).exp()
    hiss = hiss * noise_powers(hearing)[:, None] * noise[:, None, None]
    return levels(powers(frames) * dull[..., None] * gain[:, None, None] + hiss)


def _frames(hearing: Hearing, number: int) -> Tensor:
    """Frames ``[60, 2, M, F]`` of a block, in half precision."""
    name = f"sounds_{hearing.sample_rate_hz // 1000}k"
    (sounds,) = load_arrays(TRAINING_SPLIT, 1, (name,), first=number)
    with torch.inference_mode():
        parts = [log_mel(part.float() / FULL_SCALE, hearing).half() for part in sounds]
    return torch.stack(parts)
