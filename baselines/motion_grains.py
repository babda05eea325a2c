"""A baseline without learning: grains of the reference at the impacts in the video.

The video decides the times and the levels, the reference the timbre; between grains there is
silence. Grains are used in turn, as a drum machine uses its samples, and may overlap.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from baselines import nothing_to_load
from bench.errors import BenchError, MediaError
from bench.media import probe, read_frames
from bench.system import System
from bench.types import MAX_SHORTFALL_S, Audio, Excerpt, Pixels, Request, Waveform

if TYPE_CHECKING:
    from baselines.impacts import Impacts

#: Of a video with a higher frame rate every second or third frame is used.
HIGHEST_FPS = 35.0
SHORT_SIDE_PX = 96
#: A frame whose change is below this share of its neighbours' changes is a repeated frame.
REPEAT_SHARE = 0.2


def motion_grains(request: Request) -> Audio:
    """Return grains of the reference at the impacts in the video, at the reference's rate.

    The level of a grain follows the strength of its impact. At least one grain is used: a video
    without a clear impact has it at its sharpest change. The seed is not used.

    Raises:
        BenchError: the request has no video or no reference, or the video has no frame rate.
    """
    # Grains and impacts are found with SciPy, which a list of systems starts without.
    from baselines.grains import cut_grains

    if request.video is None:
        raise BenchError(f"clip {request.name!r} has no video, which this system follows")
    if request.reference is None or not request.reference.samples.size:
        raise BenchError(f"clip {request.name!r} has no reference audio, which this system cuts")
    impacts = _find_impacts_of(request.video)
    rate = request.reference.sample_rate_hz
    n_samples = round(request.seconds * rate)
    return Audio(_mix_grains(cut_grains(request.reference), impacts, n_samples, rate), rate)


def _find_impacts_of(video: Excerpt) -> Impacts:
    """Return the impacts of an excerpt, in seconds from its start."""
    from baselines.impacts import find_impacts

    stream = probe(video.path).video
    if stream is None or not stream.fps > 0.0:
        raise MediaError(f"cannot follow the motion of {video.path}: it has no moving images")
    # The file's own rate: any other leaves out frames unevenly, and the uneven motion that results
    # looks like impacts.
    frames = read_frames(video, stream.fps, short_side=SHORT_SIDE_PX, shortfall_s=MAX_SHORTFALL_S)
    # A repeated frame looks like motion that stops for one frame. Without repeats the frames are
    # those of the camera, evenly spaced, as the impact envelope needs them.
    _, own = np.unique(frames.index, return_index=True)
    own = own[~_is_lone_repeat(frames.pixels[own])]
    seconds = float(frames.times_s[own[-1]] - frames.times_s[own[0]])
    own = own[:: max(1, math.ceil((own.size - 1) / max(seconds, 1.0) / HIGHEST_FPS))]
    return find_impacts(frames.pixels[own], frames.times_s[own] - video.start_s)


def _is_lone_repeat(pixels: Pixels) -> npt.NDArray[np.bool_]:
    """Return which frames ``[T]`` repeat the one before, as converters of frame rates make them.

    A repeated frame differs from the one before by compression noise alone, while the changes
    before and after it are motion. Two unchanged frames in a row are a still scene, and no repeats.
    """
    grey = pixels.mean(axis=3, dtype=np.float32)
    change = np.abs(np.diff(grey, axis=0)).mean(axis=(1, 2))
    padded = np.concatenate([[np.inf], change, [np.inf]])
    return np.append(False, change < REPEAT_SHARE * np.minimum(padded[:-2], padded[2:]))


def _mix_grains(
    grains: Sequence[Waveform], impacts: Impacts, n_samples: int, sample_rate_hz: int
) -> Waveform:
    """Return the sum of grains ``[C, T]``, each starting at its impact; scaled to full scale."""
    samples = np.zeros((len(grains[0]), n_samples), np.float32)
    for grain, time_s, strength in zip(itertools.cycle(grains), *impacts, strict=False):
        start = max(0, round(float(time_s) * sample_rate_hz))
        target = samples[:, start : start + grain.shape[1]]
        target += np.float32(strength) * grain[:, : target.shape[1]]
    samples /= max(1.0, float(np.abs(samples).max(initial=0.0)))
    return samples


MOTION_GRAINS = System(
    "motion-grains",
    "Grains of the reference where motion in the video stops or turns; nothing is learned",
    frozenset({"video", "reference"}),
    nothing_to_load(motion_grains),
    # Frames are resized before their motion is measured: another resizer, other impacts.
    code=(
        "baselines.motion_grains",
        "baselines.grains",
        "baselines.impacts",
        "bench.media.resize",
    ),
    uses_device=False,
)
