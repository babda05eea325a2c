"""Agreement of audio with its video or prompt: cosine of paired embeddings, offset in time.

DeSync is the offset in seconds from a classifier: Synchformer gives each window of a clip 21
logits, one per offset from -2 s to 2 s (Iashin et al., "Synchformer: Efficient Synchronization from
Sparse Cues", 2024).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bench.metrics.arrays import FloatArray, check_frame_pair

LARGEST_OFFSET_S = 2.0
N_OFFSETS = 21


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


def offset_grid() -> FloatArray:
    """Return the offset of each class in seconds, ``[21]``: -2, -1.8, ..., 2."""
    return np.linspace(-LARGEST_OFFSET_S, LARGEST_OFFSET_S, N_OFFSETS)


def desync(logits: npt.ArrayLike) -> FloatArray:
    """Return the mean absolute offset over the windows, ``[...]`` in seconds, 0 to 2; 0 is best.

    ``logits [..., W, 21]`` of W windows per clip (av-benchmark: the first and the last 4.8 s). Each
    window counts with its most likely offset, the lower one of equals. A uniformly random class has
    the expectation 22 / 21 = 1.05 s. ValueError for another number of classes, no window, or values
    that are not finite.

    >>> desync(np.eye(21)[[10, 15]])
    array(0.5)
    """
    scores = np.asarray(logits, dtype=np.float64)
    if scores.ndim < 2 or scores.shape[-1] != N_OFFSETS or scores.shape[-2] == 0:
        raise ValueError(
            f"logits must be [..., W, {N_OFFSETS}], one per offset, got {list(scores.shape)}"
        )
    if n_bad := int(np.count_nonzero(~np.isfinite(scores))):
        raise ValueError(f"the logits have {n_bad} values that are NaN or infinite")
    # The sign is lost before the mean: windows that are early and late do not cancel.
    offsets_s = np.abs(offset_grid())[scores.argmax(axis=-1)]
    return np.asarray(offsets_s.mean(axis=-1))
