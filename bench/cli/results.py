"""``bench results``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.completion import complete_results_format
from bench.cli.options import Runs

if TYPE_CHECKING:
    import pyarrow as pa

    from bench.results_store import ResultsStore

FORMATS = ("terminal", "csv", "json", "parquet")
#: What a terminal lists without --sql; other formats have every column.
LISTED = "run, judge, profile, suite_version AS suite, n, failures, date, device, hours"
#: Rows that a terminal is given; files have them all.
MOST_ROWS = 200


def results(
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="Only runs for which this SQL condition holds, such as \"system = 'oracle'\"; "
            "may be given several times."
        ),
    ] = None,
    sql: Annotated[
        str | None,
        typer.Option(
            help="One SELECT over the tables runs, aggregates and clips, see docs/results.md.",
            show_default="a row per run",
        ),
    ] = None,
    format: Annotated[
        str,
        typer.Option(
            help="terminal, csv, json or parquet.", autocompletion=complete_results_format
        ),
    ] = "terminal",
    out: Annotated[Path | None, typer.Option(help="Write to this file, do not print.")] = None,
    runs: Runs = Path("runs"),
) -> None:
    """List, filter, join and export the scores of every run.

    Exit 1 if results were refused: foreign, edited or half-written files.
    """
    from bench.errors import BenchError
    from bench.io import require_target
    from bench.results_store import open_store

    if format not in FORMATS:
        raise BenchError(f"no format {format!r}; there are: {', '.join(FORMATS)}")
    if format == "terminal" and out:
        raise BenchError("--out needs --format csv, json or parquet")
    if format == "parquet" and not out:
        raise BenchError("--format parquet needs --out FILE")
    if out:
        require_target(out)
    store = open_store(runs).select(where or ())
    listed = LISTED if format == "terminal" else "*"
    listing = f"SELECT {listed} FROM runs ORDER BY run"  # noqa: S608 - read-only
    table = store.query(listing if sql is None else sql)
    _write(table, format, out)
    _report_refusals(store)


def _write(table: pa.Table, format: str, out: Path | None) -> None:
    """Print or write the rows, in another format than that of the terminal."""
    from pyarrow import parquet

    from bench.io import atomic_path
    from bench.results_store import as_csv, as_json
    from bench.terminal import print_text

    if format == "terminal":
        _draw(table)
        return
    if format == "parquet" and out:
        with atomic_path(out) as temporary:
            parquet.write_table(table, temporary)
        return
    text = as_json(table) if format == "json" else as_csv(table)
    if out is None:
        print_text(text)
    else:
        with atomic_path(out) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _draw(table: pa.Table) -> None:
    from bench.cli.console import new_table, print_titled

    drawn = new_table()
    for column in table.schema:
        is_number = str(column.type) in {"double", "float"} or str(column.type).startswith("int")
        drawn.add_column(column.name, justify="right" if is_number else "left", overflow="fold")
    rows = table.slice(0, MOST_ROWS)
    for cells in zip(*(column.to_pylist() for column in rows.columns), strict=True):
        drawn.add_row(*map(_format_cell, cells))
    left = len(table) - len(rows)
    more = (f"and {left:,} more: --format csv --out FILE writes all",) if left else ()
    print_titled(f"{len(table):,} {'row' if len(table) == 1 else 'rows'}", drawn, notes=more)


def _format_cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _report_refusals(store: ResultsStore) -> None:
    """Name what was left out on standard error, and exit with 1 where anything was."""
    from bench.terminal import print_notice

    if not store.refused:
        return
    n_all = len(store.refused) + store.n_read
    print_notice(f"{len(store.refused)} of {n_all} results are refused and left out:")
    for each in store.refused:
        print_notice(f"  {each.directory}: {each.reason}")
    raise typer.Exit(1)
