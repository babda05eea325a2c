"""How long tables of many finished runs take: 50 runs of 8,676 clips, each with its samples.

python -m benchmarks.tables_speed [--runs 50] [--clips 8676] [--before DIR]

bench table RUNS    one row per run, from the aggregates; target 5 s
bench table 1       the runs that reproduce a table of the paper; target 5 s
--significant       Table 1 with marks by per-clip scores, which only this option reads

The runs are written with drawn scores. Samples are empty files: a search for runs that walks
through them is what took longest. ``--before`` times the same with an older checkout, in turns.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bench.results import Column, Results, Score, write_results
from bench.suite import DEFAULT_PROFILE, SUITE_VERSION, select
from reports.published import load_table

TARGET_S = 5.0
ROUNDS = 3
HERE = Path(__file__).resolve().parents[1]


def main() -> int:
    """Print the times, and the ratio to the older checkout; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description="How long tables of many runs take.")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--clips", type=int, default=8_676)
    parser.add_argument("--before", type=Path, help="a checkout of an older version")
    options = parser.parse_args()
    commands = {
        "bench table RUNS": ("table", "runs"),
        "bench table 1": ("table", "1", "--with-paper"),
        "--significant": ("table", "1", "--significant"),
    }
    is_met = True
    with tempfile.TemporaryDirectory() as folder:
        write_runs(Path(folder) / "runs", options.runs, options.clips)
        for name, command in commands.items():
            now, before = [], []
            for _ in range(ROUNDS):
                now.append(_seconds(HERE, Path(folder), command))
                if options.before and command == ("table", "runs"):  # the others are new
                    before.append(_seconds(options.before, Path(folder), command))
            has_target = command[-1] in ("runs", "--with-paper")
            is_met &= not has_target or min(now) <= TARGET_S
            target = f"   at most {TARGET_S:g} s" if has_target else ""
            ratio = f"   {min(before) / min(now):.1f} times as fast as before" if before else ""
            print(f"{name:20} {min(now):7.2f} s{target}{ratio}")
    print("targets met" if is_met else "TARGETS MISSED")
    return 0 if is_met else 1


def write_runs(root: Path, n_runs: int, n_clips: int) -> None:
    """Write finished runs with drawn scores; the first are those of Table 1."""
    rng = np.random.default_rng(0)
    metrics = [each for each in select(DEFAULT_PROFILE) if not each.is_extra]
    names = [f"clip{i:07}_000000" for i in range(n_clips)]
    base = pd.DataFrame({"clip": names, "group": "", "cluster": names})
    declared = [row.runs["paper"] for row in load_table(1).rows]
    wanted = [(each.system, each.condition) for each in declared]
    wanted += [(f"system-{i:02}", "full") for i in range(n_runs - len(wanted))]
    about = Results(
        "", "vggsound-ib0.3", "full", 42, "paper", DEFAULT_PROFILE, SUITE_VERSION, False, False,
        n_clips, n_clips, 0, tuple(map(Column.of, metrics)), {}, clips="same",
    )  # fmt: skip
    for system, condition in wanted:
        directory = root / system / about.split / f"{condition}-42"
        (directory / "samples").mkdir(parents=True)
        (directory / "journal.jsonl").touch()
        for name in names:
            (directory / "samples" / f"{name}.flac").touch()
        level, rows, scores = rng.normal(1.0, 0.05), base.copy(), {}
        for metric in metrics:
            values = rng.normal(level, 0.3, n_clips)
            if metric.score is not None:
                rows[metric.name] = values
            mean, half = float(values.mean()), 0.01
            scores[metric.name] = Score(mean, mean - half, mean + half, n_clips)
        rows.to_parquet(directory / "scores.parquet", index=False)
        found = replace(about, system=system, condition=condition, metrics=scores)
        write_results(directory, found)


def _seconds(checkout: Path, folder: Path, command: tuple[str, ...]) -> float:
    environment = {**os.environ, "PYTHONPATH": str(checkout), "BENCH_HOME": str(folder / "home")}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "bench", *command],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
