"""The influence of every sample on a Fréchet distance, and the uncertainty that follows.

The distance is a function of both means and covariances (``bench.metrics.frechet``). Its overlap is
F = s1 + s2 + ..., the singular values of M = A1 A2' = U diag(s) V', where A'A = S on either side.

1. Derivative in S1. For singular values dF = tr(U' dM V) = tr(U' dA1 A2' V). Let B1 be the
   transposed pseudo-inverse of A1 (B1 A1' = I). From A1 (A2' V) = M V = U diag(s) follows
   A2' V = B1' U diag(s) on the space that the samples of the first set span, and A1 never leaves
   it. So dF = tr(dA1 B1' U diag(s) U'). With

       T = B1' U diag(s) U' B1        and        dS1 = dA1' A1 + A1' dA1

   the same is dF = tr(T dS1) / 2. T is the optimal transport map from the first Gaussian to the
   second (T S1 T = S2; Takatsu, "Wasserstein geometry of Gaussian measures", 2011). Likewise
   dF = tr(T+ dS2) / 2 with the map back, T+ = A1' U diag(1 / s) U' A1. Together

       d FD = 2 (m1 - m2) . d(m1 - m2) + tr((I - T) dS1) + tr((I - T+) dS2)

2. Influence. A little more weight e on a sample x changes m by e (x - m) and S by
   e ((x - m)(x - m)' - S). Up to a constant that makes the mean over samples 0, its influence is

       2 (m1 - m2) . (x - m1) + |x - m1|^2 - (x - m1)' T (x - m1)

   and likewise on the other side. With T = W'W for W = diag(s)^1/2 U' B1 the last term is
   |W (x - m1)|^2: one decomposition and two matrix products serve all samples, where a jackknife
   would decompose once per sample. Singular covariances are no obstacle, since samples never leave
   the space that they span.
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

    ``true_map`` and ``generated_map`` are ``[R, D]``: factors W with ``W'W`` equal to T and T+ of
    the module's derivation.
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
    else:
        # The square root of an eigenvalue that is 0 but for rounding (1e-16) is off by 1e-8.
        value = compute_distance(first, second)
    # Null directions have no transport map; samples never leave the space of the others.
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
    """Return the statistics of ``samples [N, D]``, converted to float64 block by block."""
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
    # The constant of step 2: it is not computed, since it is what makes the mean 0.
    influence -= influence.mean()
    return influence


def _blocks(samples: Array) -> Iterator[FloatArray]:
    for start in range(0, len(samples), BLOCK_ROWS):
        yield check_frames(samples[start : start + BLOCK_ROWS], "samples")


def _squared(rows: FloatArray) -> FloatArray:
    lengths: FloatArray = np.einsum("nd,nd->n", rows, rows)
    return lengths


def _transposed_inverse(root: FloatArray) -> FloatArray:
    """Return ``B [R, D]`` with ``B root' = I``, for a root ``[R, D]`` of full rank.

    With root' = Q R the inverse is R^-1 Q': no normal equations, which would square the condition.
    """
    from scipy.linalg import qr, solve_triangular

    if not len(root):
        return root
    basis, factor = qr(root.T, mode="economic", check_finite=False)
    inverse: FloatArray = solve_triangular(factor, basis.T, check_finite=False)
    return inverse
