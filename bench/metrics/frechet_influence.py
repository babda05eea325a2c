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

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.metrics.arrays import Array, FloatArray
from bench.metrics.estimates import SetEstimate
from bench.metrics.frechet import (
    Gaussian,
    check_widths,
    compute_distance,
    transform_covariance,
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


def frechet_estimate(
    true: npt.ArrayLike, generated: npt.ArrayLike, *, known: Gaussian | None = None
) -> SetEstimate:
    """Return the Fréchet distance of ``true [N, D]``, ``generated [M, D]`` with contributions.

    The value is that of ``frechet_distance``. ``known`` is ``Gaussian.of(true)`` where it has been
    computed before. Beside the samples, memory is some D^2. ValueError as there.
    """
    first, second = np.asarray(true), np.asarray(generated)
    sides = known or Gaussian.of(first, "true"), Gaussian.of(second, "generated")
    influence = frechet_influence(*sides)
    return SetEstimate(
        influence.value,
        influence.of_true(first) / len(first),
        influence.of_generated(second) / len(second),
        first.shape[1],
    )


def frechet_influence(true: Gaussian, generated: Gaussian) -> FrechetInfluence:
    """Return the distance and its derivative. ValueError as ``frechet_distance``."""
    check_widths(true.mean, generated.mean)
    is_regular = true.is_regular and generated.is_regular
    singular, maps = (_maps_of_regular if is_regular else _maps_of_any)(true, generated)
    value = compute_distance(true, generated, singular)
    return FrechetInfluence(value, true.mean, generated.mean, *maps)


def _maps_of_regular(
    first: Gaussian, second: Gaussian
) -> tuple[FloatArray, tuple[FloatArray, FloatArray]]:
    """Return the singular values of M, and both maps, from the eigenvectors of M M' = A1 S2 A1'."""
    from scipy.linalg import eigh, solve_triangular

    squares, vectors = eigh(
        transform_covariance(first, second), driver="evd", overwrite_a=True, check_finite=False
    )
    singular = np.sqrt(np.maximum(squares, 0.0))
    is_kept = _is_kept(singular)
    half, vectors = np.sqrt(singular[is_kept]), vectors[:, is_kept]
    # B1 = A1^-T, so W' = B1' U diag(s)^1/2 solves A1 W' = U diag(s)^1/2: A1 is triangular.
    true_map = solve_triangular(
        first.root.T, vectors * half, trans=1, lower=True, overwrite_b=True, check_finite=False
    ).T
    return singular, (true_map, (vectors / half).T @ first.root)


def _maps_of_any(
    first: Gaussian, second: Gaussian
) -> tuple[FloatArray, tuple[FloatArray, FloatArray]]:
    """Return the same where a covariance is singular, from the singular vectors of M = A1 A2'.

    The square root of an eigenvalue that is 0 but for rounding (1e-16) would be off by 1e-8.
    """
    from scipy.linalg import svd

    left, singular, right = svd(
        first.root @ second.root.T, full_matrices=False, overwrite_a=True, check_finite=False
    )
    is_kept = _is_kept(singular)
    half = np.sqrt(singular[is_kept])[:, None]
    # Either side may be called the first one. So T, from the first set to the second, is the map
    # back of the exchanged pair, T = A2' V diag(1 / s) V' A2, and no A has to be inverted.
    return singular, (
        right[is_kept] / half @ second.root,
        left[:, is_kept].T / half @ first.root,
    )


def _is_kept(singular: FloatArray) -> npt.NDArray[np.bool_]:
    """Whether a direction has a transport map; samples never leave the space of those that do."""
    squares = np.square(singular)
    kept: npt.NDArray[np.bool_] = squares > NULL_SHARE * squares.max(initial=0.0)
    return kept


def _influence(
    samples: Array, mean: FloatArray, shift: FloatArray, transport: FloatArray
) -> FloatArray:
    parts = []
    # Centred and moved samples take twice their size in float64 each: one block at a time.
    for start in range(0, len(samples), BLOCK_ROWS):
        centred = samples[start : start + BLOCK_ROWS] - mean
        moved = centred @ transport.T
        parts.append(2.0 * centred @ shift + _squared(centred) - _squared(moved))
    influence: FloatArray = np.concatenate(parts)
    # The constant of step 2: it is not computed, since it is what makes the mean 0.
    influence -= influence.mean()
    return influence


def _squared(rows: FloatArray) -> FloatArray:
    lengths: FloatArray = np.einsum("nd,nd->n", rows, rows)
    return lengths
