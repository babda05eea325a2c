"""A baseline without learning: grains of the reference where the picture shows impacts.

The picture says when and how hard, the reference says what it sounds like; nothing sounds in
between. Grains are taken in turn, as a drum machine takes its samples, and ring over each other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from baselines.grains import cut_grains
from baselines.impacts import Impacts, find_impacts
from baselines.opening import nothing_to_load
from bench.errors import BenchError, MediaError
from bench.media import probe, read_frames
from bench.system import System
from bench.types import MAX_SHORTFALL_S, Audio, Excerpt, Pixels, Request, Waveform

#: Of faster cameras every second or third frame is enough.
HIGHEST_FPS = 35.0
SHORT_SIDE_PX = 96
#: A frame that changes by less than this share of what its neighbours change by is a repeated one.
REPEAT_SHARE = 0.2


def motion_grains(request: Request) -> Audio:
    """Return the grains of the reference laid out on the impacts that the picture shows.

    There is at least one grain: a picture in which nothing stands out gets it at its sharpest
    change, since a sounding video was asked for. The level of a grain follows the strength of its
    impact. The seed is not used.
    """
    if request.video is None:
        raise BenchError(f"clip {request.name!r} has no picture, which this system follows")
    if request.reference is None or not request.reference.samples.size:
        raise BenchError(f"clip {request.name!r} has no reference sound, which this system cuts")
    impacts = _impacts_of(request.video)
    rate = request.reference.sample_rate_hz
    samples = _laid_out(cut_grains(request.reference), impacts, round(request.seconds * rate), rate)
    return Audio(samples, rate)


def _impacts_of(video: Excerpt) -> Impacts:
    """Impacts in seconds from the start of the excerpt."""
    frames = read_frames(
        video, _own_fps(video), short_side=SHORT_SIDE_PX, shortfall_s=MAX_SHORTFALL_S
    )
    # Repeated frames look like motion that stops; without them the frames are as they were filmed,
    # at even distances, which is what impacts are measured in.
    _, own = np.unique(frames.index, return_index=True)
    own = own[~_is_lone_repeat(frames.pixels[own])]
    seconds = float(frames.times_s[own[-1]] - frames.times_s[own[0]])
    own = own[:: max(1, math.ceil((own.size - 1) / max(seconds, 1.0) / HIGHEST_FPS))]
    return find_impacts(frames.pixels[own], frames.times_s[own] - video.start_s)


def _own_fps(video: Excerpt) -> float:
    """The rate of the file: any other leaves out frames unevenly, which looks like impacts."""
    stream = probe(video.path).video
    if stream is None or not stream.fps > 0.0:
        raise MediaError(f"cannot follow the motion of {video.path}: it has no moving picture")
    return stream.fps


def _is_lone_repeat(pixels: Pixels) -> npt.NDArray[np.bool_]:
    """Which frames ``[T]`` of a moving picture only repeat the one before, as converters make them.

    Their difference is what the codec adds; two still frames in a row are a picture at rest.
    """
    grey = pixels.mean(axis=3, dtype=np.float32)
    change = np.abs(np.diff(grey, axis=0)).mean(axis=(1, 2))
    padded = np.concatenate([[np.inf], change, [np.inf]])
    return np.append(False, change < REPEAT_SHARE * np.minimum(padded[:-2], padded[2:]))


def _laid_out(
    grains: Sequence[Waveform], impacts: Impacts, n_samples: int, sample_rate_hz: int
) -> Waveform:
    """Grains in turn, each from its impact on, ``[C, T]``; softer as a whole if they add up."""
    samples = np.zeros((len(grains[0]), n_samples), np.float32)
    for grain, time_s, strength in zip(itertools.cycle(grains), *impacts, strict=False):
        start = max(0, round(float(time_s) * sample_rate_hz))
        place = samples[:, start : start + grain.shape[1]]
        place += np.float32(strength) * grain[:, : place.shape[1]]
    samples /= max(1.0, float(np.abs(samples).max(initial=0.0)))
    return samples


MOTION_GRAINS = System(
    "motion-grains",
    "Grains of the reference where the motion of the picture stops or turns; nothing is learned",
    frozenset({"video", "reference"}),
    nothing_to_load(motion_grains),
    code=("baselines.motion_grains", "baselines.grains", "baselines.impacts"),
    uses_device=False,
)
