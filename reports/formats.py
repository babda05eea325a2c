"""Results as text: Markdown, LaTeX (booktabs), CSV, and the content of a JSON file.

Markdown and LaTeX hold one table per comparable set of runs, each titled by its split, with the
tables by group below it.
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
from reports.tables import Cell, Table, build_table, comparable_sets, small_sample_notes

LATEX_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "±": r"$\pm$",
    "–": "--",
    "†": r"$\dagger$",
}

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
) + ("expected", "is_anchor")

#: The columns of a score in CSV; empty where a score has none.
SCORE_FIELDS = ("value", "low", "high", "chance", "n", "n_clusters", "dimensions", "reason")


def as_markdown(table: Table) -> str:
    """A pipe table below its title: best bold, second best underlined, footnotes below."""
    lines = [
        f"**{markdown_escape(table.title)}**",
        "",
        "| "
        + " | ".join(
            [markdown_escape(_label_heading(table)), "n", *map(markdown_escape, table.headings)]
        )
        + " |",
        "| " + " | ".join(["---", "---:"] + ["---:"] * len(table.headings)) + " |",
    ]
    for row in table.rows:
        cells = [markdown_escape(row.label), str(row.n), *map(_markdown_cell, row.cells)]
        lines.append("| " + " | ".join(cells) + " |")
    notes = [f"_{markdown_escape(note)}_  " for note in table.footnotes]
    return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"


def as_latex(table: Table) -> str:
    """A booktabs table: best bold, second best underlined; anchors below a rule of their own.

    The caption names the split and holds the footnotes, so that a table in a paper states what its
    numbers are.
    """
    caption = ". ".join(map(latex_escape, (table.title, *table.footnotes)))
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}",
        "\\centering",
        f"\\caption{{{caption}.}}",
        f"\\begin{{tabular}}{{lr{'r' * len(table.headings)}}}",
        "\\toprule",
        " & ".join([latex_escape(_label_heading(table)), "$n$", *map(latex_escape, table.headings)])
        + r" \\",
        *_latex_rows(table),
        "\\bottomrule",
        "\\end{tabular}",
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _label_heading(table: Table) -> str:
    # Not ``capitalize``, which makes the rest of the name of an axis small.
    return table.label_heading[:1].upper() + table.label_heading[1:]


def _latex_rows(table: Table) -> list[str]:
    lines = []
    # ``groupby`` joins neighbours only, which suffices: a table has its anchors below the others.
    for _, rows in groupby(table.rows, key=lambda row: row.is_anchor):
        lines.append("\\midrule")
        for row in rows:
            cells = [latex_escape(row.label), str(row.n), *map(_latex_cell, row.cells)]
            lines.append(" & ".join(cells) + r" \\")
    return lines


def as_csv(results: Sequence[Results]) -> str:
    """One line per run and metric, with full precision: for scripts and spreadsheets.

    Any runs may share it: it ranks nothing, and its lines name all that numbers may differ by
    (split, judge, profile, suite version). Groups of clips have lines of their own, named in
    ``group``; it is empty in the lines of the full run.
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
    results: Sequence[Results], *, extras: bool = True, min_coverage: float = 1.0
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
            build_table(some, extras=extras, min_coverage=min_coverage),
            *group_tables(some, extras=extras, min_coverage=min_coverage),
        )
    ]


STYLES = ("markdown", "latex", "csv")


def render(
    results: Sequence[Results], style: str, *, extras: bool = True, min_coverage: float = 1.0
) -> str:
    """These results in the style ``markdown``, ``latex`` or ``csv``; CSV always holds the extras.

    Raises:
        BenchError: no such style, or no results to lay out.
    """
    if _require_style(style) == "csv":
        return as_csv(results)
    return _write(tables(results, extras=extras, min_coverage=min_coverage), style)


def render_groups(
    grouped: GroupedRuns, style: str, *, extras: bool = True, min_coverage: float = 1.0
) -> str:
    """These runs by group, in the style ``markdown``, ``latex`` or ``csv``.

    CSV has a line per run, group and metric, and those of the full runs with an empty ``group``.

    Raises:
        BenchError: no such style.
    """
    if _require_style(style) == "csv":
        return as_csv(results_by_group(grouped))
    return _write(axis_tables(grouped, extras=extras, min_coverage=min_coverage), style)


def _require_style(style: str) -> str:
    if style not in STYLES:
        raise BenchError(f"no table format {style!r}; there are: {', '.join(STYLES)}")
    return style


def _write(drawn: Sequence[Table], style: str) -> str:
    return "\n".join(map(as_markdown if style == "markdown" else as_latex, drawn))


def latex_escape(text: str) -> str:
    """Return text that LaTeX prints literally."""
    return "".join(LATEX_ESCAPES.get(char, char) for char in text)


def _latex_cell(cell: Cell) -> str:
    text = latex_escape(cell.text)
    text = {"best": f"\\textbf{{{text}}}", "second": f"\\underline{{{text}}}"}.get(cell.rank, text)
    return text + (f" {{\\scriptsize $\\pm${cell.interval}}}" if cell.interval else "")


def _markdown_cell(cell: Cell) -> str:
    text = {"best": f"**{cell.text}**", "second": f"<u>{cell.text}</u>"}.get(cell.rank, cell.text)
    return text + (f" ±{cell.interval}" if cell.interval else "")


def markdown_escape(text: str) -> str:
    """Return text that Markdown prints literally, also inside a table."""
    # HTML first: Markdown passes tags and entities through, and "&" must not hit our own entities.
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{char}" if char in "|*_`[]" else char for char in escaped)
