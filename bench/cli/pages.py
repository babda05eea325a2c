"""``bench validate`` and ``bench effects``: pages and figures made of runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.options import FigureFormat, Runs, Seed, Workers, choose_figure

if TYPE_CHECKING:
    from bench.pipeline.compare import Comparison
    from bench.pipeline.plan import RunPlan
    from bench.pipeline.run import RunResult
    from bench.splits import Split
    from reports.effects import Claim, Effect, RunName
    from reports.faults import Curve, Fault

    #: Runs by their system and condition, and their split.
    Found = Mapping[tuple[RunName, str], Path]

#: The systems of ``bench validate`` without a fault, and with audio of something else.
CLEAN = "oracle"
UNRELATED = ("shuffled", "noise")
#: Its figures: the curves, and the matrix of responses.
FIGURES = ("validation", "validation-matrix")


def validate(
    out: Annotated[Path, typer.Option(help="The folder of the page and its figures.")] = Path(
        "docs"
    ),
    clips: Annotated[int, typer.Option(min=2, help="How many mini clips.")] = 32,
    workers: Workers = None,
    runs: Runs = Path("runs"),
    format: FigureFormat = None,
) -> None:
    """Score samples with known faults on mini clips; exit 1 if a metric does not follow a fault."""
    from bench.cli.console import notices
    from bench.io import atomic_path
    from bench.splits import open_split
    from reports.faults import FAULTS, plot_curves
    from reports.sensitivity import Sensitivity, describe_sensitivity, plot_sensitivity, problems

    figures = [choose_figure(None, format, str(out / name)) for name in FIGURES]
    split = open_split("mini")
    specs = [CLEAN, *UNRELATED, *(spec for fault in FAULTS for spec in fault.specs())]
    plans = {spec: _plan(spec, split, clips, workers, runs) for spec in specs}
    results = {spec: _carry_out(spec, plan) for spec, plan in plans.items()}
    found = Sensitivity(
        tuple(_make_curve(fault, results) for fault in FAULTS),
        tuple(results[spec].results for spec in UNRELATED),
        {fault.name: _find_thresholds(fault, plans) for fault in FAULTS},
    )
    plot_curves(found.curves, figures[0])
    plot_sensitivity(found, figures[1])
    with atomic_path(out / "validation.md") as temporary:
        command = f"bench validate --clips {clips}" + (f" --format {format}" if format else "")
        page = describe_sensitivity(found, command, format or "png")
        temporary.write_text(page, encoding="utf-8")
    names = f"{figures[1].name} and {figures[0].name}"
    notices().print(f"{out / 'validation.md'}, with {names}")
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
    from reports.faults import Curve

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
