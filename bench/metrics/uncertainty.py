"""How sure a mean over clips is, and how sure the difference of two systems.

Conventions: one score per clip, ``[N]`` float64, NaN for "not scored"; such clips are left out and
counted. Clips are the unit that is resampled. Every function draws from the generator it is given
and from nothing else: same seed, same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.metrics.arrays import FloatArray, IntArray, check_scores

#: Random numbers held at a time: 32 MB, whatever N and the number of resamples.
BLOCK_VALUES = 4_000_000


class Interval(NamedTuple):
    """A mean, the bounds of its interval, the clips behind it and the clips left out as NaN.

    ``value`` is NaN without a clip, ``low`` and ``high`` with fewer than two.
    """

    value: float
    low: float
    high: float
    n: int
    n_excluded: int


def bootstrap_interval(
    values: npt.ArrayLike,
    rng: np.random.Generator,
    level: float = 0.95,
    n_resamples: int = 1_000,
) -> Interval:
    """Return the mean of ``values [N]`` with its percentile bootstrap interval (Efron, 1979).

    ValueError if the level is not inside (0, 1), there is no resample, or a value is infinite.
    """
    if not 0 < level < 1:
        raise ValueError(f"the level must be inside (0, 1), got {level}")
    if n_resamples < 1:
        raise ValueError(f"the bootstrap needs at least 1 resample, got {n_resamples}")
    scores = check_scores(values, "values")
    scored = scores[~np.isnan(scores)]
    n, n_excluded = len(scored), len(scores) - len(scored)
    if n < 2:
        return Interval(float(scored[0]) if n else math.nan, math.nan, math.nan, n, n_excluded)
    means = _resampled_means(scored, rng, n_resamples)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(scored.mean()), float(low), float(high), n, n_excluded)


def paired_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    rng: np.random.Generator,
    level: float = 0.95,
    n_resamples: int = 1_000,
) -> Interval:
    """Return the mean of ``b - a`` over the clips that both ``a [N]`` and ``b [N]`` scored.

    Row i of both is the same clip. ValueError if the lengths differ, or as above.
    """
    return bootstrap_interval(_differences(a, b), rng, level, n_resamples)


def paired_ratio(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    rng: np.random.Generator,
    level: float = 0.95,
    n_resamples: int = 1_000,
) -> Interval:
    """Return the mean of ``b`` over that of ``a``, over the clips that both scored.

    Row i of both is the same clip. Where the mean of ``a`` is 0, infinite, or NaN for 0 over 0.
    ValueError as above.
    """
    first, second = check_scores(a, "a"), check_scores(b, "b")
    both = ~np.isnan(_differences(first, second))
    first, second = first[both], second[both]

    def ratio(chosen: IntArray) -> float:
        base, new = float(first[chosen].mean()), float(second[chosen].mean())
        return new / base if base else math.inf * new

    n, n_excluded = len(first), len(both) - len(first)
    if n < 2:
        value = ratio(np.arange(n)) if n else math.nan
        return Interval(value, math.nan, math.nan, n, n_excluded)
    ratios = resampled(ratio, n, rng, n_resamples)
    bounds = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(ratios[1:], bounds, method="inverted_cdf")  # between no infinities
    return Interval(float(ratios[0]), float(low), float(high), n, n_excluded)


def resampled(
    statistic: Callable[[IntArray], float], n: int, rng: np.random.Generator, n_resamples: int
) -> FloatArray:
    """Return ``[1 + n_resamples]``: a statistic of all n clips, then of random choices of n.

    ``statistic`` is given the places ``[n]`` of the clips, with repetition. Two systems whose
    choices come from equal generators are resampled in pairs.
    """
    choices = (rng.integers(0, n, size=n) for _ in range(n_resamples))
    return np.array([statistic(np.arange(n)), *map(statistic, choices)], dtype=np.float64)


def interval_around(values: npt.ArrayLike, n: int, level: float = 0.95) -> Interval:
    """Return the interval of a statistic of a whole set, from its ``resampled`` values.

    Choices that repeat clips make a set look narrower than it is, and so raise distances between
    sets. That shift is the mean of the choices over the value of all clips; it is taken off, and
    their spread is left, around the value that tables print.
    """
    value, draws = np.asarray(values, dtype=np.float64)[0], np.asarray(values)[1:]
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2]) - draws.mean() + value
    return Interval(float(value), float(low), float(high), n, 0)


def derangements(n: int, rng: np.random.Generator, k: int) -> IntArray:
    """Return ``[k, n]``: k random orders of n clips in which no clip keeps its place.

    Pairing every true sound with a wrong generated one this way gives the level of chance. Each
    derangement is equally likely. ValueError for fewer than two clips.
    """
    if n < 2:
        raise ValueError(f"a single clip has no other to be paired with, got n = {n}")
    places = np.arange(n)
    found: list[IntArray] = []
    while len(found) < k:
        order = rng.permutation(n)
        if not (order == places).any():
            found.append(order)
    return np.array(found, dtype=np.int64).reshape(k, n)


def _differences(a: npt.ArrayLike, b: npt.ArrayLike) -> FloatArray:
    first, second = check_scores(a, "a"), check_scores(b, "b")
    if len(first) != len(second):
        raise ValueError(f"both systems must have the same clips, got {len(first)}, {len(second)}")
    return second - first


def _resampled_means(scores: FloatArray, rng: np.random.Generator, n_resamples: int) -> FloatArray:
    means = [
        scores[rng.integers(0, len(scores), size=(n_rows, len(scores)))].mean(axis=1)
        for n_rows in _blocks(n_resamples, len(scores))
    ]
    return np.concatenate(means)


def _blocks(n_rows: int, row_values: int) -> Iterator[int]:
    """Numbers of rows that sum to ``n_rows`` and each hold a bounded count of values."""
    largest = max(1, BLOCK_VALUES // max(1, row_values))
    for start in range(0, n_rows, largest):
        yield min(largest, n_rows - start)
