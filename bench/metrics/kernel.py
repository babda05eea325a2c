"""Kernel distance (KID): the squared maximum mean discrepancy of two sets of features.

Unlike the Fréchet distance it assumes no Gaussian, and its expectation does not depend on how many
samples there are. Features are ``[N, D]``, computed in float64.

A kernel h is an inner product h(x, y) = <f(x), f(y)> of some functions f of the features, and the
squared distance of the two means of f is

    |E f(x) - E f(y)|^2 = E h(x, x') + E h(y, y') - 2 E h(x, y)        with x, x' independent

Its estimate takes means over pairs. Pairs of a sample with itself would not be independent and bias
it upwards, so they are left out (Gretton et al., "A kernel two-sample test", 2012, lemma 6).

The estimate is a U-statistic: to first order it is off its expectation by a sum over samples
(Hoeffding, "A class of statistics with asymptotically normal distribution", 1948; Hájek's
projection). Sample x_i is in 2 / n of all pairs within its side, and in 1 / n of those across,
which have the factor 2. So it contributes 2 / n (g_i - mean g), where g_i is the mean kernel of
x_i with the others of its side less that with the other side.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.metrics.arrays import FloatArray, check_frame_pair
from bench.metrics.estimates import SetEstimate


class KernelDistance(NamedTuple):
    """Mean and standard deviation (divided by n) over the subsets."""

    mean: float
    std: float


def kernel_distance(
    true: npt.ArrayLike,
    generated: npt.ArrayLike,
    rng: np.random.Generator | np.random.RandomState,
    *,
    subset_size: int = 1_000,
    n_subsets: int = 100,
) -> KernelDistance:
    """Return the kernel distance (KID) of two sets ``[N, D]`` and ``[M, D]``; 0 is best.

    The unbiased estimate with the kernel ``(x.y / D + 1)^3`` (Binkowski et al., "Demystifying MMD
    GANs", 2018), so equal distributions may give values just below 0. Subsets of
    min(``subset_size``, N, M) samples are drawn without replacement, the generated one first; the
    published numbers of av-benchmark use ``RandomState(2020)``. ValueError for fewer than two
    samples in a subset, no subset, unequal widths, or values that are not finite.
    """
    found = _over_subsets(*check_frame_pair(true, generated), rng, subset_size, n_subsets)
    return KernelDistance(float(np.mean(found.values)), float(np.std(found.values)))


def kernel_estimate(
    true: npt.ArrayLike,
    generated: npt.ArrayLike,
    rng: np.random.Generator | np.random.RandomState,
    *,
    subset_size: int = 1_000,
    n_subsets: int = 100,
) -> SetEstimate:
    """Return the mean of ``kernel_distance`` with the contribution of every sample.

    A sample contributes to every subset that holds it. ValueError as there.
    """
    found = _over_subsets(*check_frame_pair(true, generated), rng, subset_size, n_subsets)
    return SetEstimate(float(np.mean(found.values)), found.true, found.generated)


class _Subsets(NamedTuple):
    """The distance of each subset, and each sample's contribution to their mean."""

    values: list[float]
    true: FloatArray
    generated: FloatArray


def _over_subsets(
    first: FloatArray,
    second: FloatArray,
    rng: np.random.Generator | np.random.RandomState,
    subset_size: int,
    n_subsets: int,
) -> _Subsets:
    size = min(subset_size, len(first), len(second))
    if size < 2 or n_subsets < 1:
        raise ValueError(
            f"the kernel distance needs at least 1 subset of 2 samples, got {n_subsets} of {size}"
        )
    # Subsets of one size: the estimate costs size^2, and an average over many small ones is as
    # unbiased as one over all pairs.
    found = _Subsets([], np.zeros(len(first)), np.zeros(len(second)))
    for _ in range(n_subsets):
        # The generated side first, which is av-benchmark's order of draws.
        ys = rng.choice(len(second), size, replace=False)
        xs = rng.choice(len(first), size, replace=False)
        x, y = first[xs], second[ys]
        between = _kernel(x, y)
        of_x = _mean_with_others(x) - between.mean(axis=1)
        of_y = _mean_with_others(y) - between.mean(axis=0)
        # Their means are E h(x, x') - E h(x, y) and E h(y, y') - E h(x, y), which sum to the
        # distance; deviations from the means are the g_i - mean g of the module's projection.
        found.values.append(float(of_x.mean() + of_y.mean()))
        found.true[xs] += 2.0 * (of_x - of_x.mean()) / (size * n_subsets)
        found.generated[ys] += 2.0 * (of_y - of_y.mean()) / (size * n_subsets)
    return found


def _mean_with_others(x: FloatArray) -> FloatArray:
    """Return the mean kernel of each sample with the others of its set, ``[N]``."""
    kernel = _kernel(x, x)
    means: FloatArray = (kernel.sum(axis=1) - kernel.diagonal()) / (len(kernel) - 1)
    return means


def _kernel(x: FloatArray, y: FloatArray) -> FloatArray:
    inner: FloatArray = x @ y.T / x.shape[1] + 1.0
    return inner * inner * inner  # inner**3 calls pow(), which takes a hundred times as long
