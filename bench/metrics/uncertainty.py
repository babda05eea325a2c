"""Confidence intervals of means, paired differences, ratios and sets, and tests against a margin.

Conventions: one score per clip, ``[N]`` float64, NaN for "not scored"; such clips are left out and
counted. ``clusters`` has the name of each clip's cluster: clips of one cluster (conditions of one
target, excerpts of one video) depend on one another and are resampled together, so a cluster counts
as one observation. An interval is not clipped to the range of its metric: a mean of 0.02 may have a
lower bound below 0. Random numbers come from the generator argument alone: same seed, same numbers.

A ``loss`` is a difference for the worse: above 0 the new system is worse. The null hypothesis of
the test of a regression is "the loss is at most the margin", that of the test of equivalence is
"the loss is at least the margin". Where neither is rejected, the data do not decide.

Sources: Schuirmann, "A comparison of the two one-sided tests procedure", 1987 (one side of it);
Holm, "A simple sequentially rejective multiple test procedure", 1979.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.metrics.arrays import FloatArray, IntArray, check_scores
from bench.metrics.clusters import clustered_mean, clustered_sum

#: Random numbers in memory at a time: 32 MB for any N and number of resamples.
BLOCK_VALUES = 4_000_000

#: From so many clusters on, means are resampled; below, the percentile bootstrap is too narrow
#: (over 16 clusters it covers the truth in 92 % of cases instead of 95 %) and Student's t is used.
FEWEST_TO_RESAMPLE = 100
N_RESAMPLES = 2_000


class Interval(NamedTuple):
    """A value with its bounds, the number of clips, of those left out as NaN, and of clusters.

    ``value`` is NaN without a clip, ``low`` and ``high`` with fewer than two clusters.
    """

    value: float
    low: float
    high: float
    n: int
    n_excluded: int
    n_clusters: int

    @property
    def reason(self) -> str:
        """Why there is no value or no interval; empty where there are both."""
        if self.n == 0:
            return "no clip has a score"
        if self.n == 1:
            return "1 clip: an interval needs at least 2"
        if self.n_clusters < 2:
            return f"{self.n} clips of one cluster: an interval needs at least 2 clusters"
        if math.isnan(self.value):
            return "the base value is not above 0: no ratio"
        return ""


def mean_interval(
    values: npt.ArrayLike, clusters: Sequence[str], rng: np.random.Generator, level: float = 0.95
) -> Interval:
    """Return the mean of ``values [N]`` with its interval, each score of one cluster.

    Below 100 clusters the interval is Student's t with the CR2 standard error and Satterthwaite's
    degrees of freedom (``clustered_mean``); from there on a percentile bootstrap of whole clusters
    (Field & Welsh, "Bootstrapping clustered data", JRSS B, 2007). Equal scores have an interval
    without width. ValueError if the level is not inside (0, 1), the lengths differ, or a value is
    infinite.
    """
    _check_level(level)
    scores = check_scores(values, "values")
    found = clustered_mean(scores, clusters)
    counts = (found.n, found.n_excluded, found.n_clusters)
    if found.n_clusters < 2:
        return Interval(found.value, math.nan, math.nan, *counts)
    is_scored = ~np.isnan(scores)
    if np.ptp(scores[is_scored]) == 0:
        return Interval(found.value, found.value, found.value, *counts)
    if found.n_clusters < FEWEST_TO_RESAMPLE:
        half_width = _quantile_of_t(found.degrees, level) * found.standard_error
        return Interval(found.value, found.value - half_width, found.value + half_width, *counts)
    means = _resampled_means(scores[is_scored], np.asarray(clusters)[is_scored], rng)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(found.value, float(low), float(high), *counts)


def paired_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    clusters: Sequence[str],
    rng: np.random.Generator,
    level: float = 0.95,
) -> Interval:
    """Return the mean of ``b - a`` over the clips that both ``a [N]`` and ``b [N]`` scored.

    Row i of both is the same clip. ValueError if the lengths differ, or as ``mean_interval``.
    """
    return mean_interval(_differences(a, b), clusters, rng, level)


def paired_ratio(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    clusters: Sequence[str],
    rng: np.random.Generator,
    level: float = 0.95,
) -> Interval:
    """Return the mean of ``b`` over that of ``a``, over the clips that both scored.

    Row i of both is the same clip. NaN where the mean of ``a`` is not above 0, since such a ratio
    means nothing. ValueError as ``mean_interval``.
    """
    # Delta method: with r = mean b / mean a, small changes of both means change r by
    # (d mean b - r d mean a) / mean a. So r has the interval of the mean of (b - r a) / mean a,
    # which is 0, moved to r.
    _check_level(level)
    first, second = check_scores(a, "a"), check_scores(b, "b")
    is_scored = ~np.isnan(_differences(first, second))
    first, second = first[is_scored], second[is_scored]
    names = np.asarray(clusters, dtype=str)[is_scored]
    base = float(first.mean()) if len(first) else math.nan
    if not base > 0:
        counts = (len(first), int((~is_scored).sum()), len(np.unique(names)))
        return Interval(math.nan, math.nan, math.nan, *counts)
    ratio = float(second.mean()) / base
    found = mean_interval((second - ratio * first) / base, names.tolist(), rng, level)
    return found._replace(
        value=ratio,
        low=found.low + ratio,
        high=found.high + ratio,
        n_excluded=int((~is_scored).sum()),
    )


def estimate_interval(
    value: float, contributions: npt.ArrayLike, clusters: Sequence[str], level: float = 0.95
) -> Interval:
    """Return the interval of a statistic of a set from the contribution of each clip to its error.

    ``clustered_sum`` of ``contributions [N]`` gives a CR2 standard error and Student's t as for a
    mean. The interval is for the expectation at this number of clips: the bias that the statistic
    has with few clips is part of it. ValueError as ``mean_interval``.
    """
    _check_level(level)
    found = clustered_sum(value, contributions, clusters)
    half_width = _quantile_of_t(found.degrees, level) * found.standard_error
    counts = (found.n, found.n_excluded, found.n_clusters)
    return Interval(value, value - half_width, value + half_width, *counts)


def two_sample_interval(
    value: float, true: npt.ArrayLike, generated: npt.ArrayLike, level: float = 0.95
) -> Interval:
    """Return the same for two independent sets, whose clips ``[N]`` and ``[M]`` are not paired.

    ``n`` counts the generated side. ValueError as above.
    """
    # Variances of independent sides add up. The degrees of freedom are Welch's: a sum of variances
    # v1 + v2, estimated with f1 and f2 degrees, has (v1 + v2)^2 / (v1^2 / f1 + v2^2 / f2).
    _check_level(level)
    sides = [check_scores(side, "contributions") for side in (true, generated)]
    found = [clustered_mean(side * len(side), list(map(str, range(len(side))))) for side in sides]
    variances = np.array([each.standard_error**2 for each in found])
    total = float(variances.sum())
    terms = float(np.sum(variances**2 / np.array([each.degrees for each in found])))
    degrees = total**2 / terms if terms > 0 else found[1].degrees
    half_width = _quantile_of_t(degrees, level) * math.sqrt(total)
    counts = (found[1].n, 0, found[1].n_clusters)
    return Interval(value, value - half_width, value + half_width, *counts)


def derangements(n: int, rng: np.random.Generator, k: int) -> IntArray:
    """Return ``[k, n]``: k random permutations of n clips in which no clip keeps its index.

    Pairing every true audio with that of another clip gives the level of chance. Each derangement
    is equally likely. ValueError for fewer than two clips.
    """
    if n < 2:
        raise ValueError(f"a single clip has no other to be paired with, got n = {n}")
    positions = np.arange(n)
    found: list[IntArray] = []
    # Rejection: a share of about 1 / e of all permutations has no fixed point, whatever n.
    while len(found) < k:
        order = rng.permutation(n)
        if not (order == positions).any():
            found.append(order)
    return np.array(found, dtype=np.int64).reshape(k, n)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"the level must be inside (0, 1), got {level}")


def _differences(a: npt.ArrayLike, b: npt.ArrayLike) -> FloatArray:
    first, second = check_scores(a, "a"), check_scores(b, "b")
    if len(first) != len(second):
        raise ValueError(f"both systems must have the same clips, got {len(first)}, {len(second)}")
    return second - first


def _quantile_of_t(degrees: float, level: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + level) / 2))


def _resampled_means(
    scores: FloatArray, clusters: npt.NDArray[np.str_], rng: np.random.Generator
) -> FloatArray:
    """Return means ``[N_RESAMPLES]``, each over as many clusters, drawn with replacement."""
    # A resample draws clusters, not clips: sums and sizes per cluster are all it needs.
    _, index = np.unique(clusters, return_inverse=True)
    sums, sizes = np.bincount(index, weights=scores), np.bincount(index)
    means = []
    # Numbers are drawn in the same order whatever the size of a block, so it changes no result.
    largest = max(1, BLOCK_VALUES // len(sizes))
    for start in range(0, N_RESAMPLES, largest):
        n_rows = min(largest, N_RESAMPLES - start)
        chosen = rng.integers(0, len(sizes), size=(n_rows, len(sizes)))
        means.append(sums[chosen].sum(axis=1) / sizes[chosen].sum(axis=1))
    return np.concatenate(means)


class MarginTest(NamedTuple):
    """The p-values of "the loss is beyond the margin" and of "the loss is within the margin"."""

    p_regression: float
    p_equivalence: float


def margin_test(loss: float, standard_error: float, degrees: float, margin: float) -> MarginTest:
    """Test a mean ``loss`` against a ``margin`` in the same unit, by Student's t.

    A standard error of 0 means that every cluster has the same loss. The loss is then known: one of
    the p-values is 0 and the other 1, and a loss of exactly the margin is within it. ValueError
    unless loss, standard error and margin are finite, the latter two at least 0, and degrees above
    0.

    >>> margin_test(0.0, 0.0, 9.0, 0.1)
    MarginTest(p_regression=1.0, p_equivalence=0.0)
    """
    from scipy.special import stdtr

    if not np.isfinite([loss, standard_error, margin]).all():
        raise ValueError(f"expected finite numbers, got {loss}, {standard_error} and {margin}")
    if standard_error < 0 or margin < 0 or not degrees > 0:
        raise ValueError(
            "the standard error and the margin must be at least 0 and the degrees of freedom above "
            f"0, got {standard_error}, {margin} and {degrees}"
        )
    # Without spread the statistic is infinite, or 0 / 0 for a loss of exactly the margin.
    if standard_error == 0:
        is_beyond = loss > margin
        return MarginTest(float(not is_beyond), float(is_beyond))
    statistic = (loss - margin) / standard_error
    return MarginTest(float(stdtr(degrees, -statistic)), float(stdtr(degrees, statistic)))


def adjust_holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values, which are compared with the error rate of the family.

    The k-th smallest of m is multiplied by m - k + 1, and none may fall below a smaller one. The
    probability of one or more false rejections is then at most the level, for any dependence
    between the tests.

    >>> adjust_holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    factors = np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    # The running maximum keeps adjusted values in the order of the p-values: a larger one is never
    # rejected where a smaller one is not.
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return [float(value) for value in adjusted]
