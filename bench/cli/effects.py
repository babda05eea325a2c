"""``bench effects``: what the paper claims, asked of the finished runs of the mini AC-Foley."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.cli.console import console, notices, progress_bars
from bench.cli.table import finished_runs
from bench.errors import RunError
from bench.io import atomic_path, require_target
from bench.pipeline.contrast import contrast_runs
from bench.results import load_results
from bench.suite import DEFAULT_PROFILE
from reports.effects import CLAIMS, Claim, Effect, RunName, describe_effects, summary

#: Runs by what they are of, and their split.
Found = Mapping[tuple[RunName, str], Path]


def effects_command(runs: Path, seed: int, out: Path) -> None:
    """Measure every claim whose runs are there, write the page, print the count of verdicts."""
    require_target(out)
    found = _mini_runs(runs, seed)
    asked = [(claim, metric) for claim in CLAIMS for metric in claim.metrics]
    effects = []
    with progress_bars() as progress:
        progress("compare", 0, len(asked))
        for done, (claim, metric) in enumerate(asked, 1):
            effects.append(_measured(claim, metric, found))
            progress("compare", done, len(asked))
    with atomic_path(out) as temporary:
        temporary.write_text(describe_effects(effects, "bench effects"), encoding="utf-8")
    console().print(summary(effects))
    notices().print(f"{out}")


def _mini_runs(folder: Path, seed: int) -> Found:
    """The runs of this seed on the mini world, by the judge and profile of the mini world."""
    found: dict[tuple[RunName, str], Path] = {}
    for directory in finished_runs(folder):
        about = load_results(directory)
        is_usual = about.judge.startswith("mini") and about.profile == DEFAULT_PROFILE
        if not (about.is_mini and is_usual and about.seed == seed):
            continue
        key = (RunName(about.system, about.condition), about.split)
        if key in found:
            raise RunError(
                f"{found[key]} and {directory} are both {key[0]} on {about.split}: name a folder "
                "that holds one of them"
            )
        found[key] = directory
    return found


def _measured(claim: Claim, metric: str, found: Found) -> Effect:
    wanted = (claim.base, claim.new)
    missing = tuple(run for run in wanted if (run, claim.split) not in found)
    if missing:
        return Effect(claim, metric, None, missing)
    base, new = (found[run, claim.split] for run in wanted)
    return Effect(claim, metric, contrast_runs(base, new, metric, claim.group))
