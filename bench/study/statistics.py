"""Statistics of votes: rates with intervals, agreement of raters, correlation with metrics.

Conventions: one vote per element, ``[N]``; ``raters`` and ``videos`` name the rater and the video
of each. Votes of one rater depend on one another, and so do votes on one video, so that N votes
hold less information than N independent ones. The default interval counts both; the plain binomial
one, which published studies print, counts neither.

Sources: Cameron, Gelbach & Miller, "Robust inference with multiway clustering", 2011; Owen, "The
pigeonhole bootstrap", 2007; Bonett & Wright, "Sample size requirements for estimating Pearson,
Kendall and Spearman correlations", 2000.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.types import FloatArray

#: Two-sided, of every interval here.
LEVEL = 0.95
N_RESAMPLES = 2_000
#: Resamples in memory at a time.
BLOCK = 250

Labels = Sequence[str] | npt.NDArray[np.generic]


class Estimate(NamedTuple):
    """A value with its 95 % bounds, of ``n`` votes or clips; NaN and a ``reason`` where missing."""

    value: float
    low: float
    high: float
    n: int
    reason: str = ""


class Counts(NamedTuple):
    """How many votes are for the first system, for neither, and for the second."""

    win: int
    tie: int
    loss: int


def count_outcomes(outcomes: npt.ArrayLike) -> Counts:
    """Return the counts of ``outcomes [N]``: 1 is a win of the first system, 0 a tie, -1 a loss.

    >>> count_outcomes([1, 1, 0, -1])
    Counts(win=2, tie=1, loss=1)
    """
    found = np.asarray(outcomes)
    return Counts(*(int(np.count_nonzero(found == sign)) for sign in (1, 0, -1)))


def binomial_interval(n_successes: int, n: int) -> Estimate:
    """Return a share with the normal interval of a binomial, as the paper's Table 3 has it.

    It takes votes as independent. ``value ± 1.96 sqrt(value (1 - value) / n)``, not clipped.
    ValueError without votes, or for more successes than votes.

    >>> estimate = binomial_interval(303, 496)
    >>> round(100 * estimate.value, 1), round(100 * (estimate.high - estimate.value), 1)
    (61.1, 4.3)
    """
    if not 0 <= n_successes <= n or n == 0:
        raise ValueError(f"expected 0 to n successes of n > 0 votes, got {n_successes} of {n}")
    share = n_successes / n
    half = _normal_quantile() * math.sqrt(share * (1 - share) / n)
    return Estimate(share, share - half, share + half, n)


def two_way_interval(values: npt.ArrayLike, raters: Labels, videos: Labels) -> Estimate:
    """Return the mean of ``values [N]`` with its interval over raters and videos.

    The variance is ``V_raters + V_videos - V_both``, each the sum of squared sums of residuals by
    cluster, times C / (C - 1) for C clusters, over N². It is at least the larger of the first two,
    since the difference of estimates may even be negative. Student's t has min(raters, videos) - 1
    degrees of freedom. No interval with fewer than 2 raters or videos, or where all values are
    equal. ValueError without values, or for labels of another length.
    """
    numbers, by_rater, by_video = check_votes(values, raters, videos)
    n, mean = len(numbers), float(numbers.mean())
    n_raters, n_videos = int(by_rater.max()) + 1, int(by_video.max()) + 1
    if reason := describe_too_few(numbers, n_raters, n_videos):
        return Estimate(mean, math.nan, math.nan, n, reason)
    (variance,) = clustered_variances((numbers - mean)[:, np.newaxis], by_rater, by_video)
    half = t_quantile(min(n_raters, n_videos) - 1) * math.sqrt(variance) / n
    return Estimate(mean, mean - half, mean + half, n)


def clustered_variances(
    values: FloatArray, raters: npt.NDArray[np.intp], videos: npt.NDArray[np.intp]
) -> FloatArray:
    """Return the variance of the sum of each column of ``values [N, K]``, clustered in two ways.

    ``raters`` and ``videos`` are numbers from 0; columns have mean 0. Each variance is at least the
    larger one of clusters in one way alone.
    """
    pairs = np.unique(raters * (int(videos.max()) + 1) + videos, return_inverse=True)[1]
    by_rater, by_video, by_pair = (_variances_of_sums(values, c) for c in (raters, videos, pairs))
    variances: FloatArray = np.max([by_rater, by_video, by_rater + by_video - by_pair], axis=0)
    return variances


def _variances_of_sums(values: FloatArray, clusters: npt.NDArray[np.intp]) -> FloatArray:
    n_clusters = int(clusters.max()) + 1
    sums = np.zeros((n_clusters, values.shape[1]))
    np.add.at(sums, clusters, values)
    variances: FloatArray = n_clusters / (n_clusters - 1) * np.sum(sums**2, axis=0)
    return variances


def two_way_bootstrap(
    values: npt.ArrayLike, raters: Labels, videos: Labels, generator: np.random.Generator
) -> Estimate:
    """Return the mean of ``values [N]`` with its percentile interval, as a check of the other one.

    Raters and videos are resampled independently, and a vote counts as often as both are drawn.
    Where neither matters this is too wide: it then covers the truth in up to 99 % of cases.
    """
    numbers, by_rater, by_video = check_votes(values, raters, videos)
    n, mean = len(numbers), float(numbers.mean())
    n_raters, n_videos = int(by_rater.max()) + 1, int(by_video.max()) + 1
    if reason := describe_too_few(numbers, n_raters, n_videos):
        return Estimate(mean, math.nan, math.nan, n, reason)
    sums, counts = np.zeros((n_raters, n_videos)), np.zeros((n_raters, n_videos))
    np.add.at(sums, (by_rater, by_video), numbers)
    np.add.at(counts, (by_rater, by_video), 1.0)
    means: list[FloatArray] = []
    for _ in range(N_RESAMPLES // BLOCK):
        drawn_raters = generator.multinomial(n_raters, np.full(n_raters, 1 / n_raters), BLOCK)
        drawn_videos = generator.multinomial(n_videos, np.full(n_videos, 1 / n_videos), BLOCK)
        totals, weights = (
            ((drawn_raters @ table) * drawn_videos).sum(axis=1) for table in (sums, counts)
        )
        means.append(totals[weights > 0] / weights[weights > 0])
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return Estimate(mean, float(low), float(high), n)


def krippendorff_alpha(outcomes: npt.ArrayLike, raters: Labels, units: Labels) -> Estimate:
    """Return Krippendorff's alpha of nominal ``outcomes [N]``, by the package ``krippendorff``.

    ``units`` are what is judged, ``raters`` judge at most once each. 1 is perfect agreement, 0 that
    of chance. No bounds; NaN with a reason where no unit has two votes, or all votes are equal.
    """
    import krippendorff

    numbers, by_rater, by_unit = check_votes(outcomes, raters, units)
    table = np.full((by_rater.max() + 1, by_unit.max() + 1), np.nan)
    table[by_rater, by_unit] = numbers
    if len(np.unique(numbers)) < 2:
        return Estimate(math.nan, math.nan, math.nan, len(numbers), "all votes are equal")
    if (np.isfinite(table).sum(axis=0) < 2).all():
        return Estimate(math.nan, math.nan, math.nan, len(numbers), "no trial has two votes")
    value = float(krippendorff.alpha(reliability_data=table, level_of_measurement="nominal"))
    return Estimate(value, math.nan, math.nan, len(numbers))


def rank_correlation(first: npt.ArrayLike, second: npt.ArrayLike, n_clips: int) -> Estimate:
    """Return Spearman's correlation of ``first [N]`` and ``second [N]`` with its interval.

    Pairs with a NaN are left out. The interval is Fisher's z with the error of Bonett & Wright,
    ``sqrt((1 + r² / 2) / (n - 3))``, where n is at most ``n_clips``: pairs of systems on one clip
    are no independent observations.
    """
    from scipy import stats

    pair = np.stack([np.asarray(first, np.float64), np.asarray(second, np.float64)])
    pair = pair[:, np.isfinite(pair).all(axis=0)]
    n = pair.shape[1]
    if n < 4 or min(n, n_clips) < 4:
        return Estimate(math.nan, math.nan, math.nan, n, f"{n} clips: an interval needs 4")
    if (np.ptp(pair, axis=1) == 0).any():
        return Estimate(math.nan, math.nan, math.nan, n, "all values are equal")
    value = float(stats.spearmanr(pair[0], pair[1]).statistic)
    if abs(value) > 1 - 1e-12:
        return Estimate(value, math.nan, math.nan, n, "the ranks are the same")
    half = _normal_quantile() * math.sqrt((1 + value**2 / 2) / (min(n, n_clips) - 3))
    low, high = np.tanh([math.atanh(value) - half, math.atanh(value) + half])
    return Estimate(value, float(low), float(high), n)


def wilson_interval(n_successes: int, n: int) -> Estimate:
    """Return a share with Wilson's interval, for the few votes on one video (one per rater)."""
    if not 0 <= n_successes <= n or n == 0:
        raise ValueError(f"expected 0 to n successes of n > 0 votes, got {n_successes} of {n}")
    from scipy.stats import binomtest

    found = binomtest(n_successes, n).proportion_ci(LEVEL, method="wilson")
    return Estimate(n_successes / n, float(found.low), float(found.high), n)


