"""When things hit in a silent picture, without learning.

A blow is motion that stops or turns at once. So the flow between neighbouring frames is summed by
direction, and what every direction loses or gains from one frame to the next makes the impact
envelope (after Davis and Agrawala, Visual Rhythm and Beat, SIGGRAPH 2018); its peaks are impacts.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from scipy.signal import find_peaks

from bench.types import FloatArray, Pixels

N_DIRECTIONS = 8
#: Directions are counted in N x N parts of the picture: a start here must not hide a stop there.
N_PARTS = 4
SMOOTHING_PX = 1.0
FLOW_WINDOW_PX = 2.0
#: Squared gradient, in grey levels per pixel, below which a surface is too plain to show motion.
PLAIN_GRADIENT = 4.0
#: Motion that starts says less than motion that stops: an arm is lifted without a sound.
START_WEIGHT = 0.5
#: An impact reaches, and rises above its surroundings by, these shares of the highest.
SMALLEST_SHARE = 0.25
PROMINENT_SHARE = 0.2
#: Changes below this, in pixels per frame averaged over directions and parts, are camera noise.
NOISE = 0.012
CLOSEST_FRAMES = 3


class Impacts(NamedTuple):
    """Times of impacts in the picture ``[N]``, in order, and their strengths ``[N]`` in (0, 1]."""

    times_s: FloatArray
    strengths: FloatArray


def find_impacts(pixels: Pixels, times_s: FloatArray) -> Impacts:
    """Return the impacts in ``pixels [T, H, W, 3]``, whose frames show the times ``times_s [T]``.

    There is always at least one: where nothing stands out it is the sharpest change, which in a
    still picture is the first frame.
    """
    envelope = impact_envelope(pixels)
    peaks = _peaks(envelope)
    if not peaks.size:
        return Impacts(times_s[[int(envelope.argmax())]], np.ones(1))
    heights = envelope[peaks]
    places = peaks + _vertex(envelope[peaks - 1], heights, envelope[peaks + 1])
    frames = np.arange(envelope.size)
    return Impacts(np.interp(places, frames, times_s), np.sqrt(heights / heights.max()))


def impact_envelope(pixels: Pixels) -> FloatArray:
    """Return how abruptly motion changes at each frame of ``[T, H, W, 3]``: ``[T]``, at least 0.

    Motion is in pixels per frame: frames must be those that the camera took, at even distances.
    The first and the last have no motion on one side, and 0.
    """
    grey = pixels.mean(axis=3, dtype=np.float32)
    smooth = gaussian_filter(grey, (0.0, SMOOTHING_PX, SMOOTHING_PX))
    envelope = np.zeros(len(smooth))
    if len(smooth) > 2:
        moved = np.stack([_motion(*pair) for pair in itertools.pairwise(smooth)])
        change = np.diff(moved, axis=0)
        envelope[1:-1] = np.where(change < 0.0, -change, START_WEIGHT * change).mean(axis=1)
    return envelope


def _motion(before: FloatArray, after: FloatArray) -> FloatArray:
    """Motion between two frames ``[H, W]`` by direction and part of the picture, ``[D * N^2]``."""
    angles = 2.0 * np.pi * np.arange(N_DIRECTIONS) / N_DIRECTIONS
    axes = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    along = np.maximum(np.tensordot(axes, _flow(before, after), axes=1), 0.0)
    rows = np.linspace(0, along.shape[1], N_PARTS, endpoint=False, dtype=int)
    columns = np.linspace(0, along.shape[2], N_PARTS, endpoint=False, dtype=int)
    sums = np.add.reduceat(np.add.reduceat(along, rows, axis=1), columns, axis=2)
    return np.asarray(sums.ravel() * (sums.size / along.size))


def _flow(before: FloatArray, after: FloatArray) -> FloatArray:
    """Motion in pixels per frame, ``[2, H, W]`` (down, right), after Lucas and Kanade (1981).

    The median change is taken off first: a flicker of the light is not motion.
    """
    change = after - before
    change = change - np.median(change)
    down, right = np.gradient((before + after) / 2.0)
    products = (down * down, right * right, down * right, down * change, right * change)
    dd, rr, dr, dc, rc = (gaussian_filter(product, FLOW_WINDOW_PX) for product in products)
    dd, rr = dd + PLAIN_GRADIENT, rr + PLAIN_GRADIENT
    flow = np.stack([dr * rc - rr * dc, dr * dc - dd * rc])
    return np.asarray(flow / (dd * rr - dr * dr))


def _peaks(envelope: FloatArray) -> npt.NDArray[np.intp]:
    """Frames where the envelope stands out, ``[N]``."""
    highest = float(envelope.max())
    found, _ = find_peaks(
        envelope,
        height=max(NOISE, SMALLEST_SHARE * highest),
        prominence=PROMINENT_SHARE * highest,
        distance=CLOSEST_FRAMES,
    )
    return found


def _vertex(left: FloatArray, top: FloatArray, right: FloatArray) -> FloatArray:
    """Where a parabola through three neighbours peaks, in frames from the middle one."""
    bend = left - 2.0 * top + right
    return 0.5 * (left - right) / np.where(bend < 0.0, bend, -1.0)
