"""The cost of extraction beside the networks themselves, in time and in memory.

    python -m benchmarks.extraction_speed [time|memory|both] [pairs] [batch]

time      all extractors of the judge `paper` on real clips: the full pass (decode, resample, front
          ends, signal extractors, networks, store) against the sum of the networks' forward times
          on batches of the same size that are ready in memory; target ratio 1.15. The five networks
          are the full ones under seeded weights of the official layouts. Weights are loaded and
          paged in before: the ratio is of what grows with the clips.
memory    peak of a full `bench score` with PANNs and VGGish on 50 and on 500 clips of 1 s.

Needs Linux, the folder ``shared`` beside the checkout, 5 GB of disk and memory, and on two cores
some ten minutes. Wall times of a machine that does other things as well are uncertain: CPU time is
printed too.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.engine import Failure
from bench.judges import Features, Judge, NetworkExtractor, Prepared, open_judge
from bench.media import write_audio
from bench.pipeline.batches import Batches
from bench.pipeline.extract import load, open_pass
from bench.pipeline.feature_store import ExtractorCache
from bench.pipeline.folders import FolderPlan, score_folders
from bench.pipeline.roles import Pair, Scoring
from bench.seeds import stable_seed
from bench.suite import select
from bench.types import Audio, Clip, Excerpt
from benchmarks.ten_columns import PROFILE, SHARED, write_checkpoints, write_pairs

DEFAULTS = ("both", "4", "2")
TARGET_RATIO = 1.15
MOST_GROWTH = 1.1
N_LOADERS = 2
SECONDS = 8.0
LIGHT = ("fd_panns", "fd_vgg", "kl_panns")
RATE_HZ = 16_000


def main() -> int:
    """Measure both; 1 if a target is missed."""
    if sys.argv[1:2] == ["peak"]:
        return _print_peak(int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
    words = [*sys.argv[1:], *DEFAULTS[len(sys.argv) - 1 :]]
    what, n_pairs, batch_size = words[0], int(words[1]), int(words[2])
    if not SHARED.is_dir():
        print(f"needs the folder {SHARED.name} beside the checkout", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        is_bounded = what == "time" or _measure_memory(root)
        is_fast = what == "memory" or _measure_time(root, n_pairs, batch_size)
    print("targets met" if is_fast and is_bounded else "TARGETS MISSED")
    return 0 if is_fast and is_bounded else 1


def _measure_time(root: Path, n_pairs: int, batch_size: int) -> bool:
    weights = write_checkpoints(root / "weights")
    judge = open_judge("paper", PROFILE, weights, batch_size=batch_size)
    pairs, bench = _pairs(root, n_pairs + 1), TimedBench()
    _alone(pairs[:1], _fresh(judge, root / "warm"), bench)  # pages the weights in, compiles
    bench.spent.clear()
    _alone(pairs[1:], _fresh(judge, root / "alone"), bench)
    alone = dict(bench.spent)
    scoring = _fresh(judge, root / "whole")
    wall, cpu = _timed(lambda: _whole(pairs[1:], scoring, bench))
    for name, (seconds, _) in alone.items():
        print(f"  {name:20s} {seconds:8.2f} s")
    bare_wall, bare_cpu = (sum(times) for times in zip(*alone.values(), strict=True))
    print(f"{n_pairs} pairs, batches of {batch_size}, load average {os.getloadavg()[0]:.1f}")
    print(f"networks alone   {bare_wall:8.2f} s wall   {bare_cpu:8.2f} s CPU")
    print(f"the full pass    {wall:8.2f} s wall   {cpu:8.2f} s CPU")
    print(f"ratio            {wall / bare_wall:8.3f} wall     {cpu / bare_cpu:8.3f} CPU")
    print(f"target           {TARGET_RATIO:8.3f}")
    return wall / bare_wall <= TARGET_RATIO


@dataclass(frozen=True, eq=False)
class TimedBench(ExtractorCache):
    """A bench that remembers how long each network computed, in wall and in CPU time."""

    spent: dict[str, tuple[float, float]] = field(default_factory=dict)

    def embed(self, extractor: NetworkExtractor, batch: Sequence[Prepared]) -> Sequence[Features]:
        """Time the network."""
        answers: list[Sequence[Features]] = []
        seconds = _timed(lambda: answers.append(super(TimedBench, self).embed(extractor, batch)))
        earlier = self.spent.get(extractor.name, (0.0, 0.0))
        self.spent[extractor.name] = (earlier[0] + seconds[0], earlier[1] + seconds[1])
        return answers[0]


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of wall time, and of CPU time of the process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _fresh(judge: Judge, folder: Path) -> Scoring:
    """All columns, with empty stores."""
    os.environ["BENCH_HOME"] = str(folder / "home")
    return Scoring(select(PROFILE), judge, folder)


def _pairs(root: Path, number: int) -> list[Pair]:
    true, made = write_pairs(root, number)
    return [_pair(video, made / f"{video.stem}.flac") for video in sorted(true.iterdir())]


def _pair(true: Path, made: Path) -> Pair:
    window = Excerpt(true, 0.0, SECONDS)
    return Pair(Clip(true.stem, window, SECONDS, video=window), Excerpt(made, 0.0, SECONDS))


def _alone(pairs: list[Pair], scoring: Scoring, bench: ExtractorCache) -> None:
    """The networks, one batch after another, on clips that are ready in memory."""
    size = scoring.judge.batch_size
    loaded = [load(scoring, bench, pair).pending for pair in pairs]
    with ThreadPoolExecutor(1) as writer:
        for start in range(0, len(loaded), size):
            group = loaded[start : start + size]
            _refuse(Batches(scoring, bench, writer).compute(group))


def _whole(pairs: list[Pair], scoring: Scoring, bench: ExtractorCache) -> None:
    outcomes = open_pass(scoring, N_LOADERS, bench)(iter(pairs))
    _refuse([outcome.failure for outcome in outcomes])


def _refuse(failures: Iterable[Failure | None]) -> None:
    for failure in failures:
        if failure is not None:
            raise SystemExit(failure.message + failure.traceback)


def _measure_memory(root: Path) -> bool:
    weights = write_checkpoints(root / "light", ("panns", "vggish"))
    peaks = {}
    for n_clips in (50, 500):
        command = [sys.executable, "-m", "benchmarks.extraction_speed", "peak", str(n_clips)]
        run = subprocess.run([*command, str(root), str(weights)], check=True, capture_output=True)
        peaks[n_clips] = float(run.stdout)
        print(
            f"peak memory, PANNs and VGGish, {n_clips:3d} clips   {peaks[n_clips]:8.0f} MiB",
            flush=True,
        )
    return peaks[500] <= MOST_GROWTH * peaks[50]


def _print_peak(n_clips: int, root: Path, weights: Path) -> int:
    """Score so many clips of noise in this process; print its peak in MiB, weights included."""
    folder = root / f"clips-{n_clips}"
    os.environ["BENCH_HOME"] = str(folder / "home")
    for side in ("true", "made"):
        for number in range(n_clips):
            rng = np.random.default_rng(stable_seed(side, number))
            samples = rng.uniform(-0.5, 0.5, (1, RATE_HZ)).astype(np.float32)
            write_audio(folder / side / f"{number:06d}.wav", Audio(samples, RATE_HZ))
    judge = open_judge("paper", PROFILE, weights)
    metrics = select(PROFILE, LIGHT)
    plan = FolderPlan(folder / "made", folder / "true", None, 1.0, judge, metrics, workers=0)
    result = score_folders(plan, lambda stage, done, total: None)
    if result.results.scored != n_clips:
        raise SystemExit(f"{n_clips - result.results.scored} clips failed")
    # Of this program alone: getrusage counts what its parent held when it was started.
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(int(peak) / 1024)
    return 0


if __name__ == "__main__":
    sys.exit(main())
