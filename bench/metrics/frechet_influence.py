"""How sure a Fréchet distance is: the influence of every sample on it.

The distance is a function of both means and covariances. With ``A1 A2' = U diag(s) V'`` (A'A = S
on either side) the trace of the square root of S1 S2 is the sum of s, and for small changes

    d FD = 2 (m1 - m2) . d(m1 - m2) + tr((I - T) dS1) + tr((I - T+) dS2)

where T, the optimal transport map from the first Gaussian to the second, is
``B1' U diag(s) U' B1`` with B1 the transposed pseudo-inverse of A1, and the way back T+ is
``A1' U diag(1 / s) U' A1`` (Dowson & Landau, "The Fréchet distance between multivariate normal
distributions", 1982; derivative: Takatsu, "Wasserstein geometry of Gaussian measures", 2011).
One more sample x moves the mean by ``(x - m) / n`` and the covariance by
``((x - m)(x - m)' - S) / n``, so its influence is, up to a constant that makes the mean 0,

    2 (m1 - m2) . (x - m1) + |x - m1|^2 - (x - m1)' T (x - m1)

and likewise on the other side. One decomposition serves all samples; singular covariances are no
obstacle, since samples never leave the space that they span.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.metrics.arrays import Array, FloatArray, check_frames
from bench.metrics.estimates import SetEstimate
from bench.metrics.frechet import (
    FrechetStatistics,
    check_widths,
    compute_distance,
    to_column_major,
    to_gaussian,
)

#: Rows that are held in float64 at a time.
BLOCK_ROWS = 2_048

#: Share of the largest squared singular value below which one is rounding.
NULL_SHARE = 1e-13


@dataclass(frozen=True, eq=False)
class FrechetInfluence:
    """The distance of two Gaussians and its derivative.

    ``true_map`` and ``generated_map`` are ``[R, D]``: their Gram matrices ``map' map`` are T and
    T+ of the module.
    """

    value: float
    true_mean: FloatArray
    generated_mean: FloatArray
    true_map: FloatArray
    generated_map: FloatArray

    def of_true(self, samples: Array) -> FloatArray:
        """Return the influence ``[N]`` of true samples ``[N, D]``; their mean is 0."""
        shift = self.true_mean - self.generated_mean
        return _influence(samples, self.true_mean, shift, self.true_map)

    def of_generated(self, samples: Array) -> FloatArray:
        """Return the influence ``[M]`` of generated samples ``[M, D]``; their mean is 0."""
        shift = self.generated_mean - self.true_mean
        return _influence(samples, self.generated_mean, shift, self.generated_map)


def frechet_estimate(true: npt.ArrayLike, generated: npt.ArrayLike) -> SetEstimate:
    """Return the Fréchet distance of ``true [N, D]``, ``generated [M, D]`` with contributions.

    The value is that of ``frechet_distance``. Beside the samples, memory is some D^2. ValueError as
    there.
    """
    first, second = np.asarray(true), np.asarray(generated)
    influence = frechet_influence(compute_statistics(first), compute_statistics(second))
    return SetEstimate(
        influence.value,
        influence.of_true(first) / len(first),
        influence.of_generated(second) / len(second),
        first.shape[1],
    )


def frechet_influence(true: FrechetStatistics, generated: FrechetStatistics) -> FrechetInfluence:
    """Return the distance and its derivative. ValueError as ``frechet_distance``."""
    from scipy.linalg import eigh

    check_widths(true.mean, generated.mean)
    first, second = to_gaussian(true, "true"), to_gaussian(generated, "generated")
    root = first.root()
    product = root @ generated.covariance @ root.T
    squares, vectors = eigh(to_column_major(product), driver="evd", check_finite=False)
    if first.regular is not None and second.regular is not None:
        overlap = np.sqrt(np.maximum(squares, 0.0)).sum()
        shift = true.mean - generated.mean
        value = shift @ shift + first.total_variance + second.total_variance - 2.0 * overlap
    else:  # roots of squares that are 0 but for rounding would be off by 1e-8
        value = compute_distance(first, second)
    kept = squares > NULL_SHARE * squares.max(initial=0.0)
    singular, vectors = np.sqrt(squares[kept]), vectors[:, kept]
    return FrechetInfluence(
        float(value),
        true.mean,
        generated.mean,
        np.sqrt(singular)[:, None] * (vectors.T @ _transposed_inverse(root)),
        (vectors.T @ root) / np.sqrt(singular)[:, None],
    )


def compute_statistics(samples: Array) -> FrechetStatistics:
    """Return the statistics of ``samples [N, D]`` without a copy of them all in float64."""
    return FrechetStatistics.of_blocks(_blocks(samples))


def _influence(
    samples: Array, mean: FloatArray, shift: FloatArray, transport: FloatArray
) -> FloatArray:
    parts = []
    for block in _blocks(samples):
        centred = block - mean
        moved = centred @ transport.T
        parts.append(2.0 * centred @ shift + _squared(centred) - _squared(moved))
    influence: FloatArray = np.concatenate(parts)
    influence -= influence.mean()
    return influence


def _blocks(samples: Array) -> Iterator[FloatArray]:
    for start in range(0, len(samples), BLOCK_ROWS):
        yield check_frames(samples[start : start + BLOCK_ROWS], "samples")


def _squared(rows: FloatArray) -> FloatArray:
    lengths: FloatArray = np.einsum("nd,nd->n", rows, rows)
    return lengths


def _transposed_inverse(root: FloatArray) -> FloatArray:
    """``B [R, D]`` with ``B root' = I``, for a root ``[R, D]`` of full rank."""
    from scipy.linalg import qr, solve_triangular

    if not len(root):
        return root
    basis, factor = qr(root.T, mode="economic", check_finite=False)
    inverse: FloatArray = solve_triangular(factor, basis.T, check_finite=False)
    return inverse
