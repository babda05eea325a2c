"""What the books of a large run cost: whether time and memory grow no faster than the clips.

python -m benchmarks.bookkeeping [--clips 1000 10000 100000] [--systems 20] [--folder DIR]

A run of null clips is written as ``bench run`` would have left it: media and samples of a few
hundred bytes, features, journal. Nothing is decoded, so what is timed is the bookkeeping alone:

hash        the first look at every file: its SHA-256 is remembered
join        which clips have no sample or no row, from the journal and the features that are stored
outcome     the files of results, from finished rows
finished    the same call once more, when nothing is left to do
table       ``bench table RUNS`` for ``--systems`` finished runs of so many clips
results     ``bench results`` for them, a row per run
all clips   ``bench results`` with the mean of a column over all clips of all runs

Each step is a process of its own. Its memory is the most that it takes beyond what it has once the
list of clips is made; the bytes a clip are what each clip beyond the number before adds to it.
``growth`` is that of the CPU time per clip from one number to the next: 1 is linear, and below 1
the start of the process counts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import save

from bench.digests import SETTLED_S
from bench.judges import AUDIO_REMARKS, open_judge
from bench.pipeline.extract import media_keys
from bench.pipeline.journal import Journal
from bench.pipeline.outcome import _row_kind, _versions, pair_of, without_row
from bench.pipeline.plan import RunPlan, scoring_fingerprint
from bench.pipeline.run import look_ahead, no_progress, run
from bench.pipeline.samples import examine_samples, remember_sample
from bench.splits import Split
from bench.suite import DEFAULT_PROFILE, select, select_computable
from bench.system import Generate, System
from bench.types import Clip, Excerpt
from benchmarks.results_speed import write_run

HERE = Path(__file__).resolve().parents[1]
SECONDS = 8.0
#: A call on a finished run may take so long at 100,000 clips.
FINISHED_TARGET_S = 5.0
#: What the coordinator may hold for a clip beyond the list of clips.
TARGET_BYTES = 100
TARGETED_STEPS = ("join", "finished")


class Cost(NamedTuple):
    """Seconds by the clock and of the processor, and the most bytes; 0 where not measured."""

    wall_s: float
    cpu_s: float
    taken: int


def main() -> int:
    """Print a row per step and number of clips; 1 if a target is missed."""
    parser = argparse.ArgumentParser(description="What the books of a large run cost.")
    parser.add_argument("--clips", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--systems", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="where to write 4 small files a clip")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(_measure(STEPS[options.step], options.folder, options.clips[0])))
        return 0
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print("| step | clips | seconds | of CPU | ms of CPU a clip | growth | bytes a clip |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    found = {n: _measure_all(options.folder, n, options.systems) for n in options.clips}
    missed = []
    for step in found[options.clips[0]]:
        for i, n in enumerate(options.clips):
            each, growth, taken = found[n][step], "", ""
            if i:
                fewer, before = options.clips[i - 1], found[options.clips[i - 1]][step]
                growth = f"{each.cpu_s / n / (before.cpu_s / fewer):.2f}"
                n_bytes = (each.taken - before.taken) / (n - fewer)
                taken = f"{n_bytes:,.0f}" if each.taken else ""
                if n >= 100_000 and step in TARGETED_STEPS and n_bytes > TARGET_BYTES:
                    missed.append(f"{step}: more than {TARGET_BYTES} bytes a clip")
            print(
                f"| {step} | {n:,} | {each.wall_s:.2f} | {each.cpu_s:.2f} "
                f"| {1000 * each.cpu_s / n:.3f} | {growth} | {taken} |"
            )
    if found[options.clips[-1]]["finished"].cpu_s > FINISHED_TARGET_S:
        missed.append(f"a finished run takes more than {FINISHED_TARGET_S:g} s")
    print("; ".join(missed) or "targets met")
    return bool(missed)


def _measure_all(root: Path | None, n_clips: int, n_systems: int) -> dict[str, Cost]:
    """Return what every step costs for so many clips."""
    with tempfile.TemporaryDirectory(dir=root) as folder:
        home = {**os.environ, "BENCH_HOME": f"{folder}/home", "PYTHONPATH": str(HERE)}
        found = {}
        for step in STEPS:
            command = [sys.executable, "-m", "benchmarks.bookkeeping", "--step", step]
            done = subprocess.run(
                [*command, "--folder", folder, "--clips", str(n_clips)],
                env=home, check=True, stdout=subprocess.PIPE,
            )  # fmt: skip
            found[step] = Cost(*json.loads(done.stdout))
            if step == "make":
                time.sleep(SETTLED_S + 1)  # files are remembered that have not changed just now
        del found["make"]
        for number in range(n_systems):
            write_run(Path(folder) / "others", number, n_clips)
        for step, arguments in COMMANDS.items():
            started, before = time.perf_counter(), _children_cpu_s()
            subprocess.run(
                [sys.executable, "-m", "bench", *arguments],
                cwd=folder, env=home, check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            found[step] = Cost(time.perf_counter() - started, _children_cpu_s() - before, 0)
        return found


COMMANDS = {
    "table": ("table", "others"),
    "results": ("results", "--runs", "others"),
    "all clips": ("results", "--runs", "others", "--sql", "SELECT avg(mcd) FROM clips"),
}


def _children_cpu_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _measure(step: Callable[[RunPlan], None], folder: Path, n_clips: int) -> Cost:
    plan = _null_plan(folder, n_clips)
    with _peak_memory() as taken:
        started, cpu_s = time.perf_counter(), time.process_time()
        step(plan)
        spent = time.perf_counter() - started, time.process_time() - cpu_s
    return Cost(*spent, taken[0])


@contextmanager
def _peak_memory() -> Iterator[list[int]]:
    """Yield a list that gets the most bytes that this process takes beyond what it has now."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak is from here on
    before, taken = _read_status("VmRSS"), list[int]()
    yield taken
    taken.append(_read_status("VmHWM") - before)


