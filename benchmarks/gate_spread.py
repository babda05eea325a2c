"""How much the scores of a rerun differ, and the tolerances that follow: `make baseline`.

For each system and column, the largest change of a clip (of the value, for a column of the whole
set) against the baseline:

    reruns      other numbers of workers, threads and batches, another order of the clips, resumed
    platform    the same on an older processor: no instructions beyond SSE 4.2, in torch, oneDNN,
                BLAS and numba
    seed        another seed of the run, for the scale: median over clips, of acfoley-mini

    tolerance = 2 x reruns + 4 x platform + 1 % of seed

The last two terms are the margin for platforms that were not measured.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.pipeline.compare import compare_runs
from bench.pipeline.repeat import find_changes
from bench.results import load_results
from bench.suite import select
from benchmarks import gate

RERUNS_FACTOR, PLATFORM_FACTOR, SEED_SHARE = 2.0, 4.0, 0.01
OTHER_SEEDS = (43, 44)


@dataclass(frozen=True)
class Rerun:
    """A run that has to repeat the baseline: options and environment of ``bench run``.

    ``first`` are the options of a call before it, which it resumes; ``is_killed`` kills one of the
    same options after two clips.
    """

    name: str
    options: tuple[str, ...] = ()
    variables: Mapping[str, str] | None = None
    first: tuple[str, ...] = ()
    is_killed: bool = False


THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def threads(n: int) -> dict[str, str]:
    """Return the environment of ``n`` threads."""
    return dict.fromkeys(THREADS, str(n))


def _options(workers: int, batch: int) -> tuple[str, ...]:
    return ("--workers", str(workers), "--batch-size", str(batch))


#: What the tolerances are measured on; the 20 reruns of ``gate_trials`` are others as well.
RERUNS = (
    Rerun("no worker, batches of 1, 4 threads", _options(0, 1), threads(4)),
    Rerun("3 workers, batches of 3", _options(3, 3)),
    Rerun("batches of 4, resumed", _options(0, 4), first=(*_options(0, 4), "--limit", "2")),
)
OLDER_PROCESSOR = Rerun(
    "older processor",
    _options(0, 4),
    variables={
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "OPENBLAS_CORETYPE": "Nehalem",
        "NUMBA_CPU_NAME": "nehalem",
        "NUMBA_CPU_FEATURES": "",
    },
)


def rerun(place: Path, system: str, how: Rerun) -> Path:
    """Carry out a rerun on the clips of ``place`` with a home of its own; return its scores."""
    own = make_home(place / "reruns" / how.name.replace(" ", "-") / system, place)
    if how.first:
        # The last of two options holds, so the call before may name fewer clips.
        gate.run(own, system, *how.first, variables=how.variables)
    if how.is_killed:
        gate.run_and_kill(own, system, *how.options)
    found = gate.run(own, system, *how.options, variables=how.variables)
    shutil.rmtree(own / "home")
    return found


def make_home(own: Path, place: Path) -> Path:
    """Make the folder ``own`` with a home that shares the clips of ``place``, and nothing else.

    Features of the true audio are computed again there.
    """
    (own / "home").mkdir(parents=True)
    (own / "home" / "data").symlink_to(place / "home" / "data")
    return own


def measure_tolerances(place: Path) -> None:
    """Measure all spreads below ``place`` against the baseline, and write the tolerances."""
    seeds = _seed_spread(place)
    for system in gate.SYSTEMS:
        print(f"spread of {system}", flush=True)
        reruns = [rerun(place, system, how) for how in RERUNS]
        derive(system, seeds, reruns, rerun(place, system, OLDER_PROCESSOR))


def derive(system: str, seeds: Mapping[str, float], reruns: Sequence[Path], older: Path) -> None:
    """Write the tolerances that follow from these runs and the spread of ``seeds``."""
    spread, platform = _largest(system, reruns), _largest(system, [older])
    tolerances, reasons = {}, []
    for name, seed in seeds.items():
        measured = RERUNS_FACTOR * spread[name] + PLATFORM_FACTOR * platform[name]
        tolerances[name] = measured + SEED_SHARE * seed
        reasons.append(f"reruns {spread[name]:.2g}, platform {platform[name]:.2g}, seed {seed:.2g}")
    gate.write_tolerances(system, tolerances, reasons)


def _largest(system: str, runs: Iterable[Path]) -> dict[str, float]:
    """The largest change of each column in these runs against the baseline of a system."""
    base = gate.BASELINE / system
    zero = dict.fromkeys(load_results(base).metrics, 0.0)
    found = [find_changes(base, run, zero) for run in runs]
    for each in found:
        if "clips" in each.failed:
            raise SystemExit(f"a rerun of {system} has other clips: {each.failed}")
    return {
        name: max(c.largest for each in found for c in each.changes if c.column.name == name)
        for name in zero
    }


def _seed_spread(place: Path) -> dict[str, float]:
    """The median change of a clip by another seed of acfoley-mini, the mean of all for a set.

    Columns that no seed changes, because both samples score the same, take the smallest step that
    their table prints.
    """
    system = "acfoley-mini"
    base = gate.BASELINE / system
    others = []
    for seed in OTHER_SEEDS:
        gate.run(place, system, "--seed", str(seed), "--workers", "0")
        others.append(compare_runs(base, gate.scores_folder(place / "runs", system, seed)))
    spread = {}
    for name, column in others[0].columns.items():
        (metric,) = select(others[0].base.profile, [name])
        if metric.score_set is None:
            changes = np.concatenate(
                [(o.rows[f"{name}_new"] - o.rows[f"{name}_base"]).abs() for o in others]
            )
            found = float(np.nanmedian(changes))
        else:
            values = [
                (o.new.metrics[name].value or 0.0) - (o.base.metrics[name].value or 0.0)
                for o in others
            ]
            found = float(np.mean(np.abs(values)))
        spread[name] = max(found, 10.0**-column.decimals)
    return spread
