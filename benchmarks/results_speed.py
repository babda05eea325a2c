"""What ``bench results`` costs for every run of a group: 50 runs of 8,676 clips, targets 2 s.

python -m benchmarks.results_speed [--runs 50] [--clips 8676] [--rounds 5]

Synthetic runs with all columns of the judge ``paper``. Each row is a command in a fresh process:
the best time of the rounds by the clock, and the most memory that a process of them took.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bench.io import write_json
from bench.results import (
    Column,
    Results,
    mean_score,
    write_digests,
    write_failures,
    write_results,
    write_rows,
)
from bench.suite import DEFAULT_PROFILE, SUITE_VERSION, select

TARGET_S = 2.0
QUERIES = {
    "a row per run": (),
    "one column of all runs": ("--sql", "SELECT run, value FROM aggregates WHERE metric = 'mcd'"),
    "means of all clips, by run": (
        "--sql",
        "SELECT run, avg(mcd), avg(ib) FROM clips GROUP BY run",
    ),
    "two runs joined by clip": (
        *("--where", "seed < 2", "--sql"),
        "SELECT avg(b.mcd - a.mcd) FROM clips a JOIN clips b USING (clip) WHERE a.run < b.run",
    ),
}


def main() -> int:
    """Print a row per query; 1 if one takes longer than the target."""
    parser = argparse.ArgumentParser(description="What bench results costs.")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--clips", type=int, default=8_676)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.runs):
            write_run(Path(folder), number, options.clips)
        print(f"{options.runs} runs of {options.clips:,} clips, at most {TARGET_S:g} s")
        slowest = 0.0
        for name, arguments in QUERIES.items():
            spent = min(_time(Path(folder), arguments) for _ in range(options.rounds))
            print(f"{name:<28} {spent:6.2f} s")
            slowest = max(slowest, spent)
    # Of all processes so far the largest one: that of the query which reads all clips.
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"most memory {memory:.0f} MiB")
    return 0 if slowest <= TARGET_S else 1


def _time(folder: Path, arguments: tuple[str, ...]) -> float:
    command = [sys.executable, "-m", "bench", "results", "--runs", str(folder), *arguments]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def write_run(root: Path, number: int, n_clips: int) -> None:
    """Write a finished run of the system ``synthetic`` with drawn scores; seed ``number``."""
    rng = np.random.default_rng(number)
    metrics = select(DEFAULT_PROFILE)
    names = [each.name for each in metrics if each.score is not None]
    clips = [f"{i:011d}_000030" for i in range(n_clips)]
    values = rng.normal(5, 1, (n_clips, len(names))).round(6)
    rows = [
        {"clip": clip, "group": "", **dict(zip(names, row, strict=True))}
        for clip, row in zip(clips, values.tolist(), strict=True)
    ]
    scores = {name: mean_score(name, [1.0, 2.0, 3.0], clips[:3]) for name in names}
    columns = tuple(Column.of(each) for each in metrics if each.name in scores)
    about = ("vggsound-ib0.3", "full", number, "paper", DEFAULT_PROFILE, SUITE_VERSION)
    counts = (False, False, n_clips, n_clips, 0)
    found = Results("synthetic", *about, *counts, columns, scores)
    folder = root / "synthetic" / "vggsound-ib0.3" / f"full-{number}"
    write_rows(folder / "scores.parquet", rows, metrics)
    write_failures(folder, [])
    write_json(folder / "provenance.json", {"created": "2026-01-01T00:00:00+00:00"})
    write_results(folder, found)
    write_digests(folder)
    stated = {
        k: v for k, v in asdict(found).items() if k in {"system", "split", "condition", "seed"}
    }
    write_json(folder / "run.json", {"configuration": stated, "seconds_per_clip": {"score": 0.1}})


if __name__ == "__main__":
    sys.exit(main())
