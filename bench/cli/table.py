"""``bench table``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import complete_format

#: The format that is drawn on the screen instead of being written as text.
TERMINAL = "terminal"


def table(
    runs: Annotated[list[Path], typer.Argument(help="Run directories, or folders of runs.")],
    format: Annotated[
        str,
        typer.Option(help="terminal, markdown, latex or csv.", autocompletion=complete_format),
    ] = TERMINAL,
    extras: Annotated[
        bool, typer.Option(help="Also print the columns that the paper's tables do not have.")
    ] = False,
    bounds: Annotated[
        bool, typer.Option(help="Also print floor and ceiling, where they are computed.")
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
    from bench.results import find_finished_runs, load_bounds, load_results
    from bench.terminal import print_text
    from reports.formats import render, tables
    from reports.tables import with_bounds

    directories = [directory for path in runs for directory in find_finished_runs(path)]
    results = [load_results(directory) for directory in directories]
    if bounds:
        below = [each for directory in directories for each in load_bounds(directory)]
        results = with_bounds(results, below)
    if format == TERMINAL:
        for drawn in tables(results, extras=extras, min_coverage=min_coverage):
            print_table(drawn)
        return
    text = render(results, format, extras=extras, min_coverage=min_coverage)
    if out is None:
        print_text(text)
        return
    with atomic_path(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