def _read_status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])


def _make(plan: RunPlan) -> None:
    """Write media, samples, features and the journal of a run that only lacks its results."""
    journal, rng = Journal(plan.directory / "journal.jsonl"), np.random.default_rng(0)
    names = [metric.name for metric in plan.metrics]
    remarks = save({"peak": np.float32([0.5]), "start_gap_s": np.float32([0.0])})
    for clip in plan.clips:
        for path in plan.files_of(clip):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{clip.name} {path.suffix}".encode() * 20)
        remember_sample(plan, journal, clip, plan.sample_fingerprint(clip), {})
        keys = media_keys(plan.scoring, pair_of(plan, clip))
        for role, key in keys.items():
            path = plan.scoring.store(role).path(AUDIO_REMARKS, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(remarks)  # without a flush to disk, which takes longest
        scores = dict(zip(names, rng.normal(5, 1, len(names)).round(6).tolist(), strict=True))
        journal.add(
            _row_kind(plan), clip.name, scoring_fingerprint(plan, clip),
            keys=keys, scores={**scores, "true_onsets": 3, "generated_onsets": 4},
            extractors=_versions(plan),
        )  # fmt: skip
    journal.close()


def _hash(plan: RunPlan) -> None:
    look_ahead(plan)


def _join(plan: RunPlan) -> None:
    journal = Journal(plan.directory / "journal.jsonl")
    left = examine_samples(plan, journal).missing, without_row(plan, journal)
    if any(left):
        raise SystemExit(f"{len(left[0])} samples and {len(left[1])} rows are missing")


def _run(plan: RunPlan) -> None:
    if failures := run(plan, no_progress).failures:
        raise SystemExit(f"the null run failed: {failures[0]}")


def _start_again(plan: RunPlan) -> None:
    """The two looks of a call of ``bench run``: before the lock, and with it."""
    if look_ahead(plan).seconds:
        raise SystemExit("something is left to do")
    _run(plan)


STEPS = {"make": _make, "hash": _hash, "join": _join, "outcome": _run, "finished": _start_again}


def _null_plan(folder: Path, n_clips: int) -> RunPlan:
    """Clips whose media and samples are never decoded, and the columns of single clips."""
    clips = tuple(_clip(folder / "clips", number) for number in range(n_clips))
    judge = open_judge("signal", DEFAULT_PROFILE)
    metrics = select_computable(select(DEFAULT_PROFILE), judge)
    return RunPlan(
        system=System("null", "nothing", frozenset(), _refuse, sample_rate_hz=16_000),
        system_name="null",
        split=Split("null", clips),
        clips=clips,
        judge=judge,
        # Others read features of all clips for their results: that is computing.
        metrics=tuple(m for m in metrics if m.score is not None and not m.has_chance),
        seed=0,
        root=folder / "runs",
        workers=1,
    )


def _clip(folder: Path, number: int) -> Clip:
    name = f"clip{number:07}_000030"
    path = folder / f"{name}.mp4"
    hash(path)  # as opening a split does, which looks for its files: a path keeps its text then
    return Clip(name, Excerpt(path, 0.0, SECONDS), SECONDS, None, Excerpt(path, SECONDS, 2.0))


def _refuse(device: str) -> Generate:
    raise SystemExit("nothing is to be generated")


if __name__ == "__main__":
    sys.exit(main())
