"""``bench ablate``: what each component is worth, as Table 6 of the paper asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import typer

from bench.cli.console import (
    notices,
    print_failures,
    print_table,
    progress_bars,
    split_names,
)
from bench.cli.judging import Choice
from bench.cli.planning import Order, parse_condition, plan_run
from bench.cli.running import as_json, check_places
from bench.errors import BenchError
from bench.files import require_target, write_json
from bench.runs import RunPlan, RunResult, look_ahead, run
from bench.types import COMPONENTS
from reports.tables import build_table

#: The row under which nothing is masked.
UNMASKED = "none"


def ablate_command(
    order: Order, choice: Choice, *, mask: str, scope: str, json_file: Path | None
) -> None:
    """Run unmasked and under each mask, print one table; exit 1 where clips failed."""
    plans = _plans(order, choice, mask, scope)
    if json_file:
        require_target(json_file)
    for plan in plans.values():
        check_places(plan, look_ahead(plan))
    try:
        results = {name: _carry_out(name, plan) for name, plan in plans.items()}
    except KeyboardInterrupt:
        notices().print("Stopped. What is finished is kept: the same command goes on from here.")
        raise typer.Exit(130) from None
    print_table(build_table([each.results for each in results.values()]))
    for name, each in results.items():
        print_failures(each.failures, str(plans[name].results_directory / "failures.jsonl"))
    if json_file:
        rows = {
            name: as_json(each.results, each.failures, each.provenance)
            for name, each in results.items()
        }
        write_json(json_file, {"rows": rows})
    raise typer.Exit(1 if any(each.failures for each in results.values()) else 0)


def _plans(order: Order, choice: Choice, mask: str, scope: str) -> dict[str, RunPlan]:
    """The unmasked run, and one for each component.

    Raises:
        BenchError: no component is named, or one that there is not.
    """
    names = list(COMPONENTS) if mask == "all" else split_names(mask)
    if not names:
        raise BenchError(f"--mask names nothing; there are: {', '.join(COMPONENTS)}, all")
    masked = {name: replace(order, condition=parse_condition(name, scope)) for name in names}
    return {name: plan_run(each, choice) for name, each in {UNMASKED: order, **masked}.items()}


def _carry_out(name: str, plan: RunPlan) -> RunResult:
    notices().print(f"{plan.system_name}, masked: {name}", style="bold")
    with progress_bars() as progress:
        return run(plan, progress)
