"""What each engine costs beside a bare loop and a bare ``map_batches`` of Ray Data.

    python -m benchmarks.engines [overhead] [efficiency] [null] [--engines local,ray,slurm]
                                 [--clips 400] [--seconds 0.1] [--null-clips 15446] [--rounds 3]

overhead     clips that sleep: from the first clip's start to the last clip's end, with two workers,
             beside a loop of half the clips in this process and beside ``map_batches`` with two
             actors. Medians of ratios, each within one round; target: at most 1.05
efficiency   the columns without networks of noise, 8 s a clip: one worker against two, each on a
             core of its own; target: at least 0.9 of twice as fast. Means nothing where anything
             else computes
null         clips that do nothing: time of the whole map, and peaks of memory, of this process and
             of all that belong to it

``slurm`` is its jobs as local processes (``--slurm cluster=local``): each chunk starts a process,
which is a cost per chunk, not per clip. The time that workers take to start, and the time from the
last clip to the end of the map, are printed beside: they do not grow with the clips.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from bench.engine import Engine, WorkerSettings
from bench.engine.choice import choose_engine
from bench.judges import open_judge
from bench.media import write_audio
from bench.pipeline.extract import load
from bench.pipeline.feature_store import ExtractorCache
from bench.pipeline.roles import Pair, Scoring
from bench.seeds import stable_seed
from bench.suite import select
from bench.types import Audio, Clip, Excerpt

PARTS = ("overhead", "efficiency", "null")
MOST_OVERHEAD, LEAST_EFFICIENCY = 1.05, 0.9
N_WORKERS = 2
BATCH = 16
RATE_HZ, SECONDS = 44_100, 8.0
COLUMNS = ("onset_acc", "onset_ap", "mcd")
BARE = "map_batches"

#: When a clip began and when it ended, by the clock of the machine.
Span = list[float]


class Timing(NamedTuple):
    """Seconds until the first clip begins, from there to the end of the last, and to the end."""

    start_s: float
    work_s: float
    end_s: float


def main() -> int:
    """Print a table for each part; 1 if a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help=f"all of: {', '.join(PARTS)}")
    parser.add_argument("--engines", default="local,ray,slurm")
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=0.1, help="of sleep in a clip")
    parser.add_argument("--null-clips", type=int, default=15_446)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    parts, engines = given.parts or list(PARTS), given.engines.split(",")
    if unknown := {*parts} - {*PARTS}:
        parser.error(f"no part {min(unknown)}; there are: {', '.join(PARTS)}")
    is_met = True
    if "overhead" in parts:
        is_met &= measure_overhead(engines, given.clips, given.seconds, given.rounds)
    if "efficiency" in parts:
        is_met &= measure_efficiency(engines, given.clips, given.rounds)
    if "null" in parts:
        measure_null(engines, given.null_clips)
    print(f"load average {os.getloadavg()[0]:.1f}")
    print("targets met" if is_met else "TARGETS MISSED")
    return 0 if is_met else 1


