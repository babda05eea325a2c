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

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.metrics.arrays import FloatArray, IntArray, check_frame_pair
from bench.metrics.estimates import SetEstimate

#: Most values of a kernel of all samples: 128 MB, two or three times.
MOST_ENTRIES = 16_000_000


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

    values: FloatArray
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
    found = _Subsets(np.zeros(n_subsets), np.zeros(len(first)), np.zeros(len(second)))
    rows = []
    for _ in range(n_subsets):
        # The generated side first, which is av-benchmark's order of draws.
        ys = rng.choice(len(second), size, replace=False)
        rows.append((rng.choice(len(first), size, replace=False), ys))
    means: Iterable[tuple[FloatArray, FloatArray]]
    n_entries = max(len(first), len(second)) ** 2
    # Kernels of all samples, once, or of every subset: whichever is less, and fits into memory.
    if n_entries > min(size**2 * n_subsets, MOST_ENTRIES):
        means = (_means_of_subset(first[xs], second[ys]) for xs, ys in rows)
    else:
        means = _means_from_all(first, second, rows)
    for i, ((xs, ys), (of_x, of_y)) in enumerate(zip(rows, means, strict=True)):
        # Their means are E h(x, x') - E h(x, y) and E h(y, y') - E h(x, y), which sum to the
        # distance; deviations from the means are the g_i - mean g of the module's projection.
        found.values[i] = of_x.mean() + of_y.mean()
        found.true[xs] += 2.0 * (of_x - of_x.mean()) / (size * n_subsets)
        found.generated[ys] += 2.0 * (of_y - of_y.mean()) / (size * n_subsets)
    return found


def _means_of_subset(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean kernel of each sample with the others of its side less that with the other.

    One array ``[n]`` for each side of a subset, ``x [n, D]`` and ``y [n, D]``.
    """
    within, between = (_kernel(x, x), _kernel(y, y)), _kernel(x, y)
    of_x, of_y = ((kernel.sum(axis=1) - kernel.diagonal()) / (len(kernel) - 1) for kernel in within)
    return of_x - between.mean(axis=1), of_y - between.mean(axis=0)


def _means_from_all(
    first: FloatArray, second: FloatArray, rows: list[tuple[IntArray, IntArray]]
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield the same for the subsets with these rows of both sides, from one kernel of all.

    With column k of E ``[N, n_subsets]`` 1 for the samples of subset k and 0 for others, K E sums
    the kernel of every sample over every subset at once.
    """
    size = len(rows[0][0])
    in_first, in_second = (np.zeros((len(side), len(rows))) for side in (first, second))
    for k, (xs, ys) in enumerate(rows):
        in_first[xs, k] = in_second[ys, k] = 1.0
    between = _kernel(first, second)
    crossed = between @ in_second, between.T @ in_first
    del between  # as large as what follows
    totals = []
    for side, chosen, others in zip((first, second), (in_first, in_second), crossed, strict=True):
        kernel = _kernel(side, side)
        # A sample is no other of its own: its kernel with itself is left out.
        sums = kernel @ chosen - kernel.diagonal()[:, None]
        totals.append(sums / (size - 1) - others / size)
    for k, (xs, ys) in enumerate(rows):
        yield totals[0][xs, k], totals[1][ys, k]


def _kernel(x: FloatArray, y: FloatArray) -> FloatArray:
    inner: FloatArray = x @ y.T
    inner /= x.shape[1]
    inner += 1.0
    cube = inner * inner  # inner**3 calls pow(), which takes a hundred times as long
    cube *= inner
    return cube
