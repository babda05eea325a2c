"""What the suite itself costs: start-up, bookkeeping of a large run, scoring beside the reference.

python benchmarks/runs_speed.py [clips]

bench --help     wall time of the command, best of five; target 0.4 s
bookkeeping      a run of 8,676 clips with a silent system and no metrics; target 60 s
rerun            the same command again, which finds everything done
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
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


def main() -> int:
    """Print the three times with their targets; 1 if one is missed."""
    n_clips = int(sys.argv[1]) if len(sys.argv) > 1 else N_CLIPS
    help_s = min(_help_seconds() for _ in range(5))
    print(f"bench --help                {help_s:8.2f} s   at most {HELP_TARGET_S} s")
    with tempfile.TemporaryDirectory() as folder:
        plan = _null_plan(Path(folder), n_clips)
        first_s, again_s = _timed_run(plan), _timed_run(plan)
    print(f"run of {n_clips:,} null clips   {first_s:8.2f} s   at most {RUN_TARGET_S} s")
    print(f"the same again              {again_s:8.2f} s")
    is_met = help_s <= HELP_TARGET_S and first_s <= RUN_TARGET_S
    print("targets met" if is_met else "TARGETS MISSED")
    return 0 if is_met else 1


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