def t_quantile(degrees: int) -> float:
    """Return the quantile of Student's t of the two-sided 95 % interval."""
    from scipy.stats import t

    return float(t.ppf((1 + LEVEL) / 2, degrees))


def number_labels(labels: Labels) -> npt.NDArray[np.intp]:
    """Return each label as a number from 0, ``[N]``, in alphabetical order."""
    return np.unique(np.asarray(labels), return_inverse=True)[1].astype(np.intp)


def _normal_quantile() -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf((1 + LEVEL) / 2)


def check_votes(
    values: npt.ArrayLike, first: Labels, second: Labels
) -> tuple[FloatArray, npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return votes as numbers ``[N]``, and their labels of both kinds as numbers from 0.

    ValueError without votes, or for labels of another length.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or not len(numbers) or not len(numbers) == len(first) == len(second):
        raise ValueError(
            f"expected votes [N], N > 0, with a label of both kinds each, got "
            f"{list(numbers.shape)}, {len(first)} and {len(second)} labels"
        )
    return numbers, number_labels(first), number_labels(second)


def describe_too_few(values: FloatArray, n_raters: int, n_videos: int) -> str:
    """Return why these votes have no interval; "" where they have one."""
    if n_raters < 2 or n_videos < 2:
        return f"{n_raters} raters, {n_videos} videos: an interval needs 2 of each"
    return "all votes are equal" if np.ptp(values) == 0 else ""
