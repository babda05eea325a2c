"""The vocoder's activation for a CPU, compiled: one pass over memory instead of forty.

The sums are those of ``snake.activate``, whose test compares both with ``activate_by_definition``.
Rows are shared among as many threads as torch uses. The first call compiles (three seconds); numba
keeps the result on disk. Each function has one signature, so that processes that compile it at the
same time write the same.
"""

# Why: the vocoder applies the activation 109 times, to up to 24 channels of 44.1 kHz. torch passes
# over memory once per tap; here a block of a row stays in the innermost cache from reading to
# writing. The vocoder is 3.7 times as fast as with grouped convolutions (docs/model.md).

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[np.float32]

#: Samples of a row worked on at once.
BLOCK = 1024
#: A thread of its own costs more than this many values.
VALUES_PER_THREAD = 2**18
#: Six taps of each phase of a filter: what a phase reaches to the left, and what both do.
SIDE, REACH = 3, 6
#: One pool for all calls. It starts its threads when it gets work, not at import.
THREADS = ThreadPoolExecutor(thread_name_prefix="snake")

INVERSE_PI = np.float32(1 / np.pi)
#: pi in two parts, so that half turns are subtracted without rounding (Cody and Waite).
PI_HIGH = np.float32(3.140625)
PI_LOW = np.float32(np.pi - 3.140625)
#: Taylor series of the sine, good to 6e-8 on [-pi/2, pi/2]; unlike a library call it vectorises.
S3, S5, S7, S9, S11 = (
    np.float32(value) for value in (-1 / 6, 1 / 120, -1 / 5040, 1 / 362_880, -1 / 39_916_800)
)


def activate(
    signal: Tensor, frequency: Tensor, strength: Tensor, taps: tuple[float, ...]
) -> Tensor:
    """Return x + strength sin²(frequency x), at twice the rate, of ``signal [B, C, T]`` float32.

    ``frequency`` and ``strength`` are ``[C]``, ``taps`` the low-pass.
    """
    rows = signal.contiguous().flatten(0, 1)
    result = torch.empty_like(rows)
    n_rows, n_clips = len(rows), len(signal)
    arrays = (
        rows.numpy(),
        frequency.repeat(n_clips).numpy(),
        strength.repeat(n_clips).numpy(),
        result.numpy(),
    )
    filters = np.array(taps, dtype=np.float32)
    n_threads = min(torch.get_num_threads(), n_rows, 1 + rows.numel() // VALUES_PER_THREAD)
    bounds = [n_rows * number // n_threads for number in range(n_threads + 1)]
    shares = [slice(*ends) for ends in zip(bounds[:-1], bounds[1:], strict=True)]
    work = [[array[share] for array in arrays] for share in shares]
    compiled: Any = _activate_rows  # numba's type says nothing of its arguments

    def run_share(share: list[Array]) -> None:
        compiled(*share, filters)

    # This thread computes the first share itself: a single share needs no other thread.
    others = [THREADS.submit(run_share, share) for share in work[1:]]
    run_share(work[0])
    for other in others:
        other.result()
    return result.view_as(signal)


@numba.njit(nogil=True, cache=True, fastmath={"contract", "nsz"}, error_model="numpy")
def _activate_rows(
    rows: Array, frequency: Array, strength: Array, result: Array, taps: Array
) -> None:  # pragma: no cover - compiled
    length = rows.shape[1]
    source = np.empty(BLOCK + 2 * REACH, np.float32)
    even = np.empty(BLOCK + REACH, np.float32)
    odd = np.empty(BLOCK + REACH, np.float32)
    for row in range(rows.shape[0]):
        for start in range(0, length, BLOCK):
            n = min(BLOCK, length - start)
            _read(rows[row], start, n, source)
            _double(source, n, taps, even, odd)
            _snake(even, n + REACH, frequency[row], strength[row])
            _snake(odd, n + REACH, frequency[row], strength[row])
            _extend(even, odd, start, n, length)
            _halve(even, odd, n, taps, result[row, start : start + n])


@numba.njit(nogil=True, cache=True)
def _read(row: Array, start: int, n: int, source: Array) -> None:
    """Copy a block and six samples on either side; the ends of the row are continued."""
    length = len(row)
    first = start - REACH
    if first >= 0 and first + n + 2 * REACH <= length:
        source[: n + 2 * REACH] = row[first : first + n + 2 * REACH]
        return
    for i in range(n + 2 * REACH):
        source[i] = row[min(max(first + i, 0), length - 1)]


@numba.njit(nogil=True, cache=True, fastmath={"contract", "nsz"})
def _double(source: Array, n: int, taps: Array, even: Array, odd: Array) -> None:
    """Even and odd samples of the doubled rate, from three before the block to three after it."""
    two = np.float32(2)
    e0, e1, e2 = two * taps[11], two * taps[9], two * taps[7]
    e3, e4, e5 = two * taps[5], two * taps[3], two * taps[1]
    o0, o1, o2 = two * taps[10], two * taps[8], two * taps[6]
    o3, o4, o5 = two * taps[4], two * taps[2], two * taps[0]
    for i in range(n + REACH):
        a, b, c, d = source[i], source[i + 1], source[i + 2], source[i + 3]
        e, f, g = source[i + 4], source[i + 5], source[i + 6]
        even[i] = e0 * a + e1 * b + e2 * c + e3 * d + e4 * e + e5 * f
        odd[i] = o0 * b + o1 * c + o2 * d + o3 * e + o4 * f + o5 * g


@numba.njit(nogil=True, cache=True, fastmath={"contract", "nsz"})
def _snake(values: Array, n: int, frequency: np.float32, strength: np.float32) -> None:
    """Add strength sin²(frequency x) to the first ``n`` values.

    sin² has a period of pi, so that the angle is reduced by the nearest multiple of pi.
    """
    for i in range(n):
        value = values[i]
        angle = value * frequency
        turns = np.rint(angle * INVERSE_PI)
        rest = (angle - turns * PI_HIGH) - turns * PI_LOW
        square = rest * rest
        series = S3 + square * (S5 + square * (S7 + square * (S9 + square * S11)))
        sine = rest + rest * square * series
        values[i] = value + strength * sine * sine


@numba.njit(nogil=True, cache=True)
def _extend(even: Array, odd: Array, start: int, n: int, length: int) -> None:
    """Beyond the ends of the row, repeat the first and the last sample of the doubled rate."""
    if start == 0:
        for i in range(SIDE):
            even[i] = even[SIDE]
            odd[i] = even[SIDE]
    beyond = SIDE + length - start
    if beyond < n + REACH:
        last = odd[beyond - 1]
        for i in range(beyond, n + REACH):
            even[i] = last
            odd[i] = last


@numba.njit(nogil=True, cache=True, fastmath={"contract", "nsz"})
def _halve(even: Array, odd: Array, n: int, taps: Array, result: Array) -> None:
    """The low-pass at every second sample."""
    t0, t1, t2, t3, t4, t5 = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5]
    t6, t7, t8, t9, t10, t11 = taps[6], taps[7], taps[8], taps[9], taps[10], taps[11]
    for i in range(n):
        a = t1 * even[i + 1] + t3 * even[i + 2] + t5 * even[i + 3]
        b = t7 * even[i + 4] + t9 * even[i + 5] + t11 * even[i + 6]
        c = t0 * odd[i] + t2 * odd[i + 1] + t4 * odd[i + 2]
        d = t6 * odd[i + 3] + t8 * odd[i + 4] + t10 * odd[i + 5]
        result[i] = a + b + c + d
