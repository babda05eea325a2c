"""Similarity of paired embeddings, such as those of a video and its audio."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bench.metrics.arrays import FloatArray, check_frame_pair


def cosine_score(true: npt.ArrayLike, generated: npt.ArrayLike) -> FloatArray:
    """Return the cosine ``[N]`` of each row of ``true [N, D]`` with that of ``generated [N, D]``.

    From -1 to 1, 1 is best; the norms do not matter. NaN, not scored, where a row is zero. With
    ImageBind's embedding of the video as the true side and of the generated audio as the other,
    100 times the mean is the IB-score of published tables. ValueError if the shapes differ or
    values are not finite.

    >>> cosine_score([[1.0, 0.0], [1.0, 0.0]], [[3.0, 0.0], [0.0, 2.0]])
    array([1., 0.])
    """
    first, second = check_frame_pair(true, generated)
    if len(first) != len(second):
        raise ValueError(
            f"embeddings are compared row by row: expected equally many, got {len(first)} true "
            f"and {len(second)} generated ones"
        )
    cosines: FloatArray = np.sum(_directions(first) * _directions(second), axis=1)
    return np.clip(cosines, -1.0, 1.0)  # rounding may exceed 1 by 1e-16


def _directions(embeddings: FloatArray) -> FloatArray:
    # Scaled by the largest value first, since squares of very small or large ones are beyond the
    # range of float64. A zero row is divided by NaN.
    largest = np.abs(embeddings).max(axis=1, keepdims=True)
    scaled = embeddings / np.where(largest > 0, largest, np.nan)
    directions: FloatArray = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    return directions
