"""Average precision: 1 where scores rank all positives first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def average_precision(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Return the average precision of ``scores [N]`` for ``labels [N]`` in {0, 1}; 1 is best.

    The sum over distinct scores, from the highest, of precision times the gain in recall, without
    interpolation; equal scores enter together. Without a positive it is 0. Equal to scikit-learn's
    ``average_precision_score``. ValueError if there is nothing to rank.

    >>> average_precision([1, 0, 1], [0.9, 0.8, 0.7])
    0.8333333333333333
    """
    truth, ranks = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != ranks.shape or truth.size == 0:
        raise ValueError(
            f"labels and scores must be equally long [N], got {truth.shape} and {ranks.shape}"
        )
    if not np.isin(truth, (0, 1)).all() or np.isnan(ranks).any():
        raise ValueError("labels must be 0 or 1 and scores must not be NaN")
    if not truth.any():
        return 0.0
    # Only the last of equal scores is a threshold: the order within a tie is arbitrary. With h hits
    # among k selected, precision is h / k and recall h / n_positives; the sum is over thresholds.
    order = np.argsort(-ranks, kind="stable")
    is_last_of_equals = np.append(np.diff(ranks[order]) != 0, True)
    n_selected = np.flatnonzero(is_last_of_equals) + 1
    n_hits = np.cumsum(truth[order], dtype=np.float64)[is_last_of_equals]
    return float(np.sum(np.diff(n_hits, prepend=0.0) * n_hits / n_selected) / n_hits[-1])
