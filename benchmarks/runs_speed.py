"""What the suite itself costs: start-up, bookkeeping of a large run, small runs, scaling.

python benchmarks/runs_speed.py [--clips 8676] [--mini-clips 48] [--rounds 3] [--before DIR]

bench --help     wall time of the command, best of five; target 0.4 s
bookkeeping      a run of 8,676 clips with a silent system and no metrics; target 60 s
rerun            the same command again, which finds everything done
two workers      the judge `mini` on 48 clips with one worker and with two, a new home each time;
                 target of the ratio 1.6, on two cores that do nothing else
small runs       three commands on two or three clips, in which starting processes takes longest;
                 with `--before`, a checkout of an older version, beside the same there

Rounds alternate between what is compared, so that what else the machine does falls on both alike.
CPU seconds are those of the command and all processes that it started.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bench.judges import open_judge
from bench.media import write_audio
from bench.pipeline.plan import RunPlan
from bench.pipeline.run import run
from bench.splits import Split
from bench.system import Generate, System, one_by_one
from bench.types import Audio, Clip, Excerpt, Request

N_CLIPS = 8_676
RATE_HZ = 8_000
SECONDS = 0.25
HELP_TARGET_S = 0.4
RUN_TARGET_S = 60.0
SCALING_TARGET = 1.6

HERE = Path(__file__).resolve().parents[1]
#: What is timed of a command: seconds by the clock, and of the processor.
Seconds = tuple[float, float]


def main() -> int:
    """Print all times with their targets; 1 if one is missed."""
    parser = argparse.ArgumentParser(description="What the suite itself costs.")
    parser.add_argument("--clips", type=int, default=N_CLIPS)
    parser.add_argument("--mini-clips", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path, help="a checkout of an older version")
    options = parser.parse_args()
    help_s = min(_help_seconds() for _ in range(5))
    print(f"bench --help                {help_s:8.2f} s   at most {HELP_TARGET_S} s")
    with tempfile.TemporaryDirectory() as folder:
        plan = _null_plan(Path(folder), options.clips)
        first_s, again_s = _timed_run(plan), _timed_run(plan)
    print(f"run of {options.clips:,} null clips   {first_s:8.2f} s   at most {RUN_TARGET_S} s")
    print(f"the same again              {again_s:8.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        ratio = _measure_commands(Path(folder), options)
    is_met = help_s <= HELP_TARGET_S and first_s <= RUN_TARGET_S and ratio >= SCALING_TARGET
    print("targets met" if is_met else "TARGETS MISSED")
    return 0 if is_met else 1


def _measure_commands(root: Path, options: argparse.Namespace) -> float:
    """Time commands on mini clips; return how much faster two workers are than one."""
    from bench.io import bench_home

    data, limit = bench_home() / "data", str(options.mini_clips)
    if not (data / "mini").is_dir():
        raise SystemExit("needs the mini clips: bench data prepare mini")
    for side in ("true", "made"):
        for number in range(3):
            rng = np.random.default_rng(number)
            noise = rng.uniform(-0.5, 0.5, (1, 128_000)).astype(np.float32)
            write_audio(root / side / f"{number}.wav", Audio(noise, 16_000))
    folders = ("--reference", str(root / "true"), "--generated", str(root / "made"))
    mini = ("--split", "mini", "--limit")
    scored = ("run", "--model", "ground-truth", *mini, limit)

    def timed(tree: Path, *command: str) -> Callable[[], Seconds]:
        return lambda: _time_command(tree, data, command)

    small = {
        "score of 3 files": ("score", *folders, "--workers", "2"),
        "run of noise": ("run", "--model", "noise", *mini, "2"),
        "run of acfoley-mini": ("run", "--model", "acfoley-mini", *mini, "2"),
    }
    for name, command in small.items():
        trees = [HERE, *([options.before] if options.before else [])]
        _compare(name, [timed(tree, *command) for tree in trees], options.rounds)
    ways = [timed(HERE, *scored, "--workers", str(n)) for n in (2, 1)]
    return _compare(f"{limit} clips, 2 workers and 1", ways, options.rounds)


def _time_command(tree: Path, data: Path, command: Sequence[str]) -> Seconds:
    """Run a command of a checkout in a new home; return its time by the clock and the processor."""
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "data").symlink_to(data)
        runs = ["--runs", f"{home}/runs"] if command[0] == "run" else []
        compiled = str(data.parent / "compiled")  # or numba would compile for half a minute
        variables = {"BENCH_HOME": home, "BENCH_BOUNDS": "0", "NUMBA_CACHE_DIR": compiled}
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "bench", *command, *runs],
            cwd=tree,
            env={**os.environ, **variables},
            check=True,
            capture_output=True,
        )
        wall_s, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall_s, cpu_s


def _compare(name: str, ways: Sequence[Callable[[], Seconds]], n_rounds: int) -> float:
    """Print the least times of each, and the ratios of the last to the first; return the median."""
    rounds = [[way() for way in ways] for _ in range(n_rounds)]
    for column in zip(*rounds, strict=True):
        wall_s, cpu_s = (min(each) for each in zip(*column, strict=True))
        print(f"{name:<27} {wall_s:8.2f} s   {cpu_s:8.2f} s of CPU")
    if len(ways) == 1:
        return 1.0
    ratios = sorted(found[-1][0] / found[0][0] for found in rounds)
    median = statistics.median(ratios)
    print(f"  ratio by the clock        {ratios[0]:8.2f} to {ratios[-1]:.2f}, median {median:.2f}")
    return median


def _help_seconds() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "bench", "--help"], check=True, capture_output=True)
    return time.perf_counter() - started


def _timed_run(plan: RunPlan) -> float:
    started = time.perf_counter()
    result = run(plan, lambda stage, done, total: None)
    if result.failures:
        raise SystemExit(f"the null run failed: {result.failures[0]}")
    return time.perf_counter() - started


def _null_plan(folder: Path, n_clips: int) -> RunPlan:
    """Clips that are tiny files of their own, a system that answers with silence, no metric."""
    clips = tuple(_clip(folder / "clips", number) for number in range(n_clips))
    return RunPlan(
        system=System("null", "silence", frozenset(), _open_null, sample_rate_hz=RATE_HZ),
        system_name="null",
        split=Split("null", clips),
        clips=clips,
        judge=open_judge("signal", "av-benchmark"),
        metrics=(),
        seed=0,
        root=folder / "runs",
        workers=2,
    )


def _clip(folder: Path, number: int) -> Clip:
    path = folder / f"{number:06d}.wav"
    rng = np.random.default_rng(number)
    samples = rng.uniform(-0.5, 0.5, (1, round(RATE_HZ * SECONDS))).astype(np.float32)
    write_audio(path, Audio(samples, RATE_HZ))
    return Clip(f"{number:06d}", Excerpt(path, 0.0, SECONDS), SECONDS)


def _open_null(device: str) -> Generate:
    return one_by_one(_silence)


def _silence(request: Request) -> Audio:
    return Audio(np.zeros((1, round(RATE_HZ * request.seconds)), np.float32), RATE_HZ)


if __name__ == "__main__":
    sys.exit(main())
