"""A table as text: Markdown, LaTeX (booktabs) or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from bench.errors import BenchError
from bench.results import Results
from reports.tables import Cell, Table, build_table

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
}


def as_markdown(table: Table) -> str:
    """A pipe table: best bold, second best underlined, footnotes below."""
    lines = [
        "| " + " | ".join(["System", "n", *table.headings]) + " |",
        "| " + " | ".join(["---", "---:"] + ["---:"] * len(table.headings)) + " |",
    ]
    for row in table.rows:
        cells = [_markdown_escape(row.label), str(row.n), *map(_markdown_cell, row.cells)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *(f"_{_markdown_escape(n)}_  " for n in table.footnotes)]) + "\n"


def as_latex(table: Table) -> str:
    """A booktabs table: best bold, second best underlined; anchors below a rule of their own."""
    lines = [
        "% needs \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{lr{'r' * len(table.headings)}}}",
        "\\toprule",
        " & ".join(["System", "$n$", *map(latex_escape, table.headings)]) + r" \\",
        "\\midrule",
    ]
    systems = [row for row in table.rows if not row.is_anchor]
    anchors = [row for row in table.rows if row.is_anchor]
    for group in filter(None, (systems, anchors)):
        if group is anchors and systems:
            lines.append("\\midrule")
        for row in group:
            cells = [latex_escape(row.label), str(row.n), *map(_latex_cell, row.cells)]
            lines.append(" & ".join(cells) + r" \\")
    lines += ["\\bottomrule", "\\end{tabular}"]
    lines += [f"% {note}" for note in table.footnotes]
    return "\n".join(lines) + "\n"


def as_csv(results: Sequence[Results]) -> str:
    """One line per run and metric, with full precision: for scripts and spreadsheets."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["system", "split", "condition", "seed", "profile", "suite_version", "metric"]
        + ["value", "low", "high", "chance", "n", "expected"]
    )
    for each in results:
        run = [each.system, each.split, each.condition, each.seed, each.profile, each.suite_version]
        for name, score in each.metrics.items():
            numbers = [score.value, score.low, score.high, score.chance]
            writer.writerow([*run, name, *numbers, score.n, each.expected])
    return out.getvalue()


FORMATS: dict[str, Callable[[Sequence[Results], bool], str]] = {
    "markdown": lambda results, extras: as_markdown(build_table(results, extras=extras)),
    "latex": lambda results, extras: as_latex(build_table(results, extras=extras)),
    "csv": lambda results, extras: as_csv(results),
}


def render(results: Sequence[Results], style: str, *, extras: bool = True) -> str:
    """The table of these results in the style ``markdown``, ``latex`` or ``csv``.

    Raises:
        BenchError: no such style, or results that cannot share a table.
    """
    if style not in FORMATS:
        raise BenchError(f"no table format {style!r}; there are: {', '.join(FORMATS)}")
    return FORMATS[style](results, extras)


def latex_escape(text: str) -> str:
    """Text that LaTeX prints as it stands here."""
    return "".join(LATEX_ESCAPES.get(char, char) for char in text)


def _latex_cell(cell: Cell) -> str:
    text = latex_escape(cell.text)
    text = {"best": f"\\textbf{{{text}}}", "second": f"\\underline{{{text}}}"}.get(cell.rank, text)
    return text + (f" {{\\scriptsize $\\pm${cell.interval}}}" if cell.interval else "")


def _markdown_cell(cell: Cell) -> str:
    text = {"best": f"**{cell.text}**", "second": f"<u>{cell.text}</u>"}.get(cell.rank, cell.text)
    return text + (f" ±{cell.interval}" if cell.interval else "")


def _markdown_escape(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{char}" if char in "|*_`[]" else char for char in escaped)
