"""How long a run takes on 1 to 512 workers, simulated, and whether measured runs agree.

python -m benchmarks.scale_simulation [measure] [paper] [--clips 240] [--seconds 0.25] [--rounds 3]

measure    null clips that sleep, on 1, 2, 4 and 16 workers of the local engine, beside what the
           simulation says; then the same where one clip in thirty kills its worker. The start of a
           worker and the time that the engine takes for a clip are measured with one worker
paper      a paper's worth of clips on 1 to 512 workers, from the rates of ``PAPER``

Workers take the next clips as they become free. The coordinator gives out a clip and writes it into
the journal, one after the other; files go through one shared file system. A worker that fails loses
the clips that it works on, which are done again, and starts anew; a clip that kills its worker is a
failure and not done again. Workers that start at once on one machine share its cores.
"""

from __future__ import annotations

import argparse
import heapq
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from bench.engine import LocalEngine

WORKERS = (1, 2, 4, 16)
SIMULATED_WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
#: Of the sleeping clips one in so many ends its process.
KILLER = 30
#: Simulated and measured times may differ by so much.
TOLERANCE = 0.15


@dataclass(frozen=True)
class Rates:
    """What a run is made of; times in seconds.

    ``clip_s`` is the mean time of a clip on one worker, ``spread`` the standard deviation of its
    logarithm; a clip in ``1 / stragglers`` takes ``straggler_factor`` times as long. ``books_s`` is
    the coordinator's time for a clip. ``failure_s`` is the mean time between failures of a worker,
    and ``chunk`` the number of clips that it has at once. A start keeps one core busy.
    """

    clip_s: float
    start_s: float = 0.0
    start_cores: float = math.inf
    books_s: float = 0.0
    spread: float = 0.0
    stragglers: float = 0.0
    straggler_factor: float = 1.0
    failure_s: float = math.inf
    chunk: int = 1
    clip_bytes: float = 0.0
    shared_bytes_per_s: float = math.inf


@dataclass(frozen=True)
class Simulated:
    """The time from the first to the last clip, and the workers' time that failures cost."""

    wall_s: float
    lost_s: float
    failures: int


#: All 24 runs of the paper's tables: ``bench reproduce all --dry-run`` counts 329,144 clips and
#: guesses 940 GPU hours. Only ``books_s`` is measured (docs/scale.md); the other rates are assumed.
PAPER_CLIPS = 329_144
PAPER = Rates(
    clip_s=940 * 3600 / PAPER_CLIPS,
    start_s=120.0,
    books_s=0.002,
    spread=0.2,
    stragglers=0.001,
    straggler_factor=10.0,
    failure_s=24 * 3600.0,
    chunk=32,
    clip_bytes=6e6,  # 10 s of video, read three times
    shared_bytes_per_s=1e9,
)


def simulate(
    rates: Rates, n_clips: int, n_workers: int, durations: Sequence[float] | None = None
) -> Simulated:
    """Carry out the clips event by event.

    ``durations`` are theirs in order, or drawn; a clip of less than 0 s kills its worker.
    """
    rng = np.random.default_rng(0)
    if durations is None:
        durations = draw_durations(rates, n_clips, rng)
    return _Simulation(rates, durations, n_workers, rng).carry_out()


class _Simulation:
    """The clips that wait, what is taken until when, and the events to come."""

    def __init__(
        self, rates: Rates, durations: Sequence[float], n_workers: int, rng: np.random.Generator
    ) -> None:
        self.rates, self.rng = rates, rng
        self.waiting = list(reversed(durations))
        # A time, a worker, and the clips that it gives back because it has failed.
        self.events: list[tuple[float, int, tuple[float, ...]]] = []
        self.fails_at = [rates.start_s + self._draw_failure() for _ in range(n_workers)]
        self.idle: list[int] = []
        self.books_free = self.files_free = self.starts_free = 0.0
        self.found = Simulated(0.0, 0.0, 0)
        for worker in range(n_workers):
            heapq.heappush(self.events, (rates.start_s, worker, ()))

    def carry_out(self) -> Simulated:
        while self.events:
            now, worker, given_back = heapq.heappop(self.events)
            if given_back:
                self.waiting.extend(given_back)
                for other in self.idle:
                    heapq.heappush(self.events, (now, other, ()))
                self.idle.clear()
                self._start(now, worker)
            elif self.waiting:
                self._give(now, worker)
            else:
                self.idle.append(worker)
        return self.found

    def _give(self, now: float, worker: int) -> None:
        rates, found = self.rates, self.found
        taken = tuple(self.waiting.pop() for _ in range(min(rates.chunk, len(self.waiting))))
        self.books_free = max(now, self.books_free) + rates.books_s * len(taken)
        moved_s = rates.clip_bytes * len(taken) / rates.shared_bytes_per_s
        self.files_free = max(now, self.files_free) + moved_s
        if min(taken) < 0:  # with no other clip beside it
            self._start(self.books_free, worker)
            return
        done = max(self.books_free + sum(taken), self.files_free)
        if self.fails_at[worker] >= done:
            self.found = replace(found, wall_s=max(found.wall_s, done))
            heapq.heappush(self.events, (done, worker, ()))
            return
        failed = max(now, self.fails_at[worker])
        lost_s = found.lost_s + failed - now + rates.start_s
        self.found = replace(found, lost_s=lost_s, failures=found.failures + 1)
        self.fails_at[worker] = failed + rates.start_s + self._draw_failure()
        heapq.heappush(self.events, (failed, worker, taken))

    def _start(self, now: float, worker: int) -> None:
        start_s = self.rates.start_s
        self.starts_free = max(now, self.starts_free) + start_s / self.rates.start_cores
        heapq.heappush(self.events, (max(now + start_s, self.starts_free), worker, ()))

    def _draw_failure(self) -> float:
        return float(self.rng.exponential(1.0)) * self.rates.failure_s


