"""Compare the speed of the Fréchet distance with a matrix square root, or with earlier code.

    python -m benchmarks.frechet_speed [--dimensions 2048] [--samples 8676] [--repeats 2]
    python -m benchmarks.frechet_speed --before DIR [the same options]

The features are rectified and their spectrum falls off, as those of a network do. Contestants take
turns, in one process.

Without ``--before`` the reference is what the evaluators in use compute: ``numpy.cov`` and the
trace of ``scipy.linalg.sqrtm(S1 @ S2)``. Two races are run: from mean and covariance to the
distance, which is where the methods differ, and from the features, where both also need the
covariances. The best of the repeats counts. Exits with 1 if the first ratio is below 10.

With ``--before DIR``, an earlier checkout of this repository, every round times its
``frechet_distance`` from features, ours from features ("cold"), and ours with the true side found
on disk ("warm", its hash and its reading included); then both at the sizes of ordinary runs. The
ratios of the rounds are printed as minimum, median and maximum. Exits with 1 if the median of warm
to before exceeds 0.61.

Either exits with 1 if values differ by 1e-6 or more, relatively.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy
from scipy.linalg import sqrtm

from bench.metrics import FrechetStatistics, frechet_distance
from bench.pipeline.set_statistics import find_gaussian
from benchmarks.checkout import import_from

TARGET_RATIO = 10
LARGEST_SHARE = 0.61
LARGEST_DIFFERENCE = 1e-6

#: Clips of ordinary runs, and the widths of PANNs, PaSST, VGGish and the small judge.
FEW_CLIPS = (48, 128, 500)
WIDTHS = (2_048, 768, 512, 128)
FEW_ROUNDS = 15

Moments = tuple[np.ndarray, np.ndarray]
Work = Callable[[], float]
Distance = Callable[[np.ndarray, np.ndarray], float]


class Timed(NamedTuple):
    """The seconds that a distance took, and its value."""

    seconds: float
    value: float


def main() -> int:
    """Run the contestants, print them, and return the exit code."""
    options = parse_options()
    true, generated = draw_rectified(options.samples, options.dimensions)
    print(
        f"{options.samples} x {options.samples} samples of {options.dimensions} dimensions, "
        f"SciPy {scipy.__version__}, {os.cpu_count()} cores, {options.repeats} rounds"
    )
    if options.before is None:
        return int(not race_square_root(true, generated, options.repeats))
    with tempfile.TemporaryDirectory() as home:
        os.environ["BENCH_HOME"] = home
        before = load_before(options.before)
        return int(not race_before(before, true, generated, options.repeats))


def parse_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Time the Fréchet distance.")
    parser.add_argument("--before", type=Path, help="an earlier checkout to compare with")
    parser.add_argument("--dimensions", type=int, default=2_048)
    parser.add_argument("--samples", type=int, default=8_676)
    parser.add_argument("--repeats", type=int, default=2)
    return parser.parse_args()


def race_square_root(true: np.ndarray, generated: np.ndarray, repeats: int) -> bool:
    """Print the races against the matrix square root; return whether both targets are met."""
    known, found = FrechetStatistics.of(true), FrechetStatistics.of(generated)
    described, other = (compute_moments(side) for side in (true, generated))
    works: dict[str, Work] = {
        "from statistics, sqrtm": lambda: by_square_root(described, other),
        "from statistics, ours": lambda: frechet_distance(known, found),
        "from features, sqrtm": lambda: by_square_root(
            compute_moments(true), compute_moments(generated)
        ),
        "from features, ours": lambda: frechet_distance(true, generated),
        "from features, ours, true side known": lambda: frechet_distance(known, generated),
    }
    rounds = take_turns(works, repeats)
    best = {name: min(each[name] for each in rounds) for name in works}
    theirs, ours = best["from statistics, sqrtm"], best["from statistics, ours"]
    reference = theirs
    for name, result in best.items():
        reference = result if name.endswith("sqrtm") else reference
        ratio = reference.seconds / result.seconds
        print(f"{name:<38} {result.seconds:8.2f} s  {ratio:6.1f}x   {result.value:.9g}")
    is_equal = report_difference(rounds, "from statistics, sqrtm")
    return theirs.seconds / ours.seconds >= TARGET_RATIO and is_equal


def race_before(before: Distance, true: np.ndarray, generated: np.ndarray, repeats: int) -> bool:
    """Print the races against earlier code; return whether both targets are met."""
    works: dict[str, Work] = {
        "before": lambda: before(true, generated),
        "cold": lambda: frechet_distance(true, generated),
        "warm": lambda: frechet_distance(find_gaussian(true), generated),
    }
    for work in works.values():  # imports, threads, and the file of the true side
        work()
    rounds = take_turns(works, repeats)
    seconds = ", ".join(
        f"{name} {min(each[name] for each in rounds).seconds:.2f} s" for name in works
    )
    print(f"best of each: {seconds}")
    for name in ("cold", "warm"):
        print(f"{name} / before  {describe_ratios(rounds, name)}")
    is_equal = report_difference(rounds, "before")
    for n_clips, width in itertools.product(FEW_CLIPS, WIDTHS):
        is_equal &= race_few(before, *draw_rectified(n_clips, width))
    median = float(np.median(compute_ratios(rounds, "warm")))
    print(f"warm / before: median {median:.3f}, at most {LARGEST_SHARE} expected")
    return median <= LARGEST_SHARE and is_equal


def race_few(before: Distance, true: np.ndarray, generated: np.ndarray) -> bool:
    """Print the race at the size of an ordinary run; return whether the values are equal."""
    works: dict[str, Work] = {
        "before": lambda: before(true, generated),
        "now": lambda: frechet_distance(true, generated),
    }
    rounds = take_turns(works, FEW_ROUNDS)
    print(f"{len(true):>4} x {true.shape[1]:<5} now / before {describe_ratios(rounds, 'now')}")
    return report_difference(rounds, "before")


def load_before(folder: Path) -> Distance:
    """Return ``frechet_distance`` of another checkout, loaded beside this one."""
    with import_from(folder):
        return importlib.import_module("bench.metrics.frechet").frechet_distance


def take_turns(works: dict[str, Work], repeats: int) -> list[dict[str, Timed]]:
    """Return what each work took and gave in every round; every other round is in reverse."""
    rounds = []
    for index in range(repeats):
        results = {}
        for name in list(works) if index % 2 == 0 else reversed(works):
            start_s = time.perf_counter()
            value = works[name]()
            results[name] = Timed(time.perf_counter() - start_s, value)
        rounds.append(results)
    return rounds


def compute_ratios(rounds: list[dict[str, Timed]], name: str) -> list[float]:
    """Return the time of one work over that of ``before``, for each round."""
    return [each[name].seconds / each["before"].seconds for each in rounds]


def describe_ratios(rounds: list[dict[str, Timed]], name: str) -> str:
    """Return the minimum, median and maximum of the ratios, and that of the best times."""
    ratios = compute_ratios(rounds, name)
    best, base = (min(each[key].seconds for each in rounds) for key in (name, "before"))
    spread = f"{min(ratios):.2f} / {np.median(ratios):.2f} / {max(ratios):.2f}"
    return f"{spread} (min / median / max; best times {best / base:.2f})"


def report_difference(rounds: list[dict[str, Timed]], reference: str) -> bool:
    """Print the largest relative difference from the reference; return whether it is small."""
    theirs = rounds[0][reference].value
    difference = max(abs(found.value / theirs - 1) for each in rounds for found in each.values())
    print(f"relative difference {difference:.1e}, below {LARGEST_DIFFERENCE:.0e} expected")
    return difference < LARGEST_DIFFERENCE


def compute_moments(features: np.ndarray) -> Moments:
    """Return mean and covariance as published scripts compute them."""
    return features.mean(axis=0), np.cov(features, rowvar=False)


def by_square_root(true: Moments, generated: Moments) -> float:
    """Return the distance as published scripts compute it."""
    (first_mean, first), (second_mean, second) = true, generated
    shift = first_mean - second_mean
    overlap = np.trace(sqrtm(first @ second)).real
    return float(shift @ shift + np.trace(first) + np.trace(second) - 2 * overlap)


def draw_rectified(n_samples: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two sets of float32 features, mixed, rectified, their variances falling like 1 / k."""
    rng = np.random.default_rng(0)
    deviation = np.arange(1, width + 1) ** -0.5
    rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
    sides = [(rng.normal(size=(n_samples, width)) * deviation) @ rotation for _ in range(2)]
    true, generated = (np.maximum(side + 0.02, 0).astype(np.float32) for side in sides)
    return true, generated * np.float32(1.1)


if __name__ == "__main__":
    sys.exit(main())
