"""Compare the speed of the columns without networks with an earlier commit, at equal values.

    git worktree add ../before 3a9936d        (or: git archive 3a9936d | tar -x -C ../before)
    python -m benchmarks.signal_speed --before ../before [--repeats 7] [--pairs 32]

analysis     of one file of 8 s, all that the column ``mcd`` or ``mcd_c1`` reads, ready in memory
onset pair   detection on both sides, accuracy and average precision
set          ``bench score`` for onset accuracy, AP and MCD of 32 pairs, from the command to its
             results, with compiled code and without stored features; target: twice as fast

Each tree has a process of its own, with one thread and this environment, and both take turns. CPU
time is compared, which survives a busy machine, and for the set the time on the wall too, which
does not: of a pair of turns the ratio, over all turns its minimum, median and maximum. The verdict
is about the best times of both trees. Exits with 1 if a value differs or a target is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import numpy as np

AFTER = Path(__file__).resolve().parents[1]
COLUMNS = ("onset_acc", "onset_ap", "mcd")
RATE_HZ = 44_100

#: The process of one tree: it answers each line, a column and two files, with the CPU seconds of
#: the analysis and of the full scoring, and with the value.
TREE = """
import json, sys, time
import numpy as np
import bench.engine
from bench.judges import open_judge
from bench.suite import select
# As workers do; earlier commits have no such function.
getattr(bench.engine, "keep_freed_memory", int)()
judge = open_judge("signal", "av-benchmark")
class Media:
    def __init__(self, path):
        self.waveform = np.load(path)
    def signal(self, rate_hz):
        return self.waveform
def features(metric, media):
    return {each.name: each.open()(media) for each in judge.select(metric.reads)}
for line in sys.stdin:
    columns, true, made = json.loads(line)
    rows = select("av-benchmark", columns)
    true, made = Media(true), Media(made)
    begun = time.process_time()
    generated = features(rows[0], made)
    analysed = time.process_time()
    truth = features(rows[0], true)
    values = [row.score(truth, generated) for row in rows]
    scored = time.process_time()
    print(json.dumps([analysed - begun, scored - begun, values]), flush=True)
"""


class Tree(NamedTuple):
    """One checkout: a function that scores a pair by columns, and one that scores two folders."""

    score_pair: Callable[[tuple[str, ...], Path, Path], tuple[float, float, list[float]]]
    score_set: Callable[[Path], tuple[float, float, list[float]]]


def main() -> int:
    """Run all comparisons, print them, and return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--before", type=Path, required=True, help="a checkout of another commit")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--pairs", type=int, default=32)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_pairs(root, options.pairs)
        with open_tree(options.before.resolve(), root) as before, open_tree(AFTER, root) as after:
            results = list(compare(before, after, root, options.repeats))
    return int(not all(results))


def compare(before: Tree, after: Tree, root: Path, repeats: int) -> Iterator[bool]:
    """Print one line per comparison; yield whether it is met."""
    true, made = root / "true.npy", root / "made.npy"
    print(f"{'CPU time':<34}{'before':>12}{'after':>12}   ratio: min, median, max")
    for title, columns, part, target in (
        ("analysis of a file, mcd", ("mcd",), 0, 2.0),
        ("analysis of a file, mcd_c1", ("mcd_c1",), 0, 1.0),
        ("onset scores of a pair", ("onset_acc", "onset_ap"), 1, 1.0),
    ):
        turns = [
            [tree.score_pair(columns, true, made) for tree in (before, after)]
            # The first turn loads libraries and is not counted.
            for _ in range(repeats + 1)
        ][1:]
        values = [turns[0][side][2] for side in range(2)]
        # mcd_c1 had another definition up to the second version of the suite.
        is_equal = values[0] == values[1] or columns == ("mcd_c1",)
        yield report(title, [[side[part] for side in turn] for turn in turns], target) and is_equal
        if not np.allclose(*values, rtol=0.0, atol=1e-9):
            print(f"  {'another definition' if is_equal else 'VALUES DIFFER'}: {values}")
    for tree in (before, after):
        tree.score_set(root)  # compiles
    sets = [[tree.score_set(root) for tree in (before, after)] for _ in range(max(1, repeats // 3))]
    values = [side[2] for side in sets[0]]
    for title, part in (("onset, AP, MCD of a set", 0), ("the same on the wall", 1)):
        times = [[side[part] for side in turn] for turn in sets]
        yield report(title, times, 2.0) and values[0] == values[1]
    print(f"values {values[1]}" if values[0] == values[1] else f"VALUES DIFFER: {values}")


def report(title: str, turns: list[list[float]], target: float) -> bool:
    """Print the best seconds of both trees and the ratios of the turns."""
    ratios = [before / after for before, after in turns]
    best = [min(each) for each in zip(*turns, strict=True)]
    is_met = best[0] / best[1] >= target
    spread = (min(ratios), statistics.median(ratios), max(ratios))
    print(
        f"{title:<34}{best[0] * 1e3:9.1f} ms{best[1] * 1e3:9.1f} ms   "
        + ", ".join(f"{each:.2f}" for each in spread)
        + f"; best {best[0] / best[1]:.2f}, at least {target:g}: {'met' if is_met else 'MISSED'}",
        flush=True,
    )
    return is_met


@contextmanager
def open_tree(tree: Path, root: Path) -> Iterator[Tree]:
    """Start the process of a tree."""
    name = "after" if tree == AFTER else "before"
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "BENCH_BOUNDS": "0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "NUMBA_CACHE_DIR": str(root / f"compiled-{name}"),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", TREE],
        cwd=tree, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip

    def score_pair(columns: tuple[str, ...], true: Path, made: Path) -> Any:
        to_tree, from_tree = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
        print(json.dumps([columns, str(true), str(made)]), file=to_tree, flush=True)
        return json.loads(from_tree.readline())

    def score_set(folder: Path) -> tuple[float, float, list[float]]:
        results = folder / f"{name}.json"
        with tempfile.TemporaryDirectory() as home:
            command = [sys.executable, "-m", "bench", "score", "--judge", "signal"]
            command += ["--generated", str(folder / "made"), "--reference", str(folder / "true")]
            command += ["--metrics", ",".join(COLUMNS), "--json", str(results)]
            begun_s, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(
                command, cwd=tree, env=environment | {"BENCH_HOME": home}, check=True,
                capture_output=True,
            )  # fmt: skip
            wall_s = time.perf_counter() - begun_s
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        metrics = json.loads(results.read_text())["metrics"]
        return cpu_s, wall_s, [metrics[column]["value"] for column in COLUMNS]

    try:
        yield Tree(score_pair, score_set)
    finally:
        process.communicate()


def write_pairs(root: Path, n_pairs: int) -> None:
    """Write the pairs as FLAC of 44.1 kHz, and the first one as arrays of 22,050 Hz."""
    import soundfile
    import soxr

    from benchmarks.metrics_speed import make_waveform

    for side in ("true", "made"):
        (root / side).mkdir()
        for number in range(n_pairs):
            waveform = make_waveform(np.random.default_rng([number, side == "made"]))
            if number == 0:
                np.save(root / f"{side}.npy", waveform)
            samples = soxr.resample(waveform, RATE_HZ // 2, RATE_HZ)
            soundfile.write(root / side / f"clip_{number:06d}.flac", samples, RATE_HZ)


if __name__ == "__main__":
    sys.exit(main())