def draw_durations(rates: Rates, n_clips: int, rng: np.random.Generator) -> list[float]:
    """Return the time of each clip on a worker."""
    drawn = rates.clip_s * np.exp(rng.normal(-(rates.spread**2) / 2, rates.spread, n_clips))
    slow = rng.random(n_clips) < rates.stragglers
    return np.where(slow, drawn * rates.straggler_factor, drawn).tolist()


def main() -> int:
    """Print the tables that are asked for; 1 if a measured run differs from its simulation."""
    parser = argparse.ArgumentParser(description="What a run takes on 1 to 512 workers.")
    parser.add_argument("tables", nargs="*", choices=("measure", "paper"), default=["paper"])
    parser.add_argument("--clips", type=int, default=240)
    parser.add_argument("--seconds", type=float, default=0.25)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    is_off = False
    if "measure" in options.tables:
        is_off = _print_measured(options.clips, options.seconds, options.rounds)
    if "paper" in options.tables:
        _print_paper()
    return int(is_off)


def _print_measured(n_clips: int, clip_s: float, n_rounds: int) -> bool:
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    drawn = draw_durations(Rates(clip_s, spread=0.5), n_clips, np.random.default_rng(1))
    found = {n: min(_time(n, drawn) for _ in range(n_rounds)) for n in WORKERS}
    rates = Rates(clip_s, books_s=(found[1] - sum(drawn)) / n_clips)
    print(f"the engine takes {1000 * rates.books_s:.1f} ms a clip")
    is_off = _compare("sleeping clips", rates, drawn, found)
    killed = [-1.0 if i % KILLER == KILLER // 2 else each for i, each in enumerate(drawn)]
    died = {n: min(_time(n, killed) for _ in range(n_rounds)) for n in WORKERS}
    alive_s = sum(each for each in killed if each > 0) + rates.books_s * n_clips
    start_s = (died[1] - alive_s) / killed.count(-1.0)
    print(f"a new worker takes {start_s:.2f} s to start")
    rates = replace(rates, start_s=start_s, start_cores=os.cpu_count() or 1)
    return _compare("1 in 30 kills", rates, killed, died) or is_off


def _compare(name: str, rates: Rates, durations: Sequence[float], found: dict[int, float]) -> bool:
    print("| run | workers | measured s | simulated s | ratio | efficiency |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    is_off = False
    for n, measured_s in found.items():
        found_s = simulate(rates, len(durations), n, durations).wall_s
        simulated_s = found_s - rates.start_s  # the first start is not timed
        ratio, efficiency = measured_s / simulated_s, found[1] / n / measured_s
        is_off |= abs(ratio - 1) > TOLERANCE
        print(
            f"| {name} | {n} | {measured_s:.2f} | {simulated_s:.2f} | {ratio:.3f} "
            f"| {efficiency:.2f} |",
            flush=True,
        )
    return is_off


def _time(n_workers: int, durations: Sequence[float]) -> float:
    """Return the seconds of the items by workers that have started before."""
    with LocalEngine(n_workers) as engine:
        for outcome in engine.map(open_sleep, [1.0] * n_workers):
            if outcome.failure:
                raise SystemExit(outcome.failure.message)
        started = time.perf_counter()
        n_done = sum(1 for _ in engine.map(open_sleep, durations))
        seconds = time.perf_counter() - started
    if n_done != len(durations):
        raise SystemExit(f"{n_done} of {len(durations)} clips came back")
    return seconds


def open_sleep() -> Callable[[float], float]:
    """Return a function that sleeps for so many seconds, or ends its process below 0."""

    def sleep(seconds: float) -> float:
        if seconds < 0:
            os._exit(1)
        time.sleep(seconds)
        return seconds

    return sleep


def _print_paper() -> None:
    ideal_s = PAPER_CLIPS * PAPER.clip_s
    calm = replace(PAPER, failure_s=math.inf, stragglers=0.0)
    print(f"{PAPER_CLIPS:,} clips, {ideal_s / 3600:.0f} GPU hours; {PAPER}")
    print("| workers | hours | efficiency | failures | hours lost | without failures, stragglers |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for n in SIMULATED_WORKERS:
        found, quiet = (simulate(each, PAPER_CLIPS, n) for each in (PAPER, calm))
        print(
            f"| {n} | {found.wall_s / 3600:.2f} | {ideal_s / n / found.wall_s:.2f} "
            f"| {found.failures} | {found.lost_s / 3600:.2f} "
            f"| {quiet.wall_s / 3600:.2f} ({ideal_s / n / quiet.wall_s:.2f}) |"
        )


if __name__ == "__main__":
    sys.exit(main())