def measure_overhead(engines: Sequence[str], n_clips: int, seconds: float, n_rounds: int) -> bool:
    """Print what a sleeping clip takes with each engine, as ratios to the two bare ways."""
    work = partial(open_sleep, seconds)
    names = [*engines, *([BARE] if "ray" in engines else [])]
    print(f"\n{n_clips} clips that sleep {1000 * seconds:g} ms, {N_WORKERS} workers")
    found: dict[str, list[Timing]] = {name: [] for name in names}
    loops = []
    for _ in range(n_rounds):
        loops.append(time_loop(work, n_clips // N_WORKERS))
        for name in names:
            found[name].append(time_map(name, work, range(n_clips), N_WORKERS))
    is_met = True
    for name, timings in found.items():
        to_loop = _median_ratio(timings, loops)
        line = f"{name:12s} {to_loop:6.3f} of a bare loop"
        if BARE in found and name != BARE:
            line += (
                f"   {_median_ratio(timings, [each.work_s for each in found[BARE]]):6.3f} of {BARE}"
            )
        print(f"{line}   {_describe_ends(timings)}")
        if name in ("local", "ray"):
            is_met &= to_loop <= MOST_OVERHEAD
    return is_met


def measure_efficiency(engines: Sequence[str], n_clips: int, n_rounds: int) -> bool:
    """Print how much faster two workers are than one, of twice."""
    print(f"\n{n_clips} pairs of {SECONDS:g} s for {', '.join(COLUMNS)}")
    with tempfile.TemporaryDirectory() as folder:
        pairs = write_pairs(Path(folder), n_clips)
        found: dict[str, list[float]] = {name: [] for name in engines}
        for number in range(n_rounds):
            for name in engines:
                spent = []
                for n_workers in (1, N_WORKERS):
                    store = Path(folder) / f"{name}-{number}-{n_workers}"
                    os.environ["BENCH_HOME"] = str(store)
                    spent.append(
                        time_map(name, partial(open_signal, store), pairs, n_workers).work_s
                    )
                found[name].append(spent[0] / spent[1] / N_WORKERS)
    is_met = True
    for name, values in found.items():
        median = statistics.median(values)
        print(
            f"{name:12s} {median:6.3f} of twice as fast   ({min(values):.3f} to {max(values):.3f})"
        )
        is_met &= median >= LEAST_EFFICIENCY or name == "slurm"
    return is_met


def measure_null(engines: Sequence[str], n_clips: int) -> None:
    """Print time and memory of a map over clips that do nothing."""
    print(f"\n{n_clips} clips that do nothing, {N_WORKERS} workers")
    for name in [*engines, *([BARE] if "ray" in engines else [])]:
        with peak_memory() as peak:
            timing = time_map(name, partial(open_sleep, 0.0), range(n_clips), N_WORKERS)
        print(
            f"{name:12s} {sum(timing):7.1f} s in all,"
            f" {1e3 * timing.work_s / n_clips:6.2f} ms a clip"
            f"   {_describe_ends([timing])}"
            f"   {peak['own']:5.0f} MiB here, {peak['all']:5.0f} MiB with all processes"
        )


def _median_ratio(timings: Sequence[Timing], others: Sequence[float]) -> float:
    pairs = zip(timings, others, strict=True)
    return statistics.median(timing.work_s / other_s for timing, other_s in pairs)


def _describe_ends(timings: Sequence[Timing]) -> str:
    start_s = statistics.median(each.start_s for each in timings)
    end_s = statistics.median(each.end_s for each in timings)
    return f"starts in {start_s:4.1f} s, ends in {end_s:4.1f} s"


# --- the work


def open_sleep(seconds: float) -> Callable[[Any], Span]:
    """Return work that sleeps; with 0 seconds it does nothing."""

    def sleep(clip: Any) -> Span:
        started_s = time.time()
        if seconds:
            time.sleep(seconds)
        return [started_s, time.time()]

    return sleep


def open_signal(store: Path) -> Callable[[Pair], Span]:
    """Return work that extracts what the columns without networks read; features go to a store."""
    os.environ["BENCH_HOME"] = str(store)
    scoring = Scoring(select("av-benchmark", COLUMNS), open_judge("signal", "av-benchmark"), store)
    cache = ExtractorCache()

    def extract(pair: Pair) -> Span:
        started_s = time.time()
        load(scoring, cache, pair, has_networks=False)
        return [started_s, time.time()]

    return extract


def write_pairs(folder: Path, number: int) -> list[Pair]:
    """Write clips of noise in bursts, and return them in pairs."""
    pairs = []
    for index in range(number):
        excerpts = []
        for side in ("true", "made"):
            rng = np.random.default_rng(stable_seed(side, index))
            noise = rng.uniform(-0.5, 0.5, (1, int(RATE_HZ * SECONDS)))
            decay = np.exp(-8.0 * (np.arange(noise.shape[1]) / RATE_HZ % 0.7))
            path = folder / side / f"{index:05d}.wav"
            write_audio(path, Audio((noise * decay).astype(np.float32), RATE_HZ))
            excerpts.append(Excerpt(path, 0.0, SECONDS))
        true, made = excerpts
        pairs.append(Pair(Clip(f"{index:05d}", true, SECONDS), made))
    return pairs


# --- the ways to do it


def time_loop(open_work: Callable[[], Callable[[Any], Span]], n_clips: int) -> float:
    """Return the seconds that a loop in this process takes."""
    work = open_work()
    started_s = time.time()
    for clip in range(n_clips):
        work(clip)
    return time.time() - started_s


def time_map(
    name: str, open_work: Callable[[], Callable[[Any], Span]], clips: Sequence[Any], n_workers: int
) -> Timing:
    """Time a map with an engine of this name, or with a bare ``map_batches``."""
    started_s = time.time()
    if name == BARE:
        spans = _map_batches(open_work, clips, n_workers)
    else:
        with (
            tempfile.TemporaryDirectory() as folder,
            open_engine(name, Path(folder), n_workers) as engine,
        ):
            spans = []
            for outcome in engine.map(open_work, clips, WorkerSettings()):
                if outcome.value is None:
                    raise SystemExit(f"{name}: {outcome.failure}")
                spans.append(outcome.value)
    done_s = time.time()
    first_s, last_s = min(each[0] for each in spans), max(each[1] for each in spans)
    if len(spans) != len(clips):
        raise SystemExit(f"{name}: {len(spans)} of {len(clips)} clips")
    return Timing(first_s - started_s, last_s - first_s, done_s - last_s)


def open_engine(name: str, folder: Path, n_workers: int) -> Engine:
    """Return an engine of this machine alone."""
    slurm = ["cluster=local"] if name == "slurm" else None
    choice = choose_engine(name, workers=n_workers, nodes=n_workers if slurm else None, slurm=slurm)
    return choice.open(n_workers, folder)


class CallBatch:
    """The same work for an actor of Ray Data, which is given a batch of clips."""

    def __init__(self, open_work: Callable[[], Callable[[Any], Span]]) -> None:
        self.work = open_work()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return when each clip began and ended."""
        return {"span": np.array([self.work(clip) for clip in batch["item"]])}


def _map_batches(
    open_work: Callable[[], Callable[[Any], Span]], clips: Sequence[Any], n_workers: int
) -> list[Span]:
    from bench.engine.ray_connection import connect, disconnect

    connect("", n_workers)
    try:
        import ray.data

        logging.getLogger("ray.data").setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        found = ray.data.from_items(list(clips), override_num_blocks=4 * n_workers).map_batches(
            CallBatch,
            batch_size=BATCH,
            compute=ray.data.ActorPoolStrategy(size=n_workers),
            num_cpus=1,
            fn_constructor_args=[open_work],
        )
        return [list(row["span"]) for row in found.iter_rows()]
    finally:
        disconnect()


@contextmanager
def peak_memory() -> Iterator[dict[str, float]]:
    """Measure the most memory at a time, in MiB: of this process, and with all of its children."""
    peak = {"own": 0.0, "all": 0.0}
    is_done = threading.Event()

    def sample() -> None:
        process = psutil.Process()
        while not is_done.wait(0.2):
            own = process.memory_info().rss
            children = process.children(recursive=True)
            total = own + sum(_resident(each) for each in children)
            peak["own"] = max(peak["own"], own / 2**20)
            peak["all"] = max(peak["all"], total / 2**20)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peak
    finally:
        is_done.set()
        thread.join()


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


if __name__ == "__main__":
    # Through the package: on another machine a program's own functions are not to be found.
    from benchmarks import engines

    sys.exit(engines.main())
