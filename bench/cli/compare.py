"""``bench compare``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.completion import complete_compare_format, complete_metrics

if TYPE_CHECKING:
    from rich.table import Table

    from bench.pipeline.gate import Gate
    from bench.pipeline.repeat import Repetition

FORMATS = ("terminal", "markdown")

#: How a row is drawn, by the first word of its verdict.
STYLES = {
    **{"regression": "red", "inconclusive": "yellow", "not": "green", "information": "dim"},
    **{"changed": "red", "repeated": "green"},
}


def compare(
    base: Annotated[Path, typer.Argument(help="Run directory to compare with.")],
    new: Annotated[Path, typer.Argument(help="Run directory that should not be worse.")],
    primary: Annotated[
        str | None,
        typer.Option(
            help="The columns that decide, between commas.",
            show_default="the paper's ten columns",
            autocompletion=complete_metrics,
        ),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(help="TOML file of margins and levels by column, see docs/compare.md."),
    ] = None,
    require_equivalence: Annotated[
        bool,
        typer.Option("--require-equivalence", help="Pass only if no column can be worse."),
    ] = False,
    max_differ: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of clips that only one run may have scored."),
    ] = 0.01,
    repeat: Annotated[
        Path | None,
        typer.Option(
            help="NEW is BASE again, with the same seed: every clip of every column has to be "
            "within the tolerances of this TOML file, see docs/ci.md."
        ),
    ] = None,
    format: Annotated[
        str,
        typer.Option(help="terminal or markdown.", autocompletion=complete_compare_format),
    ] = "terminal",
    out: Annotated[
        Path | None, typer.Option(help="Write the Markdown to this file, do not print it.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(help="Also write JUnit XML, a test case per primary column.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Also write all numbers to this file.")] = None,
) -> None:
    """Regression gate: exit 1 if a primary column of NEW is worse than BASE beyond its margin.

    The test is paired by clip and adjusted for the number of columns. Exit 2 if the runs cannot be
    compared.
    """
    from bench.cli import compare_formats, repeat_formats
    from bench.errors import BenchError
    from bench.pipeline.gate import gate_runs
    from bench.pipeline.repeat import find_changes, read_tolerances
    from bench.pipeline.rules import read_rules

    _require_targets(format, out, junit, json)
    if repeat:
        if primary is not None or rules or require_equivalence:
            raise BenchError("--repeat compares every clip; it takes no primary columns or rules")
        found = find_changes(base, new, read_tolerances(repeat))
        _report(found, repeat_formats, format, out, junit, json)
        raise typer.Exit(0 if found.has_passed else 1)
    gate = gate_runs(
        base,
        new,
        read_rules(rules, primary),
        require_equivalence=require_equivalence,
        max_differ=max_differ,
    )
    _report(gate, compare_formats, format, out, junit, json)
    raise typer.Exit(0 if gate.has_passed else 1)


def _report(
    found: Gate | Repetition,
    formats: ModuleType,
    format: str,
    out: Path | None,
    junit: Path | None,
    json: Path | None,
) -> None:
    """Write the files that were asked for, and print the table unless it is one of them."""
    from bench.cli.console import print_titled
    from bench.io import write_json
    from bench.terminal import print_text

    if junit:
        _write_text(junit, formats.as_junit(found))
    if json:
        write_json(json, formats.as_json(found))
    if out:
        _write_text(out, formats.as_markdown(found))
    elif format == "markdown":
        print_text(formats.as_markdown(found))
    else:
        notes = (formats.summary(found), *formats.explanations(found))
        print_titled(
            formats.title(found), _draw(formats.HEADINGS, formats.rows(found)), notes=notes
        )


def _require_targets(format: str, out: Path | None, *others: Path | None) -> None:
    """Refuse a format that does not exist, and files that cannot be written."""
    from bench.errors import BenchError
    from bench.io import require_target

    if format not in FORMATS:
        raise BenchError(f"no format {format!r}; there are: {', '.join(FORMATS)}")
    if out and format != "markdown":
        raise BenchError("--out writes Markdown; add --format markdown")
    for path in (out, *others):
        if path:
            require_target(path)


def _draw(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    from bench.cli.console import new_table

    drawn = new_table()
    for heading in headings:
        drawn.add_column(heading, justify="left" if heading in {"metric", "verdict"} else "right")
    for row in rows:
        drawn.add_row(*row, style=STYLES[row[-1].split()[0]])
    return drawn


def _write_text(destination: Path, text: str) -> None:
    from bench.io import atomic_path

    with atomic_path(destination) as temporary:
        temporary.write_text(text, encoding="utf-8")
