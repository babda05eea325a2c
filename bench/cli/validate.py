"""``bench validate``: known faults in; a matrix, curves and a page out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import typer
from reports.faults import FAULTS, Fault

from bench.cli.console import notices, progress_bars
from bench.cli.judge import Choice
from bench.cli.plan import Order, plan_run
from bench.io import atomic_path
from bench.pipeline import RunPlan, RunResult, compare_runs, run
from bench.splits import open_split
from reports.curves import Curve, plot_curves
from reports.sensitivity import (
    UNNOTICED,
    Sensitivity,
    describe_sensitivity,
    plot_sensitivity,
    problems,
)

SEED = 42
PROFILE = "av-benchmark"
CLEAN = "oracle"
UNRELATED = ("shuffled", "noise")


def validate_command(out: Path, n_clips: int, workers: int | None, runs: Path) -> None:
    """Run the oracles, draw, write the page; exit 1 if a metric does not follow its faults."""
    specs = [CLEAN, *UNRELATED, *(spec for fault in FAULTS for spec in fault.specs())]
    split = open_split("mini")
    clips = split.clips[:n_clips]
    plans = {spec: _plan(Order(spec, split, clips, SEED, workers, runs)) for spec in specs}
    results = {spec: _carry_out(spec, plan) for spec, plan in plans.items()}
    found = Sensitivity(
        tuple(_curve(fault, results) for fault in FAULTS),
        tuple(results[spec].results for spec in UNRELATED),
        {fault.name: _noticed(fault, plans) for fault in FAULTS},
    )
    plot_curves(found.curves, out / "validation.png")
    plot_sensitivity(found, out / "validation-matrix.png")
    with atomic_path(out / "validation.md") as temporary:
        page = describe_sensitivity(found, f"bench validate --clips {n_clips}")
        temporary.write_text(page, encoding="utf-8")
    notices().print(f"{out / 'validation.md'}, with validation-matrix.png and validation.png")
    wrong = [*_failed(results), *problems(found)]
    for problem in wrong:
        notices().print(problem, style="red")
    raise typer.Exit(1 if wrong else 0)


def _plan(order: Order) -> RunPlan:
    choice = Choice(metrics=None, profile=PROFILE, judge=None, weights=None, device="cpu")
    return plan_run(order, choice)


def _carry_out(spec: str, plan: RunPlan) -> RunResult:
    notices().print(spec, style="bold")
    with progress_bars() as progress:
        return run(plan, progress)


def _failed(results: Mapping[str, RunResult]) -> list[str]:
    """A sentence for each oracle that lacks clips."""
    return [
        f"{spec}: {len(each.failures)} clips have no score"
        for spec, each in results.items()
        if each.failures
    ]


def _curve(fault: Fault, results: Mapping[str, RunResult]) -> Curve:
    found = tuple(results[spec].results for spec in (CLEAN, *fault.specs()))
    return Curve(fault.name, ("none", *fault.amounts.values()), found, fault.followed_by)


def _noticed(fault: Fault, plans: Mapping[str, RunPlan]) -> dict[str, str]:
    """The first amount that each metric finds clearly worse than none."""
    clean = plans[CLEAN].results_directory
    found: dict[str, str] = {}
    for spec, amount in zip(fault.specs(), fault.amounts.values(), strict=True):
        for each in compare_runs(clean, plans[spec].results_directory).differences:
            if each.verdict == "worse" and found.get(each.column.name, UNNOTICED) == UNNOTICED:
                found[each.column.name] = amount
            found.setdefault(each.column.name, UNNOTICED)
    return found
