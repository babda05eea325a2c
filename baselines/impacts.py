"""Times of impacts in a silent video, without learning.

An impact is motion that stops or turns within a frame. The optical flow between neighbouring frames
is summed by direction, and the changes of these sums from one frame to the next are the impact
envelope, whose peaks are impacts (after Davis and Agrawala, Visual Rhythm and Beat, SIGGRAPH 2018).
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
#: Directions are summed in N x N parts of the image: where one object stops while another starts,
#: a sum over the full image would not change.
N_PARTS = 4
SMOOTHING_PX = 1.0
FLOW_WINDOW_PX = 2.0
#: Squared gradient, in grey levels per pixel, below which a surface has too little texture to show
#: its motion.
PLAIN_GRADIENT = 4.0
#: A start of motion counts less than a stop: an arm that is lifted makes no noise.
START_WEIGHT = 0.5
#: Lowest height and prominence of an impact, as shares of the highest peak of the envelope.
SMALLEST_SHARE = 0.25
PROMINENT_SHARE = 0.2
#: Changes below this, in pixels per frame averaged over directions and parts, are camera noise.
NOISE = 0.012
CLOSEST_FRAMES = 3


class Impacts(NamedTuple):
    """Times of impacts in seconds ``[N]``, ascending, and their strengths ``[N]`` in (0, 1]."""

    times_s: FloatArray
    strengths: FloatArray


def find_impacts(pixels: Pixels, times_s: FloatArray) -> Impacts:
    """Return the impacts in ``pixels [T, H, W, 3]``, frames at the times ``times_s [T]``.

    At least one is returned: without a clear peak it is the highest value of the envelope, which in
    a still video is the first frame.
    """
    envelope = impact_envelope(pixels)
    peaks = _find_peaks(envelope)
    if not peaks.size:
        return Impacts(times_s[[int(envelope.argmax())]], np.ones(1))
    heights = envelope[peaks]
    # Frames are 28 to 67 ms apart (35 to 15 fps), a good part of the 100 ms within which onsets
    # match: the vertex of a parabola through a peak and its neighbours gives a time in between.
    positions = peaks + _find_vertex(envelope[peaks - 1], heights, envelope[peaks + 1])
    frames = np.arange(envelope.size)
    return Impacts(np.interp(positions, frames, times_s), np.sqrt(heights / heights.max()))


def impact_envelope(pixels: Pixels) -> FloatArray:
    """Return how abruptly motion changes at each frame of ``[T, H, W, 3]``: ``[T]``, not negative.

    Motion is in pixels per frame, so frames must be those of the camera, evenly spaced. The first
    and the last frame have motion on one side only, and the value 0.
    """
    grey = pixels.mean(axis=3, dtype=np.float32)
    smooth = gaussian_filter(grey, (0.0, SMOOTHING_PX, SMOOTHING_PX))
    envelope = np.zeros(len(smooth))
    if len(smooth) > 2:
        moved = np.stack([_motion(*pair) for pair in itertools.pairwise(smooth)])
        change = np.diff(moved, axis=0)  # of motion [T - 1, D * N^2] between frames: [T - 2, ...]
        envelope[1:-1] = np.where(change < 0.0, -change, START_WEIGHT * change).mean(axis=1)
    return envelope


def _motion(before: FloatArray, after: FloatArray) -> FloatArray:
    """Return the motion between two frames ``[H, W]`` by direction and part, ``[D * N^2]``.

    It is the mean over the pixels of a part of max(0, flow . direction), in pixels per frame.
    """
    angles = 2.0 * np.pi * np.arange(N_DIRECTIONS) / N_DIRECTIONS
    axes = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    along = np.maximum(np.tensordot(axes, _flow(before, after), axes=1), 0.0)
    rows = np.linspace(0, along.shape[1], N_PARTS, endpoint=False, dtype=int)
    columns = np.linspace(0, along.shape[2], N_PARTS, endpoint=False, dtype=int)
    sums = np.add.reduceat(np.add.reduceat(along, rows, axis=1), columns, axis=2)
    return np.asarray(sums.ravel() * (sums.size / along.size))


def _flow(before: FloatArray, after: FloatArray) -> FloatArray:
    """Return the optical flow in pixels per frame, ``[2, H, W]`` (down, right).

    Lucas and Kanade, "An Iterative Image Registration Technique", IJCAI 1981, without iteration.
    """
    # Brightness moves with the flow v: gradient . v + change = 0. One equation does not fix two
    # unknowns, so v is the least-squares solution over a Gaussian window of 2 px. With <.> the mean
    # over the window, d and r the gradients down and right, c the change, and a ridge p that draws
    # v to 0 where there is no texture:
    #     | <dd> + p   <dr>     |  v  =  - | <dc> |
    #     | <dr>       <rr> + p |          | <rc> |
    # which Cramer's rule solves below. p > 0 also keeps the determinant positive.
    change = after - before
    change = change - np.median(change)  # a flicker of the light changes all pixels alike
    down, right = np.gradient((before + after) / 2.0)
    products = (down * down, right * right, down * right, down * change, right * change)
    dd, rr, dr, dc, rc = (gaussian_filter(product, FLOW_WINDOW_PX) for product in products)
    dd, rr = dd + PLAIN_GRADIENT, rr + PLAIN_GRADIENT
    flow = np.stack([dr * rc - rr * dc, dr * dc - dd * rc])
    return np.asarray(flow / (dd * rr - dr * dr))


def _find_peaks(envelope: FloatArray) -> npt.NDArray[np.intp]:
    """Return the frames of the impacts, ``[N]``."""
    highest = float(envelope.max())
    found, _ = find_peaks(
        envelope,
        height=max(NOISE, SMALLEST_SHARE * highest),
        prominence=PROMINENT_SHARE * highest,
        distance=CLOSEST_FRAMES,
    )
    return found


def _find_vertex(left: FloatArray, top: FloatArray, right: FloatArray) -> FloatArray:
    """Return the peak of the parabola through three neighbours, in frames from the middle one."""
    # y = top + (right - left) / 2 x + bend / 2 x^2 has its peak at x = (left - right) / (2 bend).
    # A plateau of three equal values has bend 0; dividing by -1 instead leaves x = 0.
    bend = left - 2.0 * top + right
    return 0.5 * (left - right) / np.where(bend < 0.0, bend, -1.0)
