"""``bench run``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from bench.cli.bounds import add_bounds
from bench.cli.console import (
    console,
    notices,
    print_failures,
    print_result,
    progress_bars,
)
from bench.cli.judge import Choice, require_devices
from bench.cli.plan import Order, plan_run
from bench.errors import BenchError, MissingError
from bench.io import bench_home, require_folder, require_target, write_json
from bench.pipeline import Estimate, RunPlan, look_ahead
from bench.pipeline import run as carry_out
from bench.results import Failure, Results
from reports.tables import small_sample_notes

GIBIBYTE = 2**30


def run_command(
    order: Order,
    choice: Choice,
    *,
    json_file: Path | None,
    dry_run: bool,
    fresh: bool,
    verify_bytes: bool,
    bounds: bool | None,
    min_coverage: float,
) -> None:
    """Plan, carry out, print; exit 1 where too few clips have a score."""
    plan = plan_run(order, choice)
    with progress_bars() as progress:
        ahead = look_ahead(plan, progress, fresh=fresh)
    if dry_run:
        _print_estimate(plan, ahead)
        return
    if json_file:
        require_target(json_file)
    check_places(plan, ahead)
    try:
        with progress_bars() as progress:
            result = carry_out(plan, progress, fresh=fresh, verify_bytes=verify_bytes)
        below = add_bounds(plan, bounds)
    except KeyboardInterrupt:
        notices().print("Stopped. What is finished is kept: the same command goes on from here.")
        raise typer.Exit(130) from None
    print_result(result.results, below)
    print_failures(result.failures, str(plan.results_directory / "failures.jsonl"))
    notices().print(f"Samples, scores and provenance: {result.directory}")
    if json_file:
        write_json(json_file, as_json(result.results, result.failures, result.provenance, below))
    raise typer.Exit(0 if result.results.coverage >= min_coverage else 1)


def check_places(plan: RunPlan, ahead: Estimate) -> None:
    """Say what is done over again, and refuse before any work what could only fail after it.

    Raises:
        MissingError: the system cannot be opened for samples that are still to be made.
        BenchError: there is no such device, a folder cannot be written to, or the disk is too full.
    """
    require_devices(plan.device, plan.judge.device)
    if ahead.stale:
        duration = _duration(ahead.times["generate"].seconds)
        notices().print(f"{ahead.stale}; they are made again, which takes about {duration}")
    if ahead.to_generate and plan.system.lacks and (lack := plan.system.lacks()):
        raise MissingError(f"{plan.system.name} cannot generate, it needs {lack}")
    for folder in (bench_home(), plan.root):
        require_folder(folder)
    if ahead.bytes_needed > ahead.bytes_free:
        raise BenchError(
            f"the run needs about {ahead.bytes_needed / GIBIBYTE:.1f} GiB and {plan.root} has "
            f"{ahead.bytes_free / GIBIBYTE:.1f} GiB free; use --runs DIR elsewhere, or --limit"
        )


def as_json(
    results: Results,
    failures: tuple[Failure, ...],
    provenance: Any,
    bounds: tuple[Results, ...] = (),
) -> dict[str, Any]:
    """What ``--json`` writes: metrics by name with their bounds, failures, provenance."""
    row = asdict(results)
    for name, score in row["metrics"].items():
        known = (each for each in bounds if name in each.metrics)
        score["bounds"] = {each.system: each.metrics[name].value for each in known}
    about = {key: row[key] for key in row if key not in {"metrics", "columns"}}
    about["notes"] = [*results.notes, *small_sample_notes([results], results.columns)]
    return {
        "metrics": row["metrics"],
        "failures": [asdict(failure) for failure in failures],
        "provenance": {**provenance, **about},
    }


def _print_estimate(plan: RunPlan, ahead: Estimate) -> None:
    out = console()
    out.print(f"{plan.system_name} on {plan.split.name}, seed {plan.seed}: {ahead.clips} clips")
    out.print(
        f"  generate  {ahead.to_generate} clips ({ahead.clips - ahead.to_generate} are there)"
    )
    out.print(f"  score     {ahead.to_score} clips: {', '.join(m.name for m in plan.metrics)}")
    out.print(f"  time      about {_duration(ahead.seconds)}: {_parts(ahead)}")
    need, free = ahead.bytes_needed / GIBIBYTE, ahead.bytes_free / GIBIBYTE
    out.print(f"  disk      about {need:.2f} GiB of {free:.0f} GiB free")
    if ahead.stale:
        out.print(f"  again     {ahead.stale}")
    if plan.split.refused:
        out.print(
            f"  refused   {len(plan.split.refused)} clips, e.g. {plan.split.refused[0].reason}"
        )
    if ahead.to_generate and plan.system.lacks and (lack := plan.system.lacks()):
        out.print(f"  lacks     {lack}")
    out.print(f"  into      {plan.results_directory}")


def _parts(ahead: Estimate) -> str:
    """The time of each stage, and whether it was measured in earlier runs or is a guess."""
    return ", ".join(
        f"{stage} {_duration(each.seconds)} ({'measured' if each.is_measured else 'guessed'})"
        for stage, each in ahead.times.items()
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
