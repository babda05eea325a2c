"""Read video at a frame rate, with exactly the frames that ffmpeg's ``fps`` filter picks.

Times are on the file's clock (``bench.media.clock``). A source frame at time t has the slot
``floor(t * fps + 1/2)``; output n is the last source frame whose slot is at most n. A video that
starts after time 0 shows its first frame from 0. Nothing else is padded: a video that ends at d
seconds gives ``floor(d * fps + 1/2)`` outputs. The rule uses time stamps only, so it holds for
variable frame rates too. Times are fractions, because slots of 25 and 0.5 fps fall exactly on
frame boundaries, where a float decides either way.

Frames are rotated upright by the display matrix of the file (phones film sideways), as ffmpeg and
players do. Pixels that are not square are left as they are, as the reference evaluators do.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import MediaError
from bench.media.clock import MAX_PAUSE_S, check_complete, find_origin_s
from bench.media.container import (
    check_window,
    choose_video,
    decode_frames,
    open_media,
    read_packets,
)
from bench.media.resize import resize_short_side
from bench.types import Excerpt, FloatArray, Pixels

if TYPE_CHECKING:
    import numpy.typing as npt
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

MAX_BYTES = 4 * 2**30
MAX_FPS = 1000
HALF = Fraction(1, 2)


@dataclass(frozen=True, eq=False)
class Frame:
    """One output: ``pixels [H, W, 3]`` RGB uint8, of the source frame ``index`` at ``time_s``.

    ``index`` counts from the first frame of the file, ``time_s`` on its clock; outputs that repeat
    a frame share its pixels.
    """

    pixels: Pixels
    index: int
    time_s: float


@dataclass(frozen=True, eq=False)
class Frames:
    """All outputs: ``pixels [T, H, W, 3]`` RGB uint8, ``index [T]`` and ``times_s [T]``."""

    pixels: Pixels
    index: npt.NDArray[np.int64]
    times_s: FloatArray


def read_frames(
    excerpt: Excerpt, fps: float, *, short_side: int | None = None, shortfall_s: float = 0.0
) -> Frames:
    """Return all frames of ``excerpt`` at ``fps``.

    T is ``round(seconds * fps)``, or what the file holds where the excerpt has no end. Raises
    MediaError as ``iterate_frames`` does, and when the pixels exceed 4 GiB.
    """
    outputs: list[Frame] = []
    for frame in iterate_frames(excerpt, fps, short_side=short_side, shortfall_s=shortfall_s):
        outputs.append(frame)
        if len(outputs) * frame.pixels.nbytes > MAX_BYTES:
            raise MediaError(
                f"the video of {excerpt.path} exceeds {MAX_BYTES / 2**30:g} GiB at {fps:g} fps: "
                "read a shorter window, a smaller side, or frame by frame"
            )
    return Frames(
        np.stack([frame.pixels for frame in outputs]),
        np.array([frame.index for frame in outputs], dtype=np.int64),
        np.array([frame.time_s for frame in outputs], dtype=np.float64),
    )


def iterate_frames(
    excerpt: Excerpt, fps: float, *, short_side: int | None = None, shortfall_s: float = 0.0
) -> Iterator[Frame]:
    """Yield the outputs one by one, so that a long video is never complete in memory.

    Each is resized where ``short_side`` is given. The slots of a window count from ``start_s``.
    Where the file ends up to ``shortfall_s`` before the window, its last output is repeated.
    Raises MediaError when there is no video, when the file ends before ``round(seconds * fps)``
    outputs or was cut off, when its data are damaged, and when the size of its frames changes.
    """
    from av.video.reformatter import VideoReformatter

    check_window(excerpt)
    if not 0 < fps <= MAX_FPS:
        raise MediaError(f"cannot read {excerpt.path} at {fps:g} frames per second")
    n_wanted = None if excerpt.seconds is None else round(excerpt.seconds * fps)
    n_outputs, end_s, frame = 0, Fraction(0), None
    # One converter for all frames: every new one starts threads, ten times the work of converting
    # a small frame.
    converter = VideoReformatter()
    with open_media(excerpt.path) as container:
        stream = choose_video(container, excerpt.path)
        for timed in _iterate_timed(container, stream, excerpt.path):
            # Output n shows this frame if the next one, at end_s, has a slot above n. That slot,
            # counted from the start of the window, is the number of outputs reached so far.
            end_s = timed.end_s
            n_reached = math.floor(
                (end_s - _to_fraction(excerpt.start_s)) * _to_fraction(fps) + HALF
            )
            n_reached = n_reached if n_wanted is None else min(n_reached, n_wanted)
            if n_reached > n_outputs:
                pixels = _to_upright_rgb(timed.frame, converter)
                if short_side is not None:
                    pixels = resize_short_side(pixels, short_side)
                frame = Frame(pixels, timed.index, float(timed.start_s))
                yield from itertools.repeat(frame, n_reached - n_outputs)
                n_outputs = n_reached
            if n_outputs == n_wanted:
                return
        if n_wanted is None and n_outputs:
            check_complete(container, stream, float(end_s), excerpt.path)
            return
    missing_s = excerpt.start_s + (excerpt.seconds or 0) - float(end_s)
    if frame is not None and n_wanted is not None and missing_s <= shortfall_s:
        yield from itertools.repeat(frame, n_wanted - n_outputs)
        return
    raise MediaError(
        f"the video of {excerpt.path} lasts {float(end_s):.3f} s: at {fps:g} fps from "
        f"{excerpt.start_s:g} s it gives {n_outputs} frames, {n_wanted or 'at least 1'} are needed"
    )


@dataclass(frozen=True, eq=False)
class _TimedFrame:
    """A source frame and when it is shown: from its own time until that of the next one."""

    frame: VideoFrame
    index: int
    start_s: Fraction
    end_s: Fraction


def _iterate_timed(
    container: InputContainer, stream: VideoStream, path: Path
) -> Iterator[_TimedFrame]:
    """Yield every source frame with its times. Raises MediaError at a jump in time or in size."""
    frames = decode_frames(container, stream, path)
    first = next(frames, None)
    if first is None:
        return
    slots = _read_avi_times(stream, path)
    first_s, zero_s = _find_time_s(first, 0, slots, path), find_origin_s(container)
    zero_s = first_s if zero_s is None else zero_s
    index, frame, start_s = 0, first, first_s - zero_s
    for index, following in enumerate(frames, start=1):
        end_s = _find_time_s(following, index, slots, path) - zero_s
        if (following.width, following.height) != (first.width, first.height):
            raise MediaError(f"cannot read the video of {path}: frame {index} has another size")
        if abs(end_s - start_s) > MAX_PAUSE_S:
            jump = f"jumps from {float(start_s):.1f} to {float(end_s):.1f} s"
            raise MediaError(f"cannot read the video of {path}: frame {index} {jump}")
        yield _TimedFrame(frame, index - 1, start_s, end_s)
        frame, start_s = following, end_s
    # The last frame has no next one that would end it: its own duration does, or the mean one.
    last_s = 1 / stream.average_rate if stream.average_rate else Fraction(0)
    if frame.duration and frame.time_base:
        last_s = min(frame.duration * frame.time_base, Fraction(MAX_PAUSE_S))
    yield _TimedFrame(frame, index, start_s, start_s + last_s)


def _read_avi_times(stream: VideoStream, path: Path) -> list[Fraction]:
    """Return the times of the frames of an AVI in order of presentation; empty for other files.

    AVI stores frames in decoding order and numbers them by their position, so ffmpeg has to guess
    when a frame with B-frames around it is shown, and may guess wrong. Positions are right as a
    set: the n-th frame in order of presentation has the n-th position that is not empty.
    """
    if stream.container.format.name != "avi" or not stream.has_b_frames:
        return []
    with open_media(path) as container:
        stored = read_packets(container, choose_video(container, path), path)
        return [each.dts * each.time_base for each in stored if each.size and each.dts is not None]


def _find_time_s(frame: VideoFrame, index: int, slots: list[Fraction], path: Path) -> Fraction:
    if index < len(slots):
        return slots[index]
    if frame.pts is None or frame.time_base is None:
        raise MediaError(f"cannot read the video of {path}: its frames have no time stamps")
    return frame.pts * frame.time_base


def _to_upright_rgb(frame: VideoFrame, converter: VideoReformatter) -> Pixels:
    """Return RGB pixels, rotated by the display matrix to the nearest right angle."""
    pixels = converter.reformat(frame, format="rgb24", threads=1).to_ndarray()
    # Phones store frames as the sensor has them, and how they were held in the display matrix.
    quarter_turns = round(frame.rotation / 90)
    return np.ascontiguousarray(np.rot90(pixels, quarter_turns), dtype=np.uint8)


def _to_fraction(value: float) -> Fraction:
    """Return the short fraction that a float stands for: 0.04 is 1/25, 23.976... is 24000/1001."""
    return Fraction(value).limit_denominator(1_000_000)
