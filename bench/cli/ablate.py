"""``bench ablate``: what components, stages of training and pooling are worth (Tables 4, 5, 6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from bench.cli.bounds import add_bounds
from bench.cli.console import (
    notices,
    print_failures,
    print_table,
    progress_bars,
    split_names,
)
from bench.cli.judge import Choice
from bench.cli.plan import Order, plan_run
from bench.cli.run import as_json, check_places
from bench.cli.variants import ABLATIONS, Variant
from bench.errors import BenchError
from bench.io import require_target, write_json
from bench.pipeline import RunPlan, RunResult, look_ahead, run
from bench.results import Results
from bench.types import COMPONENTS, parse_condition
from reports.tables import build_table, with_bounds

#: The row under which nothing is masked.
UNMASKED = "none"


@dataclass(frozen=True)
class Ablation:
    """What to vary, as typed: components, stages of training, or pooling."""

    mask: str | None = None
    stage: str | None = None
    pooling: str | None = None
    scope: str = "whole"

    def named(self) -> tuple[str, str]:
        """The one option that was given, and what it names.

        Raises:
            BenchError: none or several were given, or a scope without a mask.
        """
        options = {"mask": self.mask, "stage": self.stage, "pooling": self.pooling}
        given = [(name, text) for name, text in options.items() if text is not None]
        if len(given) != 1:
            found = ", ".join(f"--{name}" for name, _ in given) or "none of them"
            raise BenchError(f"give one of --mask, --stage and --pooling, not {found}")
        if self.mask is None and self.scope != "whole":
            raise BenchError(f"--mask-scope {self.scope} says how to --mask, which was not given")
        return given[0]


@dataclass(frozen=True)
class Row:
    """A run and what its row is called in the table; None leaves system and condition."""

    plan: RunPlan
    label: str | None = None


def ablate_command(
    order: Order,
    choice: Choice,
    ablation: Ablation,
    *,
    json_file: Path | None,
    bounds: bool | None = False,
    min_coverage: float = 1.0,
) -> None:
    """Carry out the runs of an ablation, print one table; exit 1 where clips lack a score."""
    rows = _rows(order, choice, ablation)
    if json_file:
        require_target(json_file)
    for row in rows.values():
        check_places(row.plan, look_ahead(row.plan))
    try:
        results = {name: _carry_out(name, row.plan) for name, row in rows.items()}
        below = add_bounds(next(iter(rows.values())).plan, bounds)
    except KeyboardInterrupt:
        notices().print("Stopped. What is finished is kept: the same command goes on from here.")
        raise typer.Exit(130) from None
    _print(rows, results, below, min_coverage)
    if json_file:
        found = {
            name: as_json(each.results, each.failures, each.provenance)
            for name, each in results.items()
        }
        write_json(json_file, {"rows": found})
    is_whole = all(each.results.coverage >= min_coverage for each in results.values())
    raise typer.Exit(0 if is_whole else 1)


def _rows(order: Order, choice: Choice, ablation: Ablation) -> dict[str, Row]:
    """The runs of a table, by the name of their row.

    Raises:
        BenchError: what is named is not there.
    """
    option, text = ablation.named()
    if option == "mask":
        return _masked(order, choice, text, ablation.scope)
    variants = _chosen(order.model, option, text)
    return {
        each.label: Row(plan_run(replace(order, model=each.system), choice), each.label)
        for each in variants
    }


def _masked(order: Order, choice: Choice, mask: str, scope: str) -> dict[str, Row]:
    """The unmasked run, and one for each component."""
    names = _names("mask", mask, COMPONENTS)
    masked = {name: replace(order, condition=parse_condition(name, scope)) for name in names}
    orders = {UNMASKED: order, **masked}
    return {name: Row(plan_run(each, choice)) for name, each in orders.items()}


def _chosen(model: str, option: str, text: str) -> list[Variant]:
    """The variants of a model that are named, and the model itself, as the paper orders them."""
    if model not in ABLATIONS:
        models = " and ".join(ABLATIONS)
        raise BenchError(f"--{option} compares trained variants, which {models} have, not {model}")
    variants = ABLATIONS[model][option]
    known = [each.name for each in variants]
    names = _names(option, text, known)
    if unknown := [name for name in names if name not in known]:
        raise BenchError(f"no {option} {unknown[0]!r} of {model}; there are: {_listed(known)}")
    return [each for each in variants if each.name in names or each.system == model]


def _names(option: str, text: str, known: Iterable[str]) -> list[str]:
    """Names between commas; all that are known for ``all``."""
    names = list(known) if text.strip() == "all" else split_names(text)
    if not names:
        raise BenchError(f"--{option} names nothing; there are: {_listed(known)}")
    return names


def _listed(known: Iterable[str]) -> str:
    return ", ".join((*known, "all"))


def _carry_out(name: str, plan: RunPlan) -> RunResult:
    notices().print(f"{plan.system_name}: {name}", style="bold")
    with progress_bars() as progress:
        return run(plan, progress)


def _print(
    rows: dict[str, Row],
    results: dict[str, RunResult],
    bounds: tuple[Results, ...],
    min_coverage: float,
) -> None:
    """Print the table, and the failures of each run."""
    found = [
        replace(each.results, system=rows[name].label or each.results.system)
        for name, each in results.items()
    ]
    print_table(build_table(with_bounds(found, bounds), min_coverage=min_coverage))
    for name, each in results.items():
        print_failures(each.failures, str(rows[name].plan.results_directory / "failures.jsonl"))
