"""``bench run`` with several models: one after the other, then one table of all.

A model that cannot run here does not stop the others: why is one line. One that is misspelled does,
before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from bench.pipeline.columns import JudgeOptions
    from bench.pipeline.estimate import Estimate
    from bench.pipeline.plan import RunPlan
    from bench.pipeline.prepare import RunOptions
    from bench.pipeline.run import RunResult
    from bench.results import Results

#: Every system that competes: anchors are the floor and ceiling of the table (``--bounds``).
ALL = "all"


@dataclass(frozen=True)
class Switches:
    """The options of ``bench run`` that do not decide what a run is."""

    json: Path | None
    bounds: bool | None
    min_coverage: float
    fresh: bool
    verify_bytes: bool


def split_models(text: str | None) -> list[str]:
    """Return the models between commas, each once; none where ``text`` is one model or no list.

    A comma in the argument of a model, such as a folder, is part of it.

    Raises:
        BenchError: a name in the list is no system.
    """
    from bench.plugins import open_system

    models: list[str] = []
    for part in (text or "").split(","):
        name = part.strip()
        if models and ":" in models[-1] and name != ALL and not _is_system(name):
            models[-1] += f",{part}"
        elif name:
            models.append(name)
    if ALL not in models and len(models) < 2:
        return []
    for name in models:
        if name != ALL:
            open_system(name)
    expanded = (each for name in models for each in (_list_all() if name == ALL else [name]))
    return list(dict.fromkeys(expanded))


def _is_system(text: str) -> bool:
    from bench.plugins import read_declarations

    name, _, attribute = text.partition(":")
    is_own = attribute != "" and all(part.isidentifier() for part in name.split("."))
    return is_own or name in read_declarations("system")


def _list_all() -> list[str]:
    from bench.errors import BenchError
    from bench.plugins import open_system, read_declarations

    names = []
    for row in read_declarations("system"):
        try:
            if not row.argument and not open_system(row.name).is_anchor:
                names.append(row.name)
        except BenchError:
            names.append(row.name)  # planning it gives the reason
    return names


def run_models(
    models: Sequence[str], options: RunOptions, judging: JudgeOptions, switches: Switches
) -> None:
    """Run these models on one split, print one table, and exit with 1 where one of them failed.

    Raises:
        BenchError: the split cannot be opened, or none of the models can run.
    """
    from bench.cli.console import (
        notices,
        print_failed,
        print_failures,
        progress_bars,
        stop_cleanly,
    )
    from bench.io import require_target
    from bench.pipeline.bounds import add_bounds
    from bench.pipeline.run import run as run_plan

    if switches.json:
        require_target(switches.json)
    notify = _notify_once()
    plans, refused = plan_models(models, options, judging, fresh=switches.fresh, notify=notify)
    _require_some(plans, refused)
    results: dict[str, RunResult] = {}
    below: list[Results] = []
    failed: dict[str, str] = {}
    with stop_cleanly():
        for position, (plan, _) in enumerate(plans, 1):
            notices().print(f"{plan.system_name} ({position} of {len(plans)})", style="bold")
            try:
                with progress_bars() as progress:
                    results[plan.system_name] = run_plan(
                        plan, progress, fresh=switches.fresh, verify_bytes=switches.verify_bytes
                    )
                with progress_bars() as progress:
                    below += add_bounds(plan, switches.bounds, progress, notify)
            # Any error, of a system of another package too, is the end of this model alone.
            except Exception as error:
                failed[plan.system_name] = print_failed(error)
    _print_table(results, below, judging, switches.min_coverage)
    for made in results.values():
        print_failures(made.failures, str(made.directory / "failures.jsonl"))
    _print_reasons("failed", failed)
    _print_reasons("not run", refused)
    _write(results, below, switches.json)
    covered = (made.results.coverage >= switches.min_coverage for made in results.values())
    raise typer.Exit(0 if all(covered) and not failed else 1)


def print_plans(
    models: Sequence[str],
    options: RunOptions,
    judging: JudgeOptions,
    *,
    fresh: bool,
    describe: Callable[[RunPlan, Estimate], Sequence[str]],
) -> None:
    """Print what a run of these models would do, by model as ``describe`` puts it; do nothing."""
    from bench.cli.console import console
    from bench.pipeline.run import format_duration

    plans, refused = plan_models(
        models, options, judging, fresh=fresh, notify=_notify_once(), is_dry=True
    )
    _require_some(plans, refused)
    for plan, ahead in plans:
        for line in describe(plan, ahead):
            console().print(line)
    seconds = sum(ahead.seconds for _, ahead in plans)
    console().print(f"{len(plans)} of {len(models)} models: about {format_duration(seconds)}")


def plan_models(
    models: Sequence[str],
    options: RunOptions,
    judging: JudgeOptions,
    *,
    fresh: bool,
    notify: Callable[[str], None],
    is_dry: bool = False,
) -> tuple[list[tuple[RunPlan, Estimate]], dict[str, str]]:
    """Return the plans of the models that can run, and by model why the others cannot.

    With ``is_dry`` nothing is written, not even an empty folder.

    Raises:
        BenchError: the split cannot be opened.
    """
    from bench.cli.console import progress_bars
    from bench.errors import BenchError, MissingError
    from bench.pipeline.prepare import choose_split, plan_run
    from bench.pipeline.run import look_ahead, require_ready
    from bench.splits import Split

    split = options.split
    if not isinstance(split, Split):
        split = choose_split(split, notify)
    plans, refused = [], {}
    for model in models:
        try:
            plan = plan_run(replace(options, model=model, split=split), judging, notify)
            with progress_bars() as progress:
                ahead = look_ahead(plan, progress, fresh=fresh)
            # All before the first runs: what the last one needs must not be found after hours.
            if not is_dry:
                require_ready(plan, ahead, notify)
            elif ahead.to_generate and plan.system.lacks and (missing := plan.system.lacks()):
                raise MissingError(f"{plan.system.name} cannot generate, it needs {missing}")
        except BenchError as error:
            refused[model] = str(error)
            continue
        plans.append((plan, ahead))
    _print_reasons("not run", refused)
    return plans, refused


def _notify_once() -> Callable[[str], None]:
    """Return a ``notify`` that leaves out what it has printed: models share most sentences."""
    from bench.cli.console import notify

    printed: set[str] = set()

    def notify_once(text: str) -> None:
        if text not in printed:
            printed.add(text)
            notify(text)

    return notify_once


def _require_some(plans: Sequence[object], refused: Mapping[str, str]) -> None:
    from bench.errors import BenchError

    if not plans:
        raise BenchError(f"none of {len(refused)} models can run; the reasons are above")


def _print_reasons(what: str, reasons: Mapping[str, str]) -> None:
    from bench.cli.console import notices

    for name, reason in reasons.items():
        # Most reasons begin with the name of the system.
        text = reason if reason.startswith(name) else f"{name}: {reason}"
        notices().print(f"{what}: {text}", style="yellow", soft_wrap=True)


def _print_table(
    results: Mapping[str, RunResult],
    below: Sequence[Results],
    judging: JudgeOptions,
    min_coverage: float,
) -> None:
    from bench.cli.console import print_table
    from reports.formats import tables
    from reports.tables import with_bounds

    if results:
        rows = with_bounds([made.results for made in results.values()], below)
        # Extras that were asked for by name are what the user wants to read.
        has_extras = judging.metrics is not None
        for each in tables(rows, extras=has_extras, min_coverage=min_coverage):
            print_table(each)


def _write(results: Mapping[str, RunResult], below: Sequence[Results], file: Path | None) -> None:
    from bench.io import write_json
    from reports.formats import as_json

    if file:
        rows = {
            name: as_json(made.results, made.failures, made.provenance, below)
            for name, made in results.items()
        }
        write_json(file, {"rows": rows})
