"""``bench table``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.options import complete_axis, complete_format

if TYPE_CHECKING:
    from reports.tables import Table

#: The format that is drawn on the screen instead of being written as text.
TERMINAL = "terminal"


def table(
    runs: Annotated[list[Path], typer.Argument(help="Run directories, or folders of runs.")],
    format: Annotated[
        str,
        typer.Option(help="terminal, markdown, latex or csv.", autocompletion=complete_format),
    ] = TERMINAL,
    by: Annotated[
        str | None,
        typer.Option(
            help="Print a row per group of clips: modality, speech, flags, class or taxonomy of "
            "VGGSound, action or material of mini, or group, the protocol's own.",
            autocompletion=complete_axis,
        ),
    ] = None,
    extras: Annotated[
        bool, typer.Option(help="Also print the columns that the paper's tables do not have.")
    ] = False,
    bounds: Annotated[
        bool,
        typer.Option(
            help="Also print floor and ceiling, where they are computed; not with --by, which "
            "takes their folders below $BENCH_HOME/bounds as RUNS."
        ),
    ] = True,
    min_coverage: Annotated[
        float,
        typer.Option(
            min=0.0, max=1.0, help="Rank only runs that scored at least this share of their clips."
        ),
    ] = 1.0,
    out: Annotated[Path | None, typer.Option(help="Write to this file, do not print.")] = None,
) -> None:
    """Print tables of finished runs: one per split, judge, profile and version of the suite."""
    from bench.cli.console import print_table
    from bench.io import atomic_path
    from bench.results import find_finished_runs
    from bench.terminal import print_text

    directories = [directory for path in runs for directory in find_finished_runs(path)]
    drawn = (
        _lay_out(directories, format, bounds, extras, min_coverage)
        if by is None
        else _lay_out_groups(directories, format, by, extras, min_coverage)
    )
    if not isinstance(drawn, str):
        for each in drawn:
            print_table(each)
    elif out is None:
        print_text(drawn)
    else:
        with atomic_path(out) as temporary:
            temporary.write_text(drawn, encoding="utf-8")


def _lay_out(
    directories: list[Path], format: str, bounds: bool, extras: bool, min_coverage: float
) -> list[Table] | str:
    """Return the tables of runs for the terminal, or their text in another format."""
    from bench.results import load_bounds, load_results
    from reports.formats import render, tables
    from reports.tables import with_bounds

    results = [load_results(directory) for directory in directories]
    if bounds:
        below = [each for directory in directories for each in load_bounds(directory)]
        results = with_bounds(results, below)
    if format == TERMINAL:
        return tables(results, extras=extras, min_coverage=min_coverage)
    return render(results, format, extras=extras, min_coverage=min_coverage)


def _lay_out_groups(
    directories: list[Path], format: str, axis: str, extras: bool, min_coverage: float
) -> list[Table] | str:
    """Return the same by group."""
    from bench.cli.console import notify
    from bench.grouping import load_groups
    from reports.axes import axis_tables
    from reports.formats import render_groups

    # CSV always has the extras.
    grouped = load_groups(directories, axis, extras=extras or format == "csv")
    for directory in grouped.left_out:
        notify(f"{directory} has no groups by {axis!r} and is left out")
    if format == TERMINAL:
        return axis_tables(grouped, extras=extras, min_coverage=min_coverage)
    return render_groups(grouped, format, extras=extras, min_coverage=min_coverage)
