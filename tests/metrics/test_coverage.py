"""How often 95 % intervals hold the truth, by simulation; ``pytest -m slow -s`` prints the table.

Means are of normal scores; distances are of two Gaussians of unequal covariance, whose clips are
paired or independent. What a distance is expected to be at this number of clips is the mean over
all simulated sets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest

from bench.metrics import (
    Interval,
    SetEstimate,
    estimate_interval,
    frechet_estimate,
    frechet_limit_estimate,
    inception_estimate,
    kernel_estimate,
    mean_interval,
    two_sample_interval,
)

LOW, HIGH = 0.93, 0.97

Draw = Callable[[np.random.Generator], Interval]


def share_covered(name: str, draw: Draw, n_sets: int, truth: float | None = None) -> float:
    """The share of intervals that hold the truth, or else the mean of all values; printed."""
    rng = np.random.default_rng(1)
    found = np.array([draw(rng)[:3] for _ in range(n_sets)])
    expected = found[:, 0].mean() if truth is None else truth
    share = float(np.mean((found[:, 1] <= expected) & (expected <= found[:, 2])))
    error = found[:, 0].std()
    width = np.mean(found[:, 2] - found[:, 1]) / 2
    print(f"{name:<44} {share:6.1%} of {n_sets}; half width / error {width / error:.2f}")
    return share


def clustered_scores(
    n_clusters: int, size: int, correlation: float, rng: np.random.Generator
) -> Interval:
    shared = np.repeat(rng.normal(size=n_clusters), size) * np.sqrt(correlation)
    own = rng.normal(size=n_clusters * size) * np.sqrt(1 - correlation)
    clusters = np.repeat([str(i) for i in range(n_clusters)], size)
    return mean_interval(shared + own, clusters.tolist(), rng)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_clusters", "size", "correlation"),
    [
        *((16, 5, correlation) for correlation in (0.0, 0.5, 0.8)),
        *((32, 3, correlation) for correlation in (0.0, 0.5, 0.8)),
        (128, 1, 0.0),
        (128, 3, 0.5),
    ],
)
def test_intervals_of_means_have_the_stated_coverage(n_clusters, size, correlation):
    draw = partial(clustered_scores, n_clusters, size, correlation)
    name = f"mean, {n_clusters} x {size}, correlation {correlation}"
    assert LOW <= share_covered(name, draw, 4_000, truth=0.0) <= HIGH


def mixes(width: int) -> Iterator[np.ndarray]:
    """Two square roots of covariances whose spectra fall off."""
    rng = np.random.default_rng(0)
    for _ in range(2):
        rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
        yield rotation * np.sqrt(rng.uniform(0.5, 1.5, width) / np.arange(1, width + 1))


def set_interval(
    estimate: Callable[[np.ndarray, np.ndarray], SetEstimate],
    n: int,
    roots: tuple[np.ndarray, ...],
    correlation: float | None,
    rng: np.random.Generator,
) -> Interval:
    """The interval of one drawn pair of sets; clips are independent where they do not correlate."""
    first, second = rng.normal(size=(2, n, len(roots[0])))
    if correlation is not None:
        second = correlation * first + np.sqrt(1 - correlation**2) * second
    found = estimate(first @ roots[0].T, second @ roots[1].T + 0.05)
    if correlation is None:
        return two_sample_interval(found.value, found.true, found.generated)
    clusters = [str(i) for i in range(n)]
    return estimate_interval(found.value, found.true + found.generated, clusters)


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.6, None])
@pytest.mark.parametrize(
    ("n", "width", "n_sets"), [(512, 64, 1_000), (128, 96, 1_000), (2_048, 128, 400)]
)
def test_intervals_of_frechet_distances_have_the_stated_coverage(n, width, n_sets, correlation):
    draw = partial(set_interval, frechet_estimate, n, tuple(mixes(width)), correlation)
    name = f"FD, {n} clips, {width} dimensions, correlation {correlation}"
    assert LOW <= share_covered(name, draw, n_sets) <= HIGH


def limit(true: np.ndarray, generated: np.ndarray) -> SetEstimate:
    return frechet_limit_estimate(true, generated, np.random.default_rng(2020))


def kernel(true: np.ndarray, generated: np.ndarray) -> SetEstimate:
    rng = np.random.RandomState(2020)
    return kernel_estimate(true, generated, rng, subset_size=200, n_subsets=10)


def inception(true: np.ndarray, generated: np.ndarray) -> SetEstimate:
    return inception_estimate(4 * generated[:, :8], np.random.RandomState(2020))


@pytest.mark.slow
@pytest.mark.parametrize("estimate", [limit, kernel, inception])
def test_intervals_of_other_metrics_of_sets_have_the_stated_coverage(estimate):
    draw = partial(set_interval, estimate, 256, tuple(mixes(32)), 0.6)
    name = f"{estimate.__name__}, 256 clips, 32 dimensions, correlation 0.6"
    assert LOW <= share_covered(name, draw, 1_000) <= HIGH


def difference(
    n: int, roots: tuple[np.ndarray, ...], rng: np.random.Generator, *, is_ratio: bool
) -> Interval:
    """The interval of two distances from one true set, of a near and of a far generated one."""
    true, near, far = rng.normal(size=(3, n, len(roots[0])))
    near, far = (0.6 * true + 0.8 * near) @ roots[0].T, (0.3 * true + 0.9 * far) @ roots[1].T
    first, second = (frechet_estimate(true @ roots[0].T, made) for made in (near, far + 0.1))
    found = second.over(first) if is_ratio else second.minus(first)
    clusters = [str(i) for i in range(n)]
    return estimate_interval(found.value, found.true + found.generated, clusters)


@pytest.mark.slow
@pytest.mark.parametrize("is_ratio", [False, True])
@pytest.mark.parametrize(("n", "width"), [(128, 96), (128, 256), (64, 512)])
def test_intervals_of_differences_have_the_stated_coverage_for_fewer_clips_than_dimensions(
    n, width, is_ratio
):
    draw = partial(difference, n, tuple(mixes(width)), is_ratio=is_ratio)
    name = f"FD {'ratio' if is_ratio else 'difference'}, {n} clips, {width} dimensions"
    assert share_covered(name, draw, 200) >= LOW
