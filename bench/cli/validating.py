"""``bench validate``: known faults in, curves out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import typer

from bench.cli.console import notices, progress_bars
from bench.cli.judging import Choice
from bench.cli.planning import Order, plan_run
from bench.files import atomic_path
from bench.results import Results
from bench.runs import RunPlan, RunResult, run
from reports.curves import NOT_MONOTONE, Curve, describe_curves, plot_curves

SEED = 42
PROFILE = "av-benchmark"
SHIFTS_S = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
TIMBRE_DISTANCES = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8)
SHIFT_METRICS = ("onset_acc", "onset_ap", "onset_f1", "env_corr")
TIMBRE_METRICS = ("mcd", "mcd_c1", "lsd")


def validate_command(out: Path, n_clips: int, workers: int | None, runs: Path) -> None:
    """Run the oracles, draw the curves, write the page; exit 1 if anything speaks against them."""
    plans = {
        spec: _plan(spec, n_clips, workers, runs)
        for spec in [*_specs("oracle-shift", SHIFTS_S), *_specs("oracle-timbre", TIMBRE_DISTANCES)]
    }
    found = {spec: _carry_out(spec, plan) for spec, plan in plans.items()}
    results = {spec: each.results for spec, each in found.items()}
    curves = (
        _curve("shift of all events", "s", "oracle-shift", SHIFTS_S, SHIFT_METRICS, results),
        _curve(
            "distance in timbre", "", "oracle-timbre", TIMBRE_DISTANCES, TIMBRE_METRICS, results
        ),
    )
    plot_curves(curves, out / "validation.png")
    with atomic_path(out / "validation.md") as temporary:
        page = describe_curves(curves, f"bench validate --clips {n_clips}")
        temporary.write_text(page, encoding="utf-8")
    notices().print(f"{out / 'validation.png'}, {out / 'validation.md'}")
    problems = [*_failed(found), *_not_monotone(curves)]
    for problem in problems:
        notices().print(problem, style="red")
    raise typer.Exit(1 if problems else 0)


def _carry_out(spec: str, plan: RunPlan) -> RunResult:
    notices().print(spec, style="bold")
    with progress_bars() as progress:
        return run(plan, progress)


def _failed(found: dict[str, RunResult]) -> list[str]:
    """A sentence for each oracle that lacks clips."""
    return [
        f"{spec}: {len(each.failures)} clips have no score"
        for spec, each in found.items()
        if each.failures
    ]


def _not_monotone(curves: Iterable[Curve]) -> list[str]:
    """A sentence for each metric that does not follow the fault."""
    return [
        f"{curve.fault}: {metric} is {NOT_MONOTONE}"
        for curve in curves
        for metric in curve.metrics
        if curve.verdict(metric) == NOT_MONOTONE
    ]


def _specs(system: str, amounts: Sequence[float]) -> list[str]:
    return [f"{system}:{amount:g}" for amount in amounts]


def _plan(spec: str, n_clips: int, workers: int | None, runs: Path) -> RunPlan:
    choice = Choice(metrics=None, profile=PROFILE, judge="signal", weights=None, device="cpu")
    return plan_run(Order(spec, "mini", n_clips, SEED, workers, runs), choice)


def _curve(
    fault: str,
    unit: str,
    system: str,
    amounts: tuple[float, ...],
    metrics: tuple[str, ...],
    results: dict[str, Results],
) -> Curve:
    found = tuple(results[spec] for spec in _specs(system, amounts))
    return Curve(fault, unit, amounts, found, metrics)
