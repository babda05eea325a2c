"""The mean of scores that depend on one another within clusters, and how sure it is.

Three conditions of one target, or five references of one video, are not independent clips. What
they share stays in the sum of their residuals, so the variance of the mean comes from the sums of
whole clusters, not from single scores.

Source: Bell & McCaffrey, "Bias Reduction in Standard Errors for Linear Regression with Multi-Stage
Samples", Survey Methodology, 2002 (CR2 and its degrees of freedom), for a model of one intercept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.metrics.arrays import FloatArray, check_scores


class ClusteredMean(NamedTuple):
    """A mean with its cluster-robust standard error and the degrees of freedom of that error.

    ``n`` scores in ``n_clusters`` clusters; ``n_excluded`` were NaN. ``standard_error`` and
    ``degrees`` are NaN with fewer than two clusters.
    """

    value: float
    standard_error: float
    degrees: float
    n: int
    n_clusters: int
    n_excluded: int


def clustered_mean(values: npt.ArrayLike, clusters: Sequence[str]) -> ClusteredMean:
    """Return the mean of ``values [N]``, each score of one cluster, with its standard error.

    NaN is left out and counted. With one score per cluster this is the textbook standard error,
    with N - 1 degrees of freedom. ValueError if the lengths differ or a value is infinite.
    """
    scores = check_scores(values, "values")
    if len(clusters) != len(scores):
        raise ValueError(f"{len(scores)} scores need as many clusters, got {len(clusters)}")
    is_scored = ~np.isnan(scores)
    n, n_excluded = int(is_scored.sum()), int((~is_scored).sum())
    if not n:
        return ClusteredMean(math.nan, math.nan, math.nan, 0, 0, n_excluded)
    scored = scores[is_scored]
    # The sum of equal scores rounds, and a loss that is the margin would come out beyond it.
    mean = float(scored[0] if np.ptp(scored) == 0 else scored.mean())
    _, index = np.unique(np.asarray(clusters, dtype=str)[is_scored], return_inverse=True)
    sizes = np.bincount(index).astype(np.float64)
    if len(sizes) < 2:
        return ClusteredMean(mean, math.nan, math.nan, n, len(sizes), n_excluded)
    residual_sums = np.bincount(index, weights=scored - mean)
    # Each cluster pulled the mean towards itself, which makes its residuals smaller by its share.
    variance = float(np.sum(residual_sums**2 / (1 - sizes / n))) / n**2
    degrees = _degrees_of_freedom(sizes)
    return ClusteredMean(mean, math.sqrt(variance), degrees, n, len(sizes), n_excluded)


def clustered_sum(
    value: float, contributions: npt.ArrayLike, clusters: Sequence[str]
) -> ClusteredMean:
    """Return a statistic of a whole set, with the standard error of the sum of contributions.

    ``contributions [N]`` say, to first order, by how much the ``value`` is off its expectation
    because of each clip (``SetEstimate``): their sums over clusters are independent. ValueError as
    above.
    """
    parts = check_scores(contributions, "contributions")
    return clustered_mean(parts * len(parts), clusters)._replace(value=value)


def _degrees_of_freedom(sizes: FloatArray) -> float:
    """Satterthwaite's degrees of freedom of the variance, for clusters of these sizes.

    The variance is the quadratic form s' A s of the residual sums s, with A = diag(a) and
    a_g = 1 / (1 - n_g / n). For independent scores cov(s) = C = diag(n_g) - n_g n_h / n, and the
    form matches a chi square of tr(AC)^2 / tr(ACAC) degrees: G - 1 where all G sizes are equal.
    """
    n = sizes.sum()
    a = 1 / (1 - sizes / n)
    diagonal = a * (sizes - sizes**2 / n)
    outer = a * sizes**2
    off_diagonal = (outer.sum() ** 2 - np.sum(outer**2)) / n**2
    return float(diagonal.sum() ** 2 / (np.sum(diagonal**2) + off_diagonal))
