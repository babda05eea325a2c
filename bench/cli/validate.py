"""``bench validate``: known faults in; a matrix, curves and a page out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.options import Runs, Workers
from reports.faults import FAULTS, Fault

if TYPE_CHECKING:
    from bench.pipeline.plan import RunPlan
    from bench.pipeline.run import RunResult
    from bench.splits import Split
    from reports.curves import Curve
    from reports.faults import Fault

CLEAN = "oracle"
UNRELATED = ("shuffled", "noise")


def validate(
    out: Annotated[Path, typer.Option(help="The folder of the page and its figures.")] = Path(
        "docs"
    ),
    clips: Annotated[int, typer.Option(min=2, help="How many mini clips.")] = 32,
    workers: Workers = None,
    runs: Runs = Path("runs"),
) -> None:
    """Score samples with known faults on mini clips; exit 1 if a metric does not follow a fault."""
    from bench.cli.console import notices
    from bench.io import atomic_path
    from bench.splits import open_split
    from reports.curves import plot_curves
    from reports.sensitivity import Sensitivity, describe_sensitivity, plot_sensitivity, problems

    split = open_split("mini")
    specs = [CLEAN, *UNRELATED, *(spec for fault in FAULTS for spec in fault.specs())]
    plans = {spec: _plan(spec, split, clips, workers, runs) for spec in specs}
    results = {spec: _carry_out(spec, plan) for spec, plan in plans.items()}
    found = Sensitivity(
        tuple(_make_curve(fault, results) for fault in FAULTS),
        tuple(results[spec].results for spec in UNRELATED),
        {fault.name: _find_thresholds(fault, plans) for fault in FAULTS},
    )
    plot_curves(found.curves, out / "validation.png")
    plot_sensitivity(found, out / "validation-matrix.png")
    with atomic_path(out / "validation.md") as temporary:
        page = describe_sensitivity(found, f"bench validate --clips {clips}")
        temporary.write_text(page, encoding="utf-8")
    notices().print(f"{out / 'validation.md'}, with validation-matrix.png and validation.png")
    failed = [
        f"{spec}: {len(each.failures)} clips have no score"
        for spec, each in results.items()
        if each.failures
    ]
    wrong = [*failed, *problems(found)]
    for problem in wrong:
        notices().print(problem, style="red")
    raise typer.Exit(1 if wrong else 0)


def _plan(spec: str, split: Split, n_clips: int, workers: int | None, runs: Path) -> RunPlan:
    from bench.cli.console import notify
    from bench.pipeline.columns import JudgeOptions
    from bench.pipeline.prepare import RunOptions, plan_run

    options = RunOptions(model=spec, split=split, limit=n_clips, workers=workers, runs=runs)
    return plan_run(options, JudgeOptions(), notify)


def _carry_out(spec: str, plan: RunPlan) -> RunResult:
    from bench.cli.console import notices, progress_bars
    from bench.pipeline.run import run

    notices().print(spec, style="bold")
    with progress_bars() as progress:
        return run(plan, progress)


def _make_curve(fault: Fault, results: Mapping[str, RunResult]) -> Curve:
    from reports.curves import Curve

    found = tuple(results[spec].results for spec in (CLEAN, *fault.specs()))
    return Curve(fault.name, ("none", *fault.amounts.values()), found, fault.followed_by)


def _find_thresholds(fault: Fault, plans: Mapping[str, RunPlan]) -> dict[str, str]:
    """The first amount of a fault that each metric finds clearly worse than none."""
    from bench.pipeline.compare import compare_runs
    from reports.sensitivity import UNNOTICED

    clean = plans[CLEAN].results_directory
    found: dict[str, str] = {}
    for spec, amount in zip(fault.specs(), fault.amounts.values(), strict=True):
        for each in compare_runs(clean, plans[spec].results_directory).differences:
            if each.verdict == "worse" and found.get(each.column.name, UNNOTICED) == UNNOTICED:
                found[each.column.name] = amount
            found.setdefault(each.column.name, UNNOTICED)
    return found
