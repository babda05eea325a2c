"""DeSync: the offset between audio and video in seconds, from a classifier of offsets.

Synchformer gives each window of a clip 21 logits, one per offset from -2 s to 2 s (Iashin et al.,
"Synchformer: Efficient Synchronization from Sparse Cues", 2024).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bench.metrics.arrays import FloatArray

LARGEST_OFFSET_S = 2.0
N_OFFSETS = 21


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
