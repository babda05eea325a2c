"""The mean of scores that depend on one another within clusters, with its standard error.

Three conditions of one target, or five references of one video, are not independent clips. Errors
that they share do not cancel in the sum of their residuals, so the variance of the mean is computed
from the sums over clusters, not from single scores.

The model is one intercept: score y_gi of clip i in cluster g is the mean plus an error, with
clusters independent. n scores in G clusters of n_g; the residuals of a cluster sum to s_g.

    1   var(mean) = var(sum_g sum_i e_gi) / n^2 = sum_g E (sum_i e_gi)^2 / n^2
    2   s_g underestimates the sum of errors, since the cluster pulled the mean towards itself. For
        independent errors of variance v, E s_g^2 = v (n_g - n_g^2 / n) instead of v n_g
    3   CR2 divides by that factor: var(mean) ~ sum_g s_g^2 / (1 - n_g / n) / n^2, which is exact
        for independent errors and consistent for any

Source: Bell & McCaffrey, "Bias Reduction in Standard Errors for Linear Regression with Multi-Stage
Samples", Survey Methodology 28(2), 2002 (CR2 and its degrees of freedom).
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
    # The mean of equal scores may round away from them, and a loss of exactly the margin would then
    # be beyond it.
    mean = float(scored[0] if np.ptp(scored) == 0 else scored.mean())
    _, index = np.unique(np.asarray(clusters, dtype=str)[is_scored], return_inverse=True)
    sizes = np.bincount(index).astype(np.float64)
    if len(sizes) < 2:
        return ClusteredMean(mean, math.nan, math.nan, n, len(sizes), n_excluded)
    residual_sums = np.bincount(index, weights=scored - mean)
    variance = float(np.sum(residual_sums**2 / (1 - sizes / n))) / n**2
    degrees = _degrees_of_freedom(sizes)
    return ClusteredMean(mean, math.sqrt(variance), degrees, n, len(sizes), n_excluded)


def clustered_sum(
    value: float, contributions: npt.ArrayLike, clusters: Sequence[str]
) -> ClusteredMean:
    """Return a statistic of a set, ``value``, with the standard error of its contributions' sum.

    ``contributions [N]`` are, to first order, the part of each clip in the error of the value
    (``SetEstimate``): their sums over clusters are independent. ValueError as above.
    """
    # N times the contributions have the sum of contributions as their mean.
    parts = check_scores(contributions, "contributions")
    return clustered_mean(parts * len(parts), clusters)._replace(value=value)


def _degrees_of_freedom(sizes: FloatArray) -> float:
    """Return Satterthwaite's degrees of freedom of the variance, for clusters of these sizes.

    The variance is, up to a factor, the quadratic form s' A s of the residual sums s, with
    A = diag(a) and a_g = 1 / (1 - n_g / n). For independent scores cov(s) = C with
    C_gh = n_g [g = h] - n_g n_h / n. The form has mean tr(AC) and variance 2 tr(ACAC); a chi square
    of k degrees scaled to the same mean has the variance 2 tr(AC)^2 / k. So
    k = tr(AC)^2 / tr(ACAC), which is G - 1 where all G sizes are equal. Below, tr(ACAC) is the
    squared diagonal of AC plus its off-diagonal products a_g a_h (n_g n_h / n)^2.
    """
    n = sizes.sum()
    a = 1 / (1 - sizes / n)
    diagonal = a * (sizes - sizes**2 / n)
    outer = a * sizes**2
    off_diagonal = (outer.sum() ** 2 - np.sum(outer**2)) / n**2
    return float(diagonal.sum() ** 2 / (np.sum(diagonal**2) + off_diagonal))
