"""``bench table 1`` to ``bench table 7``: the paper's tables, filled with finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from bench.cli.table import TableOptions
    from reports.published import DeclaredRun, World
    from reports.reproductions import FoundRun, Reproduction
    from reports.tables import Table

#: Where runs are looked for unless folders are named.
RUNS = Path("runs")
#: Commands that a notice names one by one.
N_NAMED = 2


def lay_out_paper_tables(
    numbers: Sequence[int], folders: Sequence[Path], options: TableOptions
) -> list[Table] | str:
    """Return tables of the paper for the terminal, or their text in another format.

    Raises:
        BenchError: a folder that was named holds no finished run, nor the study of Table 3.
    """
    from bench.cli.table3 import REHEARSAL, find_table3, is_study
    from bench.errors import BenchError
    from reports.formats import write
    from reports.published import load_table
    from reports.reproductions import paper_csv

    wanted = "folders of a study or of runs" if 3 in numbers else "folders of runs"
    for path in folders:
        if path.is_file():
            raise BenchError(f"{path} is a file: a table of the paper is made of {wanted}")
    studies = [path for path in folders if 3 in numbers and is_study(path)]
    folders = [path for path in folders if path not in studies]
    # For Table 3 alone, a folder may hold a study and no run.
    only_study = {*numbers} == {3} and all(is_study(path / REHEARSAL) for path in folders)
    found = [] if only_study else find_runs(folders, bounds=options.bounds)
    world = cast("World", options.world or "paper")
    made = [
        find_table3(load_table(3), world, studies, folders)
        if number == 3
        else find_rows(number, world, found, bounds=options.bounds)
        for number in numbers
    ]
    if options.by is not None:
        return _lay_out_groups(made[0], options.by, options)
    if options.format == "csv":
        return paper_csv(made)
    drawn = [_lay_out(each, options) for each in made]
    return drawn if options.format == "terminal" else write(drawn, options.format)


def find_runs(folders: Sequence[Path], *, bounds: bool) -> list[FoundRun]:
    """Return the finished runs in these folders, and with ``bounds`` the bounds of each.

    Raises:
        BenchError: a folder that was named holds none.
    """
    from bench.results import find_finished_runs, load_bounds, load_results
    from reports.reproductions import FoundRun

    if not folders and not RUNS.is_dir():
        return []
    directories = [each for path in folders or (RUNS,) for each in find_finished_runs(path)]
    found = [FoundRun(load_results(directory), directory) for directory in directories]
    if bounds:
        found += [FoundRun(each) for path in directories for each in load_bounds(path)]
    return found


def find_rows(
    number: int, world: World, found: Sequence[FoundRun], *, bounds: bool = True
) -> Reproduction:
    """Return Table ``number`` with its runs, and print how the missing ones are made."""
    from bench.cli.console import notify
    from bench.errors import format_names
    from reports.published import load_table
    from reports.reproductions import choose_runs

    table = load_table(number)
    if not bounds:
        table = replace(table, rows=tuple(row for row in table.rows if not row.is_bound))
    made = choose_runs(table, world, found)
    reasons = dict(made.reasons)
    commands: dict[str, None] = {}
    for row in made.table.rows:
        declared = made.declared(row)
        if row.label in made.runs or declared.missing or row.is_bound:
            continue
        if missing := _describe_missing(declared):
            if "weights" in missing:
                reasons[row.label] = "no checkpoint"
            notify(f"Table {number}, {row.label}: {declared.system} needs {missing}")
        else:
            commands[declared.command] = None
    if commands:
        listed = format_names((f"`{command}`" for command in commands), N_NAMED)
        notify(f"Table {number}, {len(commands)} runs are missing: {listed}")
    return replace(made, reasons=reasons)


def _describe_missing(declared: DeclaredRun) -> str:
    """What its system misses here: weights, an environment; "" for nothing, or no such system."""
    from bench.errors import BenchError
    from bench.plugins import open_system

    try:
        describe = open_system(declared.system).lacks
    except BenchError:
        return ""
    return (describe() if describe else None) or ""


def _lay_out(made: Reproduction, options: TableOptions) -> Table:
    """Return the table, ranked with or without regard to the intervals of differences."""
    from bench.cli.significance import Significance
    from reports.paper_tables import build_paper_table

    runs = [(each.directory, each.results) for each in made.runs.values() if each.directory]
    apart = Significance(runs) if options.significant else None
    table = build_paper_table(
        made,
        with_paper=options.with_paper,
        min_coverage=options.min_coverage,
        is_apart=apart,
    )
    return apart.annotate(table) if apart else table


def _lay_out_groups(made: Reproduction, axis: str, options: TableOptions) -> list[Table] | str:
    """Return the runs of a table by group of their clips, under the paper's labels but in CSV.

    Raises:
        BenchError: the table has no run, or none has this axis.
    """
    from bench.cli.console import notify
    from bench.errors import BenchError
    from bench.grouping import load_groups
    from reports.axes import axis_tables, results_by_group
    from reports.formats import as_csv, write

    runs = {label: each.directory for label, each in made.runs.items() if each.directory}
    if not runs:
        raise BenchError(f"Table {made.table.number} has no finished run to show by {axis}")
    is_csv = options.format == "csv"  # which always has the extras
    grouped = load_groups([*runs.values()], axis, extras=options.extras or is_csv)
    for directory in grouped.left_out:
        notify(f"{directory} has no groups by {axis!r} and is left out")
    if is_csv:
        return as_csv(results_by_group(grouped))
    names = [label for label, directory in runs.items() if directory not in grouped.left_out]
    named = replace(
        grouped,
        runs=tuple(
            replace(run, results=replace(run.results, system=name, condition="full"))
            for name, run in zip(names, grouped.runs, strict=True)
        ),
    )
    world = ", mini world" if made.world == "mini" else ""
    drawn = [
        replace(table, title=f"Table {made.table.number}{world}: {table.title}")
        for table in axis_tables(named, extras=options.extras, min_coverage=options.min_coverage)
    ]
    return drawn if options.format == "terminal" else write(drawn, options.format)
