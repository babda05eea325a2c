"""``bench table``: tables of finished runs, and the paper's tables filled with them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.completion import complete_axis, complete_format, complete_world

if TYPE_CHECKING:
    from reports.tables import Table

#: The format that is drawn on the screen instead of being written as text.
TERMINAL = "terminal"


@dataclass(frozen=True)
class TableOptions:
    """What the user asked of the tables, under the names of the command line."""

    format: str = TERMINAL
    world: str | None = None
    by: str | None = None
    with_paper: bool = False
    significant: bool = False
    extras: bool = False
    bounds: bool = True
    min_coverage: float = 1.0


def table(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Run directories, or folders of runs; or 1 to 7 for tables of the paper, filled "
            "from the runs in the folders that follow (runs), Table 3 from a study. A folder of "
            "that name is ./1."
        ),
    ],
    format: Annotated[
        str,
        typer.Option(
            help="terminal, markdown, latex, html or csv.", autocompletion=complete_format
        ),
    ] = TERMINAL,
    world: Annotated[
        str | None,
        typer.Option(
            help="A table of the paper from runs on its own clips (paper) or rendered ones (mini).",
            show_default="paper",
            autocompletion=complete_world,
        ),
    ] = None,
    with_paper: Annotated[
        bool, typer.Option(help="Below each row of a table of the paper, print what it published.")
    ] = False,
    significant: Annotated[
        bool,
        typer.Option(
            help="Mark best and second best only where the interval of the paired difference from "
            "the others excludes zero."
        ),
    ] = False,
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
    """Print tables of finished runs: one per split, judge, profile and version of the suite.

    bench table 1 --with-paper is Table 1 of the paper: your runs beside the published values.
    """
    from bench.cli.console import print_table
    from bench.cli.paper_tables import lay_out_paper_tables
    from bench.io import atomic_path, require_target
    from bench.results import find_finished_runs
    from bench.terminal import print_text
    from reports.published import NUMBERS

    if out is not None:
        require_target(out)
    numbers = [int(text) for text in runs if str(text) in NUMBERS]
    folders = [Path(text) for text in runs if str(text) not in NUMBERS]
    options = TableOptions(format, world, by, with_paper, significant, extras, bounds, min_coverage)
    _check_options(options, out)
    _check_arguments(numbers, folders)
    _check_together(numbers, options)
    if numbers:
        drawn = lay_out_paper_tables(numbers, folders, options)
    else:
        lay_out = _lay_out if by is None else _lay_out_groups
        drawn = lay_out([each for path in folders for each in find_finished_runs(path)], options)
    if not isinstance(drawn, str):
        for each in drawn:
            print_table(each)
    elif out is None:
        print_text(drawn)
    else:
        with atomic_path(out) as temporary:
            temporary.write_text(drawn, encoding="utf-8")


def _check_arguments(numbers: list[int], folders: list[Path]) -> None:
    """Refuse a table that the paper does not have; print that a number is no folder here."""
    from bench.cli.console import notify
    from bench.errors import BenchError

    for folder in folders:
        if folder.name.isdecimal() and not folder.exists():
            raise BenchError(f"there is no folder {folder}, and the paper has Tables 1 to 7")
    for number in numbers:
        if Path(str(number)).exists():
            notify(f"{number} is Table {number} of the paper; the folder here is ./{number}")


def _check_options(options: TableOptions, out: Path | None) -> None:
    """Refuse formats and worlds that do not exist, and a file without a format."""
    from bench.errors import BenchError
    from reports.formats import require_style
    from reports.published import WORLDS

    if options.format != TERMINAL:
        require_style(options.format)
    elif out is not None:
        raise BenchError("--out writes markdown, latex, html or csv: name one with --format")
    if options.world is not None and options.world not in WORLDS:
        raise BenchError(f"no world {options.world!r}; there are: {', '.join(WORLDS)}")


def _check_together(numbers: list[int], options: TableOptions) -> None:
    """Refuse options that do not go together, or not with what is printed."""
    from bench.errors import BenchError

    if not numbers and (options.with_paper or options.world is not None):
        raise BenchError(
            "--world and --with-paper are of the paper's tables: bench table 1 --with-paper"
        )
    is_by = options.by is not None
    if is_by and (options.with_paper or options.significant or len(numbers) > 1):
        raise BenchError(
            "--by goes with one table of the paper at most, and not with --with-paper or "
            "--significant"
        )
    if options.significant and options.format == "csv":
        raise BenchError("--significant chooses what is marked best, and CSV marks nothing")
    if numbers and options.extras and not is_by:
        raise BenchError(
            "--extras prints columns that the paper's tables do not have: name runs, or give --by"
        )


def _lay_out(directories: list[Path], options: TableOptions) -> list[Table] | str:
    """Return the tables of runs for the terminal, or their text in another format."""
    from bench.cli.significance import Significance
    from bench.results import load_bounds, load_results
    from reports.formats import as_csv, tables, write
    from reports.tables import with_bounds

    runs = [(directory, load_results(directory)) for directory in directories]
    results = [each for _, each in runs]
    if options.bounds:
        below = [each for directory in directories for each in load_bounds(directory)]
        results = with_bounds(results, below)
    if options.format == "csv":
        return as_csv(results)
    apart = Significance(runs) if options.significant else None
    drawn = tables(
        results, extras=options.extras, min_coverage=options.min_coverage, is_apart=apart
    )
    if apart:
        drawn = [apart.annotate(each) for each in drawn]
    return drawn if options.format == TERMINAL else write(drawn, options.format)


def _lay_out_groups(directories: list[Path], options: TableOptions) -> list[Table] | str:
    """Return the same by group."""
    from bench.cli.console import notify
    from bench.grouping import load_groups
    from reports.axes import axis_tables
    from reports.formats import render_groups

    axis, extras, min_coverage = str(options.by), options.extras, options.min_coverage
    # CSV always has the extras.
    grouped = load_groups(directories, axis, extras=extras or options.format == "csv")
    for directory in grouped.left_out:
        notify(f"{directory} has no groups by {axis!r} and is left out")
    if options.format == TERMINAL:
        return axis_tables(grouped, extras=extras, min_coverage=min_coverage)
    return render_groups(grouped, options.format, extras=extras, min_coverage=min_coverage)
