"""Results as text: Markdown, LaTeX (booktabs), HTML, CSV, and the content of a JSON file.

Markdown, LaTeX and HTML hold one table per comparable set of runs, each titled by its split, with
the tables by group below it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from bench.errors import BenchError
from bench.grouping import GroupedRuns
from bench.results import Failure, Results
from reports.axes import axis_tables, results_by_group
from reports.fairness import FAIRNESS_FIELDS, fairness_cells
from reports.groups import group_tables
from reports.html import as_html
from reports.latex import as_latex
from reports.ranks import IsApart
from reports.tables import (
    Cell,
    Table,
    TableRow,
    build_table,
    comparable_sets,
    label_heading,
    small_sample_notes,
)

#: What names a run in a line of CSV.
RUN_FIELDS = (
    "system",
    "split",
    "condition",
    "seed",
    "is_mini",
    "judge",
    "profile",
    "suite_version",
    "protocol_version",
) + ("expected", "is_anchor")

#: The columns of a score in CSV; empty where a score has none.
SCORE_FIELDS = ("value", "low", "high", "chance", "n", "n_clusters", "dimensions", "reason")


def as_markdown(table: Table) -> str:
    """A pipe table below its title: best bold, second best underlined, footnotes below."""
    headings = (label_heading(table), "n", *table.full_headings)
    lines = [
        f"**{markdown_escape(table.title)}**",
        "",
        "| " + " | ".join(map(markdown_escape, headings)) + " |",
        "| " + " | ".join(["---", "---:"] + ["---:"] * len(table.headings)) + " |",
    ]
    for group, rows in groupby(table.rows, key=lambda row: row.group):
        if group:
            lines.append(f"| *{markdown_escape(group)}* |" + " |" * (1 + len(table.headings)))
        lines += [_markdown_row(row) for row in rows]
    notes = [f"_{markdown_escape(note)}_  " for note in table.footnotes]
    return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"


def _markdown_row(row: TableRow) -> str:
    label, n, *numbers = map(markdown_escape, row.texts)
    if not row.reason:
        numbers = list(map(_markdown_cell, row.cells))
    return "| " + " | ".join([f"*{label}*" if row.is_detail else label, n, *numbers]) + " |"


def as_csv(results: Sequence[Results]) -> str:
    """One line per run and metric, with full precision: for scripts and spreadsheets.

    Any runs may share it: it ranks nothing, and its lines name all that numbers may differ by
    (split, judge, profile, versions of suite and protocol). Groups of clips have lines of their
    own, named in ``group``; it is empty in the lines of the full run.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*RUN_FIELDS, "group", "metric", *SCORE_FIELDS, *FAIRNESS_FIELDS])
    for each in results:
        facts = fairness_cells(each)
        run = [getattr(each, name) for name in RUN_FIELDS]
        for group, scores in {"": each.metrics, **each.groups}.items():
            for name, score in scores.items():
                fields = [getattr(score, field) for field in SCORE_FIELDS]
                writer.writerow([*run, group, name, *fields, *facts])
    return out.getvalue()


def as_json(
    results: Results,
    failures: Sequence[Failure],
    provenance: Mapping[str, Any],
    bounds: Sequence[Results] = (),
) -> dict[str, Any]:
    """The content of ``--json``: metrics by name with their bounds, failures, provenance."""
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


def tables(
    results: Sequence[Results],
    *,
    extras: bool = True,
    min_coverage: float = 1.0,
    is_apart: IsApart | None = None,
) -> list[Table]:
    """All tables of these results: per comparable set the main one, then those by group.

    Raises:
        BenchError: there are no results.
    """
    if not results:
        raise BenchError("a table needs at least one finished run")
    return [
        table
        for some in comparable_sets(results)
        for table in (
            build_table(some, extras=extras, min_coverage=min_coverage, is_apart=is_apart),
            *group_tables(some, extras=extras, min_coverage=min_coverage, is_apart=is_apart),
        )
    ]


STYLES = ("markdown", "latex", "csv", "html")


def render(
    results: Sequence[Results], style: str, *, extras: bool = True, min_coverage: float = 1.0
) -> str:
    """These results in one of ``STYLES``; CSV always holds the extras.

    Raises:
        BenchError: no such style, or no results to lay out.
    """
    if require_style(style) == "csv":
        return as_csv(results)
    return write(tables(results, extras=extras, min_coverage=min_coverage), style)


def render_groups(
    grouped: GroupedRuns, style: str, *, extras: bool = True, min_coverage: float = 1.0
) -> str:
    """These runs by group, in one of ``STYLES``.

    CSV has a line per run, group and metric, and those of the full runs with an empty ``group``.

    Raises:
        BenchError: no such style.
    """
    if require_style(style) == "csv":
        return as_csv(results_by_group(grouped))
    return write(axis_tables(grouped, extras=extras, min_coverage=min_coverage), style)


def require_style(style: str) -> str:
    """Return the style.

    Raises:
        BenchError: there is none of this name.
    """
    if style not in STYLES:
        raise BenchError(f"no table format {style!r}; there are: {', '.join(STYLES)}")
    return style


def write(drawn: Sequence[Table], style: str) -> str:
    """These tables in the style ``markdown``, ``latex`` or ``html``."""
    if style == "html":
        return as_html(drawn)
    return "\n".join(map({"markdown": as_markdown, "latex": as_latex}[style], drawn))


def _markdown_cell(cell: Cell) -> str:
    text = {"best": f"**{cell.text}**", "second": f"<u>{cell.text}</u>"}.get(cell.rank, cell.text)
    return text + (f" ±{cell.interval}" if cell.interval else "")


def markdown_escape(text: str) -> str:
    """Return text that Markdown prints literally, also inside a table."""
    # HTML first: Markdown passes tags and entities through, and "&" must not hit our own entities.
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{char}" if char in "\\|*_`[]" else char for char in escaped)
