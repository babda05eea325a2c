"""Kernel distance: the squared maximum mean discrepancy of two sets of features.

Unlike the Fréchet distance it assumes no Gaussian, and its expectation does not depend on how many
samples there are. Features are ``[N, D]``, mathematics in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.metrics.arrays import FloatArray, check_frame_pair


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
    first, second = check_frame_pair(true, generated)
    size = min(subset_size, len(first), len(second))
    if size < 2 or n_subsets < 1:
        raise ValueError(
            f"the kernel distance needs at least 1 subset of 2 samples, got {n_subsets} of {size}"
        )
    distances = []
    for _ in range(n_subsets):
        y = second[rng.choice(len(second), size, replace=False)]
        x = first[rng.choice(len(first), size, replace=False)]
        distances.append(_squared_discrepancy(x, y))
    return KernelDistance(float(np.mean(distances)), float(np.std(distances)))


def _squared_discrepancy(x: FloatArray, y: FloatArray) -> float:
    return _mean_of_pairs(x) + _mean_of_pairs(y) - 2.0 * float(_kernel(x, y).mean())


def _mean_of_pairs(x: FloatArray) -> float:
    """Mean kernel of two different samples of one set, ``[N, D]``."""
    kernel = _kernel(x, x)
    n = len(kernel)
    return float(kernel.sum() - np.trace(kernel)) / (n * (n - 1))


def _kernel(x: FloatArray, y: FloatArray) -> FloatArray:
    inner: FloatArray = x @ y.T / x.shape[1] + 1.0
    return inner * inner * inner  # inner**3 takes a hundred times as long
