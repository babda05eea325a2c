"""Dynamic time warping: align the frames of two sequences.

A path starts at the first frames, ends at the last, and moves by one frame on either side or on
both; its cost is the sum of the Euclidean distances d of the frames that it pairs. The cheapest
path into cell (i, j) extends the cheapest one into a neighbour (Bellman's recursion):

    D(i, j) = d(i, j) + min(D(i - 1, j), D(i, j - 1), D(i - 1, j - 1)),        D(0, 0) = d(0, 0)

``dtw_path`` evaluates all N M cells and finds the cheapest path of all. ``fastdtw_path`` evaluates
a corridor (Salvador & Chan, "Toward accurate dynamic time warping in linear time and space",
Intelligent Data Analysis 11(5), 2007): it halves both sequences, finds their path, and searches
only cells within ``radius`` of it, projected back to the full length; the halved ones likewise,
until they are shorter than radius + 2 frames. That takes O(N + M) and may miss the cheapest path.
It is here because the reported distortion is defined on it.

Ties decide values: in digital silence every path costs 0, and the distortion is a mean over the
path found. Where moves cost the same, the order is: advance the true sequence alone, advance the
generated one alone, advance both. With it, paths and costs equal those of the PyPI package
``fastdtw`` 0.3.4 in pure Python, which pip installs and pymcd's values are computed with. The same
package compiled by Cython takes other paths, and distortions along them differ by up to 0.8 dB.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bench._numba import load_numba
from bench.metrics.arrays import Array, FloatArray, IntArray, check_frame_pair

ADVANCE_TRUE, ADVANCE_GENERATED, ADVANCE_BOTH = 0, 1, 2


class Alignment(NamedTuple):
    """``path [L, 2]`` int64 of frame numbers (true, generated), and the cost summed along it."""

    path: IntArray
    cost: float


def dtw_path(true: npt.ArrayLike, generated: npt.ArrayLike) -> Alignment:
    """Return the cheapest alignment of ``true [N, D]`` and ``generated [M, D]``.

    Needs N x M bytes; ValueError if an array is empty, not finite, or of another width.

    >>> path, cost = dtw_path([[0.0], [1.0], [5.0]], [[0.0], [5.0]])
    >>> path.tolist(), cost
    ([[0, 0], [1, 0], [2, 1]], 1.0)
    """
    first, second = check_frame_pair(true, generated)
    return _exact(first, second)


def fastdtw_path(true: npt.ArrayLike, generated: npt.ArrayLike, radius: int = 1) -> Alignment:
    """Return the FastDTW alignment of ``true [N, D]`` and ``generated [M, D]``.

    ``radius`` is the half width of the corridor, in frames of each coarser level, at least 1.
    Its cost is never below that of ``dtw_path``. ValueError as there.
    """
    if radius < 1:
        raise ValueError(f"the radius must be at least 1 frame, got {radius}")
    first, second = check_frame_pair(true, generated)
    return _coarse_to_fine(first, second, radius)


def _coarse_to_fine(true: FloatArray, generated: FloatArray, radius: int) -> Alignment:
    if min(len(true), len(generated)) < radius + 2:
        return _exact(true, generated)
    coarse = _coarse_to_fine(_halved(true), _halved(generated), radius)
    low, high = _corridor(coarse.path, len(true), len(generated), radius)
    return _align(true, generated, low, high)


def _exact(true: FloatArray, generated: FloatArray) -> Alignment:
    low = np.zeros(len(true), dtype=np.int64)
    return _align(true, generated, low, low + len(generated) - 1)


def _halved(frames: FloatArray) -> FloatArray:
    """Return the mean of neighbouring frames ``[N // 2, D]``; an odd last frame is left out."""
    n_pairs = len(frames) // 2
    return (frames[0 : 2 * n_pairs : 2] + frames[1 : 2 * n_pairs : 2]) / 2


def _corridor(
    coarse_path: IntArray, n_true: int, n_generated: int, radius: int
) -> tuple[IntArray, IntArray]:
    """Return the first and last generated frame for each true frame, ``[n_true]`` each.

    FastDTW widens each cell of the coarse path to a square of ``radius`` on all sides and doubles
    it. No set of cells is needed for that: a path never turns back, so the lowest column within
    ``radius`` rows of a row is the first of the row ``radius`` above it, and the highest is the
    last of the row ``radius`` below it, both widened by ``radius``.
    """
    coarse_rows = np.arange(n_true) // 2
    rows, columns = coarse_path.T
    top, bottom = rows[0], rows[-1]
    opening = np.searchsorted(rows, np.clip(coarse_rows - radius, top, bottom), side="left")
    closing = np.searchsorted(rows, np.clip(coarse_rows + radius, top, bottom), side="right") - 1
    low = np.clip(2 * (columns[opening] - radius), 0, n_generated - 1)
    high = np.clip(2 * (columns[closing] + radius) + 1, 0, n_generated - 1)
    return low, high


def _align(true: FloatArray, generated: FloatArray, low: IntArray, high: IntArray) -> Alignment:
    accumulate, trace = _kernels()
    widths = high - low + 1
    starts = np.cumsum(widths) - widths
    moves = np.empty(int(widths.sum()), dtype=np.uint8)
    cost = accumulate(true, generated, low, high, starts, moves)
    return Alignment(trace(low, starts, moves, len(true), len(generated)), float(cost))


@functools.cache
def _kernels() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the two inner loops as machine code, compiled once per machine (``bench._numba``).

    A clip of 8 s has 1,601 frames per side: 70 ms for the exact path instead of 40 s in Python.
    """
    numba = load_numba()
    frames = numba.types.Array(numba.float64, 2, "C", readonly=True)
    indices, moves = numba.int64[::1], numba.uint8[::1]
    accumulate = numba.float64(frames, frames, indices, indices, indices, moves)
    trace = numba.int64[:, ::1](indices, indices, moves, numba.int64, numba.int64)
    return (
        numba.njit(accumulate, cache=True)(_accumulate),
        numba.njit(trace, cache=True)(_trace),
    )


def _accumulate(
    true: FloatArray,
    generated: FloatArray,
    low: IntArray,
    high: IntArray,
    starts: IntArray,
    moves: Array,
) -> float:
    """Fill ``moves`` with the best last move into every cell of the corridor; return the cost.

    Row i of the corridor spans columns ``low[i]`` to ``high[i]``, and its moves begin at
    ``starts[i]`` of ``moves``: one byte per cell is all that the way back needs.
    """
    # Two rows of costs are kept, shifted by one so that index 0 is the column before the first.
    # Cells outside the corridor must be infinite. Its edges never move left, so columns to the
    # right were never written; the one to the left of the row may hold a cost of two rows above and
    # is reset on every row.
    above = np.full(len(generated) + 1, np.inf)
    here = np.full(len(generated) + 1, np.inf)
    above[0] = 0.0
    for row in range(len(true)):
        here[low[row]] = np.inf
        for column in range(low[row], high[row] + 1):
            squared = 0.0
            for axis in range(true.shape[1]):
                gap = true[row, axis] - generated[column, axis]
                squared += gap * gap
            distance = np.sqrt(squared)
            # The order of the comparisons, each strict, is the order of preference in ties. They
            # compare sums, as the package does: adding the distance rounds and may make a tie.
            best, move = above[column + 1] + distance, ADVANCE_TRUE
            if here[column] + distance < best:
                best, move = here[column] + distance, ADVANCE_GENERATED
            if above[column] + distance < best:
                best, move = above[column] + distance, ADVANCE_BOTH
            here[column + 1] = best
            moves[starts[row] + column - low[row]] = move
        above, here = here, above
    return above[len(generated)]  # type: ignore[no-any-return]  # numba returns a float


def _trace(
    low: IntArray, starts: IntArray, moves: Array, n_true: int, n_generated: int
) -> IntArray:
    """Follow the moves back from the last pair of frames to the first: the path ``[L, 2]``."""
    # The longest path advances one side at a time. It is filled from its end.
    path = np.empty((n_true + n_generated - 1, 2), dtype=np.int64)
    at, row, column = len(path), n_true - 1, n_generated - 1
    while row >= 0:
        at -= 1
        path[at, 0], path[at, 1] = row, column
        move = moves[starts[row] + column - low[row]]
        if move != ADVANCE_GENERATED:
            row -= 1
        if move != ADVANCE_TRUE:
            column -= 1
    return path[at:].copy()
