"""The Fréchet distance for an unlimited number of generated samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.metrics.arrays import FloatArray, IntArray, check_frames
from bench.metrics.estimates import SetEstimate
from bench.metrics.frechet import (
    FrechetStatistics,
    Gaussian,
    Side,
    check_widths,
    factor_covariance,
    is_regular,
    to_column_major,
    to_gaussian,
)
from bench.metrics.frechet_influence import compute_statistics, frechet_influence


class FrechetLimit(NamedTuple):
    """The distance for an unlimited number of samples, and how it was reached.

    ``slope`` is what one over the number of samples adds; ``r_squared`` says how well that line
    fits, 1 is best.
    """

    value: float
    slope: float
    r_squared: float


def fd_infinity(
    true: Side, generated: npt.ArrayLike, rng: np.random.Generator, *, n_sizes: int = 15
) -> FrechetLimit:
    """Return the Fréchet distance extrapolated to unlimited generated samples ``[M, D]``.

    Chong & Forsyth, "Effectively Unbiased FID and Inception Score", 2020: distances of random
    subsets, of ``n_sizes`` sizes from M / 2 to M, make a line over 1 / size, read off at 0. The
    true side stays whole, so its own bias remains. The curve is straight from about 4 samples per
    dimension on; with fewer the value is too low. May be below 0. ValueError for fewer than two
    sizes, fewer than 4 samples, or as ``frechet_distance``.
    """
    samples = check_frames(generated, "generated")
    subsets = _subsets(len(samples), rng, n_sizes)
    return _limit(_sizes(subsets), _distances(to_gaussian(true, "true"), samples, subsets))


def frechet_limit_estimate(
    true: npt.ArrayLike, generated: npt.ArrayLike, rng: np.random.Generator, *, n_sizes: int = 15
) -> SetEstimate:
    """Return the limit of ``true [N, D]``, ``generated [M, D]`` with every sample's contribution.

    The limit is a weighted sum of the distances of its subsets, and so are its contributions: a
    generated sample counts with the weights of the subsets that hold it, which is why a limit is
    less sure than a distance. ValueError as ``fd_infinity``.
    """
    first, second = np.asarray(true), check_frames(generated, "generated")
    subsets = _subsets(len(second), rng, n_sizes)
    sizes = _sizes(subsets)
    known = compute_statistics(first)
    limit = _limit(sizes, _distances(to_gaussian(known, "true"), second, subsets))
    influence = frechet_influence(known, FrechetStatistics.of(second))
    shares = np.zeros(len(second))
    for weight, size, chosen in zip(_weights_at_zero(sizes), sizes, subsets, strict=True):
        shares[chosen] += weight / size
    return SetEstimate(
        limit.value,
        influence.of_true(first) / len(first),
        influence.of_generated(second) * shares,
        second.shape[1],
    )


def _subsets(n: int, rng: np.random.Generator, n_sizes: int) -> list[IntArray]:
    """The rows of each subset, drawn without repetition."""
    if n_sizes < 2 or n < 4:
        raise ValueError(f"a line needs at least 2 sizes and 4 samples, got {n_sizes} and {n}")
    sizes = np.linspace(n // 2, n, n_sizes).astype(int)
    return [rng.choice(n, size, replace=False, shuffle=False) for size in sizes]


def _sizes(subsets: list[IntArray]) -> IntArray:
    return np.array([len(chosen) for chosen in subsets])


def _distances(truth: Gaussian, samples: FloatArray, subsets: list[IntArray]) -> FloatArray:
    """The distance of each subset.

    With ``A'A`` the true covariance, the overlap with a subset is the sum of the roots of the
    eigenvalues of the covariance of ``A y``: the costly product with A is taken once for all.
    """
    check_widths(truth.mean, samples[0])
    projected = (samples - truth.mean) @ truth.root().T
    distances = []
    for chosen in subsets:
        subset = samples[chosen]
        shift = subset.mean(axis=0) - truth.mean
        variance = truth.total_variance + float(subset.var(axis=0, ddof=1).sum())
        distances.append(shift @ shift + variance - 2.0 * _overlap(projected[chosen]))
    return np.array(distances)


def _overlap(projected: FloatArray) -> float:
    """Trace of the root of the covariance of ``[N, R]``."""
    from scipy.linalg import eigh, svdvals

    n, width = projected.shape
    centred = projected - projected.mean(axis=0)
    if n <= width:
        return float(svdvals(centred).sum()) / float(np.sqrt(n - 1))
    covariance = centred.T @ centred / (n - 1)
    if not is_regular(covariance):
        return float(svdvals(factor_covariance(covariance)).sum())
    squares = eigh(to_column_major(covariance), eigvals_only=True, check_finite=False)
    return float(np.sqrt(np.maximum(squares, 0.0)).sum())


def _limit(sizes: IntArray, distances: FloatArray) -> FrechetLimit:
    slope, value = np.polyfit(1.0 / sizes, distances, 1)
    residual = distances - (value + slope / sizes)
    spread = np.square(distances - distances.mean()).sum()
    r_squared = 1.0 - np.square(residual).sum() / spread if spread > 0 else 1.0
    return FrechetLimit(float(value), float(slope), float(r_squared))


def _weights_at_zero(sizes: IntArray) -> FloatArray:
    """What the line at 0 gives each distance: they sum to 1, those of small sets are below 0."""
    line = np.stack([1.0 / sizes, np.ones(len(sizes))], axis=1)
    weights: FloatArray = np.linalg.pinv(line)[1]
    return weights
