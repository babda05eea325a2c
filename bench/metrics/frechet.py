"""Fréchet distance: how far apart two sets of features lie, each seen as one Gaussian.

Conventions: features are ``[N, D]``, one row per sample; covariances divide by N - 1; everything is
float64. A side is an array, or ``FrechetStatistics`` gathered before. Values are comparable only
between sets of about equal size: the distance grows as sets shrink (``fd_infinity`` tells by how
much). How sure a value is says ``frechet_estimate``.

The costly term is the trace of the square root of S1 S2. It is the sum of the singular values of
A1 A2', for any A with A'A = S: so no matrix square root is taken, nothing turns complex or needs an
epsilon, and sets with fewer samples than dimensions are exact.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.metrics.arrays import FloatArray, check_frames

#: Share of a dimension's variance that the dimensions before it must leave unexplained for S to
#: count as invertible: far above rounding (1e-12), low enough for spectra that fall like k^-3.
REGULAR_SHARE = 1e-9


@dataclass(frozen=True, eq=False)
class FrechetStatistics:
    """All that the distance needs of a set: memory is D^2, however many samples there were.

    ``n`` samples with mean ``mean [D]`` and ``scatter [D, D]``, the sum of the outer products of
    the centred samples; float64.
    """

    n: int
    mean: FloatArray
    scatter: FloatArray

    @classmethod
    def of(cls, features: npt.ArrayLike) -> FrechetStatistics:
        """Return the statistics of ``features [N, D]``, which are held twice in float64 meanwhile.

        ValueError unless they are finite ``[N, D]`` with at least one row.
        """
        samples = check_frames(features, "features")
        mean = samples.mean(axis=0)
        centred = samples - mean
        return cls(len(samples), mean, centred.T @ centred)

    @classmethod
    def of_blocks(cls, blocks: Iterable[npt.ArrayLike]) -> FrechetStatistics:
        """Return the statistics of all blocks ``[N, D]`` together, one block in memory at a time.

        ValueError without a block, or as above.
        """
        parts = map(cls.of, blocks)
        first = next(parts, None)
        if first is None:
            raise ValueError("there are no features: at least one block [N, D] is needed")
        return functools.reduce(cls.merge, parts, first)

    def merge(self, other: FrechetStatistics) -> FrechetStatistics:
        """Return the statistics of both sets together (Chan, Golub & LeVeque, 1979).

        Any split of a set gives the same numbers up to rounding. ValueError if the widths differ.
        """
        check_widths(self.mean, other.mean)
        n = self.n + other.n
        shift = other.mean - self.mean
        between = np.outer(shift, shift) * (self.n * other.n / n)
        return FrechetStatistics(
            n, self.mean + shift * (other.n / n), self.scatter + other.scatter + between
        )

    @property
    def covariance(self) -> FloatArray:
        """Covariance ``[D, D]``, divided by n - 1. ValueError for a single sample."""
        _check_count(self.n)
        return self.scatter / (self.n - 1)


Side = npt.ArrayLike | FrechetStatistics


def frechet_distance(true: Side, generated: Side) -> float:
    """Return ``|m1 - m2|^2 + tr(S1 + S2 - 2 sqrt(S1 S2))`` of two sets ``[N, D]``, ``[M, D]``.

    0 is best, and reached by equal sets up to rounding: the value is not clipped and may be below
    0 by about 1e-13 of the total variance. Heusel et al., "GANs Trained by a Two Time-Scale Update
    Rule", 2017; equal to av-benchmark's FD, which answers -1 for a single sample. ValueError for a
    single sample, unequal widths, or values that are not finite.

    >>> frechet_distance([[0.0], [2.0]], [[3.0], [5.0]])
    9.0
    """
    return compute_distance(to_gaussian(true, "true"), to_gaussian(generated, "generated"))


class Gaussian(NamedTuple):
    """A set as the formula sees it.

    ``regular`` is S ``[D, D]`` where it can safely be inverted, else None; ``root()`` is ``[R, D]``
    with ``root' root = S`` in any case, R being about its rank.
    """

    mean: FloatArray
    total_variance: float
    regular: FloatArray | None
    root: Callable[[], FloatArray]


def to_gaussian(side: Side, name: str) -> Gaussian:
    """Return a side as the formula sees it. ValueError, with its ``name``, as the distance."""
    if isinstance(side, FrechetStatistics):
        return _from_statistics(side)
    samples = check_frames(side, name)
    _check_count(len(samples), name)
    if len(samples) > samples.shape[1]:
        return _from_statistics(FrechetStatistics.of(samples))
    mean = samples.mean(axis=0)
    root = (samples - mean) / np.sqrt(len(samples) - 1)
    return Gaussian(mean, float(np.square(root).sum()), None, lambda: root)


def _from_statistics(statistics: FrechetStatistics) -> Gaussian:
    covariance = statistics.covariance
    can_invert = statistics.n > len(covariance) and is_regular(covariance)
    return Gaussian(
        statistics.mean,
        float(np.trace(covariance)),
        covariance if can_invert else None,
        functools.partial(factor_covariance, covariance),
    )


def compute_distance(first: Gaussian, second: Gaussian) -> float:
    """Return the distance of two Gaussians. ValueError if their widths differ."""
    check_widths(first.mean, second.mean)
    shift = first.mean - second.mean
    variance = first.total_variance + second.total_variance
    return float(shift @ shift + variance - 2.0 * _overlap(first, second))


def _overlap(first: Gaussian, second: Gaussian) -> float:
    """Trace of the square root of S1 S2."""
    from scipy.linalg import eigh, svdvals

    if first.regular is None or second.regular is None:
        return float(svdvals(first.root() @ second.root().T).sum())
    # The eigenvalues of S1 S2 cost a fraction of singular values. They would not do in general:
    # the root of one that is zero but for rounding (1e-16) is off by 1e-8.
    squares = eigh(
        to_column_major(first.regular),
        to_column_major(second.regular),
        type=2,
        eigvals_only=True,
        check_finite=False,
    )
    return float(np.sqrt(np.maximum(squares, 0.0)).sum())


def is_regular(covariance: FloatArray) -> bool:
    """Whether a covariance can safely be inverted: no dimension follows from the others."""
    from scipy.linalg import LinAlgError, cholesky

    try:
        factor = cholesky(to_column_major(covariance), check_finite=False)
    except LinAlgError:
        return False
    unexplained = np.square(factor.diagonal())
    return bool(np.all(unexplained > REGULAR_SHARE * covariance.diagonal()))


def to_column_major(symmetric: FloatArray) -> FloatArray:
    """The same matrix, column by column in memory: else SciPy copies it, slowly."""
    return symmetric.T


def factor_covariance(covariance: FloatArray) -> FloatArray:
    """Root ``[R, D]`` of any covariance by Cholesky factors of the correlation, largest first."""
    from scipy.linalg.lapack import dpstrf

    deviation = np.sqrt(covariance.diagonal())
    scale = np.where(deviation > 0, deviation, 1.0)
    factor, order, rank, _ = dpstrf(covariance / np.outer(scale, scale))
    root = np.empty((rank, len(scale)))
    root[:, order - 1] = np.triu(factor)[:rank]  # LAPACK counts from 1
    return root * scale


def check_widths(first: FloatArray, second: FloatArray) -> None:
    """Raise ValueError unless two means are equally wide."""
    if len(first) != len(second):
        raise ValueError(
            f"both sets must have equally many dimensions, got {len(first)} and {len(second)}"
        )


def _check_count(n: int, name: str = "the set") -> None:
    if n < 2:
        raise ValueError(f"{name} has {n} sample, a covariance needs at least 2")
