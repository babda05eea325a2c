"""FD-infinity: the Fréchet distance extrapolated to an unlimited number of generated samples.

A Fréchet distance is biased: means and covariances of N samples are unbiased, but the distance is
curved in them, and the curvature times their variance, which falls as 1 / N, is left over:

    E FD(N) = FD(inf) + c / N + O(1 / N^2)

Chong & Forsyth, "Effectively Unbiased FID and Inception Score and Where to Find Them", 2020, take
distances d_k of random subsets of sizes N_k and fit that line. In the least-squares solution
(X'X)^-1 X' d with rows (1 / N_k, 1) of X, the value at 1 / N = 0 is a fixed weighted sum of the
distances, sum_k w_k d_k with sum w_k = 1 and sum w_k / N_k = 0: small sets get negative weights.

To first order, d_k is off its expectation by the mean influence of its samples
(``bench.metrics.frechet_influence``), so sample i contributes its influence times
sum over subsets with i of w_k / N_k. The squares of these factors sum to more than those of 1 / N,
so a limit is less certain than a distance.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.metrics.arrays import FloatArray, IntArray, check_frames
from bench.metrics.estimates import SetEstimate
from bench.metrics.frechet import (
    Gaussian,
    Side,
    check_widths,
    eigenvalues,
    factor_covariance,
    factor_regular,
)
from bench.metrics.frechet_influence import frechet_estimate


class FrechetLimit(NamedTuple):
    """The distance for an unlimited number of samples, and the line that leads to it.

    ``slope`` is the c of the module's formula; ``r_squared`` is the fit of the line, 1 is best.
    """

    value: float
    slope: float
    r_squared: float


def fd_infinity(
    true: Side, generated: npt.ArrayLike, rng: np.random.Generator, *, n_sizes: int = 15
) -> FrechetLimit:
    """Return the Fréchet distance extrapolated to unlimited generated samples ``[M, D]``.

    A line through the distances of random subsets, of ``n_sizes`` sizes from M / 2 to M, over
    1 / size, read at 0. All true samples are used each time, so the bias of that side remains. The
    line fits from about 4 samples per dimension on; with fewer the value is too low. May be below
    0. ValueError for fewer than two sizes, fewer than 4 samples, or as ``frechet_distance``.
    """
    samples = check_frames(generated, "generated")
    subsets = _subsets(len(samples), rng, n_sizes)
    return _limit(_sizes(subsets), _distances(Gaussian.of(true, "true"), samples, subsets))


def frechet_limit_estimate(
    true: npt.ArrayLike,
    generated: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    n_sizes: int = 15,
    known: Gaussian | None = None,
    distance: SetEstimate | None = None,
) -> SetEstimate:
    """Return the limit of ``true [N, D]``, ``generated [M, D]`` with every sample's contribution.

    ``known`` is ``Gaussian.of(true)`` and ``distance`` the ``frechet_estimate`` of the same
    samples, where they have been computed before. ValueError as ``fd_infinity``.
    """
    samples = check_frames(generated, "generated")
    subsets = _subsets(len(samples), rng, n_sizes)
    sizes = _sizes(subsets)
    truth = known or Gaussian.of(true, "true")
    limit = _limit(sizes, _distances(truth, samples, subsets))
    plain = distance or frechet_estimate(true, generated, known=truth)
    if plain.true is None or plain.generated is None:
        raise ValueError("the estimate of the distance has no contributions")
    # The weights w_k of the module's formula: (X'X)^-1 X' is the pseudo-inverse of X, and its
    # second row gives the intercept, the distance at 1 / N = 0.
    line = np.stack([1.0 / sizes, np.ones(len(sizes))], axis=1)
    weights = np.linalg.pinv(line)[1]
    shares = np.zeros(len(samples))
    for weight, size, chosen in zip(weights, sizes, subsets, strict=True):
        shares[chosen] += weight / size
    # In the plain distance every sample's influence is divided by M.
    parts = plain.generated * (shares * len(samples))
    return SetEstimate(limit.value, plain.true, parts, samples.shape[1])


def _subsets(n: int, rng: np.random.Generator, n_sizes: int) -> list[IntArray]:
    """Return the rows of each subset, drawn without replacement."""
    if n_sizes < 2 or n < 4:
        raise ValueError(f"a line needs at least 2 sizes and 4 samples, got {n_sizes} and {n}")
    # Down to half the samples only: in smaller subsets the terms of order 1 / N^2 bend the line.
    sizes = np.linspace(n // 2, n, n_sizes).astype(int)
    # A subset is a set: its order changes no mean and no covariance, so it is not shuffled.
    return [rng.choice(n, size, replace=False, shuffle=False) for size in sizes]


def _sizes(subsets: list[IntArray]) -> IntArray:
    return np.array([len(chosen) for chosen in subsets])


def _distances(truth: Gaussian, samples: FloatArray, subsets: list[IntArray]) -> FloatArray:
    """Return the distance of each subset.

    With ``A'A`` the true covariance, A1 A2' for a subset is the factor of its samples projected by
    A, so its overlap is that of the covariance of ``A y``: the costly product with A is computed
    once and not per subset.
    """
    check_widths(truth.mean, samples[0])
    projected = (samples - truth.mean) @ truth.root.T
    distances = []
    for chosen in subsets:
        subset = samples[chosen]
        shift = subset.mean(axis=0) - truth.mean
        variance = truth.total_variance + float(subset.var(axis=0, ddof=1).sum())
        distances.append(shift @ shift + variance - 2.0 * _overlap(projected[chosen]))
    return np.array(distances)


def _overlap(projected: FloatArray) -> float:
    """Return the trace of the square root of the covariance of ``projected [N, R]``."""
    from scipy.linalg import svdvals

    n, width = projected.shape
    centred = projected - projected.mean(axis=0)
    # Three ways to the same sum, the cheapest that is exact: the singular values of the samples
    # where they are few, the eigenvalues of their covariance where it is regular, and the singular
    # values of its factor where many samples leave it singular.
    if n <= width:
        return float(svdvals(centred).sum()) / float(np.sqrt(n - 1))
    covariance = centred.T @ centred / (n - 1)
    if factor_regular(covariance) is None:
        return float(svdvals(factor_covariance(covariance)).sum())
    return float(np.sqrt(np.maximum(eigenvalues(covariance.T), 0.0)).sum())


def _limit(sizes: IntArray, distances: FloatArray) -> FrechetLimit:
    slope, value = np.polyfit(1.0 / sizes, distances, 1)
    residual = distances - (value + slope / sizes)
    spread = np.square(distances - distances.mean()).sum()
    r_squared = 1.0 - np.square(residual).sum() / spread if spread > 0 else 1.0
    return FrechetLimit(float(value), float(slope), float(r_squared))
