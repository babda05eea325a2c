"""Validation: the shape, type and values that an array must have before a metric reads it.

Every public function checks its arguments here once; private functions trust theirs. A failure is
a ``ValueError`` that names the argument, what was found and what was expected.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def check_waveform(samples: npt.ArrayLike, shortest_samples: int = 1) -> Array:
    """Return the waveform ``[T]`` as a contiguous array of its own floating dtype."""
    return check_series(samples, "the waveform", shortest_samples)


def check_series(values: npt.ArrayLike, name: str, shortest: int = 1) -> Array:
    """Return values over time ``[T]`` as a contiguous array of their own floating dtype."""
    series = np.ascontiguousarray(values)
    if series.ndim != 1 or not np.issubdtype(series.dtype, np.floating):
        raise ValueError(f"{name} must be floating point [T], got {_describe(series)}")
    if len(series) < shortest:
        raise ValueError(f"{name} has {len(series)} values, at least {shortest} are needed")
    _check_finite(series, name)
    return series


def check_frames(frames: npt.ArrayLike, name: str) -> FloatArray:
    """Return frames ``[N, D]`` as float64; N and D must be at least 1, values finite."""
    array = np.ascontiguousarray(frames, dtype=np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} must be frames [N, D], got {_describe(array)}")
    _check_finite(array, name)
    return array


def check_frame_pair(
    true: npt.ArrayLike, generated: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return both sets of frames, ``[N, D]`` and ``[M, D]``, as float64 of equal width."""
    first, second = check_frames(true, "true"), check_frames(generated, "generated")
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"true and generated frames must be equally wide, got {first.shape[1]} "
            f"and {second.shape[1]} values per frame"
        )
    return first, second


def check_scores(values: npt.ArrayLike, name: str) -> FloatArray:
    """Return scores ``[N]`` as float64; NaN stands for "not scored", infinity is refused."""
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1:
        raise ValueError(f"{name} must be one score per clip [N], got {_describe(scores)}")
    if np.isinf(scores).any():
        raise ValueError(f"{name} has {int(np.isinf(scores).sum())} infinite scores")
    return scores


def _check_finite(array: Array, name: str) -> None:
    if n_bad := int(np.count_nonzero(~np.isfinite(array))):
        raise ValueError(f"{name} has {n_bad} values that are NaN or infinite")


def _describe(array: Array) -> str:
    return f"{array.dtype} {list(array.shape)}"
