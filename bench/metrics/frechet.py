"""Fréchet distance of two sets of features, each modelled as one Gaussian.

Conventions: features are ``[N, D]``, one row per sample; covariances divide by N - 1; everything is
float64. A side is an array, or ``FrechetStatistics`` accumulated before. Values are comparable only
between sets of about equal size: the distance grows as sets shrink (``fd_infinity`` estimates by
how much). ``frechet_estimate`` adds the uncertainty of a value.

Two Gaussians with means m1, m2 and covariances S1, S2 have the squared Wasserstein distance (Dowson
& Landau, "The Fréchet distance between multivariate normal distributions", 1982)

    |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1^1/2 S2 S1^1/2)^1/2

The last term, the overlap, costs the most. It needs no matrix square root:

- Take any A1 [R1, D] and A2 [R2, D] with A'A = S. Products X Y and Y X have the same eigenvalues
  but for zeros, so S1^1/2 S2 S1^1/2, S1 S2 = A1' A1 A2' A2 and M M' with M = A1 A2' share theirs.
- The eigenvalues of M M' are the squared singular values of M. So the overlap is the sum of the
  singular values of A1 A2', with which nothing turns complex or needs an epsilon on the diagonal.
- Singular values are exact to 1e-16 of the largest one. Square roots of eigenvalues of S1 S2 are
  exact to 1e-8 only, which hundreds of zero eigenvalues of a singular S1 S2 add up to an error.
- With fewer samples than dimensions, the centred samples over sqrt(N - 1) are such an A: no
  covariance is formed at all.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.metrics.arrays import Array, FloatArray, check_frames

#: Share of a dimension's variance that the dimensions before it must leave unexplained for S to
#: count as invertible: far above rounding (1e-12), low enough for spectra that fall like k^-3.
REGULAR_SHARE = 1e-9


@dataclass(frozen=True, eq=False)
class FrechetStatistics:
    """The statistics of a set that the distance reads: D^2 numbers for any number of samples.

    ``n`` samples with mean ``mean [D]`` and ``scatter [D, D]``, the sum of the outer products of
    the centred samples; float64.
    """

    n: int
    mean: FloatArray
    scatter: FloatArray

    @classmethod
    def of(cls, features: npt.ArrayLike) -> FrechetStatistics:
        """Return the statistics of ``features [N, D]``; needs their size in float64.

        ValueError unless they are finite ``[N, D]`` with at least one row.
        """
        samples = check_samples(features, "features")
        mean = samples.mean(axis=0, dtype=np.float64)
        # One pass converts and centres; NumPy sees X'X and computes one triangle of it (syrk).
        centred = np.subtract(samples, mean, dtype=np.float64)
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
        # Each set's samples scatter about its own mean, which is off the common mean by its share
        # of the shift d: n1 (n2 d / n)^2 + n2 (n1 d / n)^2 = d^2 n1 n2 / n. Sums of squares would
        # need no such term, but subtracting n m m' from them cancels all digits of small variances.
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


@dataclass(frozen=True, eq=False)
class Gaussian:
    """One side of the formula, with the costly part that does not depend on the other side.

    ``n`` samples with ``mean [D]``, the trace of S, and a factor ``root [R, D]``, row after row in
    memory, with ``root' root = S``, R being about the rank of S. ``is_regular`` states that S can
    safely be inverted: then ``root`` is its upper Cholesky factor. ``covariance`` is S ``[D, D]``
    where it was computed, else None.
    """

    n: int
    mean: FloatArray
    total_variance: float
    root: FloatArray
    is_regular: bool
    covariance: FloatArray | None = None

    @classmethod
    def of(cls, side: Side, name: str = "the set") -> Gaussian:
        """Return a side as a Gaussian. ValueError, with its ``name``, as the distance."""
        if isinstance(side, Gaussian):
            return side
        if isinstance(side, FrechetStatistics):
            return cls._of_statistics(side)
        samples = check_samples(side, name)
        _check_count(len(samples), name)
        if len(samples) > samples.shape[1]:
            return cls._of_statistics(FrechetStatistics.of(samples))
        mean = samples.mean(axis=0, dtype=np.float64)
        root = np.subtract(samples, mean, dtype=np.float64)
        root /= np.sqrt(len(samples) - 1)
        return cls(len(samples), mean, float(np.square(root).sum()), root, is_regular=False)

    @classmethod
    def _of_statistics(cls, statistics: FrechetStatistics) -> Gaussian:
        covariance = statistics.covariance
        trace = float(np.trace(covariance))
        # With no more samples than dimensions S is singular, whatever rounding makes of it.
        regular = factor_regular(covariance) if statistics.n > len(covariance) else None
        root = factor_covariance(covariance) if regular is None else regular
        is_regular = regular is not None
        return cls(statistics.n, statistics.mean, trace, root, is_regular, covariance)


Side = npt.ArrayLike | FrechetStatistics | Gaussian


def frechet_distance(true: Side, generated: Side) -> float:
    """Return ``|m1 - m2|^2 + tr(S1 + S2 - 2 sqrt(S1 S2))`` of two sets ``[N, D]``, ``[M, D]``.

    0 is best, and reached by equal sets up to rounding: the value is not clipped and may be below
    0 by about 1e-13 of the total variance. Heusel et al., "GANs Trained by a Two Time-Scale Update
    Rule", 2017; equal to av-benchmark's FD, which answers -1 for a single sample. A side that is
    used more than once is best given as ``Gaussian.of(samples)``. ValueError for a single sample,
    unequal widths, or values that are not finite.

    >>> frechet_distance([[0.0], [2.0]], [[3.0], [5.0]])
    9.0
    """
    from scipy.linalg import svdvals

    first, second = Gaussian.of(true, "true"), Gaussian.of(generated, "generated")
    check_widths(first.mean, second.mean)
    if first.is_regular and second.is_regular:
        squares = eigenvalues(transform_covariance(first, second))
        return compute_distance(first, second, np.sqrt(np.maximum(squares, 0.0)))
    return compute_distance(first, second, svdvals(first.root @ second.root.T))


def compute_distance(first: Gaussian, second: Gaussian, singular: FloatArray) -> float:
    """Return the distance, given the singular values of ``first.root @ second.root.T``."""
    shift = first.mean - second.mean
    variance = first.total_variance + second.total_variance
    return float(shift @ shift + variance - 2.0 * singular.sum())


def transform_covariance(first: Gaussian, second: Gaussian) -> FloatArray:
    """Return the lower triangle of A1 S2 A1' ``[D, D]``, for regular Gaussians.

    Of regular covariances its eigenvalues, those of S1 S2, suffer no cancellation, and cost a
    fraction of the singular values of A1 A2'.
    """
    from scipy.linalg.lapack import dsygst

    covariance = second.root.T @ second.root if second.covariance is None else second.covariance
    # Type 2 of the generalised problem S1 S2 v = w v, reduced by the Cholesky factor of S1. The
    # transposed views are column by column in memory, which LAPACK reads without a copy. (SciPy's
    # ``eigh(type=2)`` factors anew and gives LAPACK too little room to work in blocks.)
    reduced, _ = dsygst(covariance.T, first.root.T, itype=2, lower=1)
    lower: FloatArray = reduced
    return lower


def eigenvalues(lower: FloatArray) -> FloatArray:
    """Return the eigenvalues ``[D]`` of a symmetric matrix whose lower triangle this is.

    They take its memory.
    """
    from scipy.linalg import eigh

    found: FloatArray = eigh(
        lower, eigvals_only=True, driver="evd", overwrite_a=True, check_finite=False
    )
    return found


def factor_regular(covariance: FloatArray) -> FloatArray | None:
    """Return the upper Cholesky factor ``[D, D]`` of S, or None where S cannot safely be inverted.

    A Cholesky factor regresses each dimension on those before it; its squared diagonal is the
    variance that the regression leaves unexplained. It must leave a share in every dimension.
    """
    from scipy.linalg.lapack import dpotrf

    lower, info = dpotrf(covariance.T, lower=1)
    if info != 0:  # the leading minor of this order is not positive
        return None
    unexplained = np.square(lower.diagonal())
    is_regular = bool(np.all(unexplained > REGULAR_SHARE * covariance.diagonal()))
    return lower.T if is_regular else None


def factor_covariance(covariance: FloatArray) -> FloatArray:
    """Return ``A [R, D]`` with ``A'A`` equal to any covariance, by pivoted Cholesky.

    Pivoting takes the largest remaining variance first and stops where only rounding is left, which
    finds the rank R. It works on correlations, so that no dimension counts as rounding merely
    because of its unit.
    """
    from scipy.linalg.lapack import dpstrf

    deviation = np.sqrt(covariance.diagonal())
    scale = np.where(deviation > 0, deviation, 1.0)
    factor, order, rank, _ = dpstrf(covariance / np.outer(scale, scale))
    root = np.empty((rank, len(scale)))
    root[:, order - 1] = np.triu(factor[:rank])  # LAPACK counts from 1
    return root * scale


def check_samples(features: npt.ArrayLike, name: str) -> Array:
    """Return samples ``[N, D]``, checked as by ``check_frames``; float32 is left as it is."""
    samples = np.asarray(features)
    if samples.dtype != np.float32 or samples.ndim != 2 or not samples.size:
        return check_frames(samples, name)
    # Networks give float32, which takes half as long to read; all sums are in float64 later.
    return samples if np.isfinite(samples).all() else check_frames(samples, name)


def check_widths(first: FloatArray, second: FloatArray) -> None:
    """Raise ValueError unless two means are equally wide."""
    if len(first) != len(second):
        raise ValueError(
            f"both sets must have equally many dimensions, got {len(first)} and {len(second)}"
        )


def _check_count(n: int, name: str = "the set") -> None:
    if n < 2:
        raise ValueError(f"{name} has {n} sample, a covariance needs at least 2")
