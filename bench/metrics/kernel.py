"""Kernel distance: the squared maximum mean discrepancy of two sets of features.

Unlike the Fréchet distance it assumes no Gaussian, and its expectation does not depend on how many
samples there are. Features are ``[N, D]``, mathematics in float64. With the kernel h, a pair of
sets has the estimate ``mean h(x, x') + mean h(y, y') - 2 mean h(x, y)``, x' and y' being others.
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

    The unbiased estimate with the kernel ``(x.y / D + 1)^3``, so equal laws may give values just
    below 0. Subsets of min(``subset_size``, N, M) samples are drawn without replacement, the
    generated one first; the published numbers of av-benchmark use ``RandomState(2020)``. Binkowski
    et al., "Demystifying MMD GANs", 2018. ValueError for fewer than two samples in a subset, no
    subset, unequal widths, or values that are not finite.
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

    Contributions are Hajek projections (Hoeffding, "A class of statistics with asymptotically
    normal distribution", 1948): twice the mean kernel of a sample with the others of its side less
    that with the other side, in every subset that holds it. ValueError as there.
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
    found = _Subsets([], np.zeros(len(first)), np.zeros(len(second)))
    for _ in range(n_subsets):
        ys = rng.choice(len(second), size, replace=False)
        xs = rng.choice(len(first), size, replace=False)
        x, y = first[xs], second[ys]
        between = _kernel(x, y)
        of_x = _mean_with_others(x) - between.mean(axis=1)
        of_y = _mean_with_others(y) - between.mean(axis=0)
        found.values.append(float(of_x.mean() + of_y.mean()))
        found.true[xs] += 2.0 * (of_x - of_x.mean()) / (size * n_subsets)
        found.generated[ys] += 2.0 * (of_y - of_y.mean()) / (size * n_subsets)
    return found


def _mean_with_others(x: FloatArray) -> FloatArray:
    """Mean kernel of each sample with the others of its set, ``[N]``."""
    kernel = _kernel(x, x)
    means: FloatArray = (kernel.sum(axis=1) - kernel.diagonal()) / (len(kernel) - 1)
    return means


def _kernel(x: FloatArray, y: FloatArray) -> FloatArray:
    inner: FloatArray = x @ y.T / x.shape[1] + 1.0
    return inner * inner * inner  # inner**3 takes a hundred times as long
