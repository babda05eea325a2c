"""Compare the speed of the Fréchet distance with a matrix square root, at equal values.

    python benchmarks/frechet_speed.py [--dimensions 2048] [--samples 8676] [--repeats 2]

The features are rectified and their spectrum falls off, as those of a network do. The reference is
what the evaluators in use compute: ``numpy.cov`` and the trace of ``scipy.linalg.sqrtm(S1 @ S2)``.
Two races are run: from mean and covariance to the distance, which is where the methods differ, and
from the features, where both also need the covariances. Contestants take turns and the best of the
repeats counts. Exits with 1 if the first ratio is below 10, or values differ by 1e-6 or more,
relatively.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy
from scipy.linalg import sqrtm

from bench.metrics import FrechetStatistics, frechet_distance

TARGET_RATIO = 10
LARGEST_DIFFERENCE = 1e-6

Moments = tuple[np.ndarray, np.ndarray]
Work = Callable[[], float]


class Timed(NamedTuple):
    """The seconds that a distance took, and its value."""

    seconds: float
    value: float


def main() -> int:
    """Run the contestants, print them, and return the exit code."""
    options = parsed()
    true, generated = rectified(np.random.default_rng(0), options.samples, options.dimensions)
    known, found = FrechetStatistics.of(true), FrechetStatistics.of(generated)
    described, other = (moments(side) for side in (true, generated))
    print(
        f"{options.samples} x {options.samples} samples of {options.dimensions} dimensions, "
        f"SciPy {scipy.__version__}, {os.cpu_count()} cores, best of {options.repeats}"
    )
    results = race(
        {
            "from statistics, sqrtm": lambda: by_square_root(described, other),
            "from statistics, ours": lambda: frechet_distance(known, found),
            "from features, sqrtm": lambda: by_square_root(moments(true), moments(generated)),
            "from features, ours": lambda: frechet_distance(true, generated),
            "from features, ours, true side known": lambda: frechet_distance(known, generated),
        },
        options.repeats,
    )
    return int(not is_met(results))


def parsed() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description="Time the Fréchet distance.")
    parser.add_argument("--dimensions", type=int, default=2_048)
    parser.add_argument("--samples", type=int, default=8_676)
    parser.add_argument("--repeats", type=int, default=2)
    return parser.parse_args()


def race(works: dict[str, Work], repeats: int) -> dict[str, Timed]:
    """The value of each work and its best seconds, taking turns."""
    best: dict[str, Timed] = {}
    for _ in range(repeats):
        for name, work in works.items():
            start_s = time.perf_counter()
            value = work()
            result = Timed(time.perf_counter() - start_s, value)
            best[name] = min(best.get(name, result), result)
    return best


def is_met(results: dict[str, Timed]) -> bool:
    """Print all contestants and return whether both targets are met."""
    reference: Timed = results["from statistics, sqrtm"]
    for name, result in results.items():
        if name.endswith("sqrtm"):
            reference = result
        ratio = reference.seconds / result.seconds
        print(f"{name:<38} {result.seconds:8.2f} s  {ratio:6.1f}x   {result.value:.9g}")
    theirs, ours = results["from statistics, sqrtm"], results["from statistics, ours"]
    difference = max(abs(each.value / theirs.value - 1) for each in results.values())
    print(f"relative difference {difference:.1e}, below {LARGEST_DIFFERENCE:.0e} expected")
    return theirs.seconds / ours.seconds >= TARGET_RATIO and difference < LARGEST_DIFFERENCE


def moments(features: np.ndarray) -> Moments:
    """Mean and covariance as published scripts compute them."""
    return features.mean(axis=0), np.cov(features, rowvar=False)


def by_square_root(true: Moments, generated: Moments) -> float:
    """The distance as published scripts compute it."""
    (first_mean, first), (second_mean, second) = true, generated
    shift = first_mean - second_mean
    overlap = np.trace(sqrtm(first @ second)).real
    return float(shift @ shift + np.trace(first) + np.trace(second) - 2 * overlap)


def rectified(
    rng: np.random.Generator, n_samples: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of float32 features, mixed, rectified, their variances falling like 1 / k."""
    deviation = np.arange(1, width + 1) ** -0.5
    rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
    sides = [(rng.normal(size=(n_samples, width)) * deviation) @ rotation for _ in range(2)]
    true, generated = (np.maximum(side + 0.02, 0).astype(np.float32) for side in sides)
    return true, generated * np.float32(1.1)


if __name__ == "__main__":
    sys.exit(main())
