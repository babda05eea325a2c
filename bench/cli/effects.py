"""``bench effects``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.options import Seed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.pipeline.compare import Comparison
    from reports.effects import Claim, Effect, RunName

    #: Runs by their system and condition, and their split.
    Found = Mapping[tuple[RunName, str], Path]


def effects(
    runs: Annotated[Path, typer.Argument(help="The folder of finished runs.")] = Path("runs"),
    seed: Seed = 42,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("docs/effects.md"),
) -> None:
    """Test the paper's claims on runs of the mini AC-Foley: a table with verdicts."""
    from bench.cli.console import console, notices, progress_bars
    from bench.io import atomic_path, require_target
    from reports.effects import CLAIMS, describe_effects, summary

    require_target(out)
    found = _find_runs(runs, seed)
    tests = [(claim, metric) for claim in CLAIMS for metric in claim.metrics]
    comparisons: dict[tuple[Path, Path], Comparison] = {}
    measured = []
    with progress_bars() as progress:
        progress("compare", 0, len(tests))
        for done, (claim, metric) in enumerate(tests, 1):
            measured.append(_measure(claim, metric, found, comparisons))
            progress("compare", done, len(tests))
    with atomic_path(out) as temporary:
        temporary.write_text(describe_effects(measured, "bench effects"), encoding="utf-8")
    console().print(summary(measured))
    notices().print(f"{out}")


def _find_runs(folder: Path, seed: int) -> Found:
    """The runs of this seed on the mini world, by the judge and profile of the mini world."""
    from bench.errors import RunError
    from bench.results import find_finished_runs, load_results
    from bench.suite import DEFAULT_PROFILE
    from reports.effects import RunName

    found: dict[tuple[RunName, str], Path] = {}
    for directory in find_finished_runs(folder):
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


def _measure(
    claim: Claim, metric: str, found: Found, comparisons: dict[tuple[Path, Path], Comparison]
) -> Effect:
    """The effect of one claim; runs that are compared several times are read once."""
    from bench.pipeline.compare import compare_runs
    from reports.effects import Effect

    wanted = (claim.base, claim.new)
    missing = tuple(run for run in wanted if (run, claim.split) not in found)
    if missing:
        return Effect(claim, metric, None, missing)
    base, new = (found[run, claim.split] for run in wanted)
    if (base, new) not in comparisons:
        comparisons[base, new] = compare_runs(base, new)
    return Effect(claim, metric, comparisons[base, new].contrast(metric, claim.group))
