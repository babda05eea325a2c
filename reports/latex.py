"""Tables for a paper in LaTeX, with the package booktabs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from reports.tables import Cell, Table, TableRow, label_heading

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
    # In the usual encoding of text these print as other characters.
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "×": r"$\times$",
    "−": "$-$",
    "—": "---",
    "…": r"\dots{}",
    "→": r"$\rightarrow$",
}


def as_latex(table: Table) -> str:
    """A booktabs table: best bold, second best underlined; anchors below a rule of their own.

    The caption names the split and holds the footnotes, so that a table in a paper states what its
    numbers are; a table that ``has_notes_below`` has them below instead, and is scaled down to the
    width of the text where it is wider.
    """
    head, tail = _frame_with_notes(table) if table.has_notes_below else _frame(table)
    headings = (label_heading(table), *table.headings)
    first, *others = map(latex_escape, headings)
    lines = [
        *head,
        f"\\begin{{tabular}}{{lr{'r' * len(table.headings)}}}",
        "\\toprule",
        *_latex_groups(table),
        _latex_line([first, "$n$", *others]),
        *_latex_rows(table),
        "\\bottomrule",
        "\\end{tabular}",
        *tail,
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _frame(table: Table) -> tuple[list[str], list[str]]:
    caption = ". ".join(map(latex_escape, (table.title, *table.footnotes)))
    head = ["% needs \\usepackage{booktabs}", "\\begin{table}", "\\centering"]
    return [*head, f"\\caption{{{caption}.}}"], []


def _frame_with_notes(table: Table) -> tuple[list[str], list[str]]:
    head = [
        "% needs \\usepackage{booktabs} and \\usepackage{graphicx}",
        "\\begin{table}",
        "\\centering",
        f"\\caption{{{latex_escape(table.caption or table.title)}.}}\\smallskip",
        "\\sbox0{%",
    ]
    tail = [
        "}%",
        "\\ifdim\\wd0>\\linewidth\\resizebox{\\linewidth}{!}{\\usebox0}\\else\\usebox0\\fi",
    ]
    if table.footnotes:
        notes = [f"{latex_escape(note)}.\\par" for note in table.footnotes]
        tail += ["\\par\\smallskip", "\\begin{minipage}{\\linewidth}\\footnotesize"]
        tail += [*notes, "\\end{minipage}"]
    return head, tail


def _latex_groups(table: Table) -> list[str]:
    """The headings above the columns, each with a rule below it."""
    if not table.column_groups:
        return []
    cells, rules, column = ["", ""], [], 3  # after the label and n
    for text, some in groupby(table.column_groups):
        width = len(list(some))
        cells.append(f"\\multicolumn{{{width}}}{{c}}{{{latex_escape(text)}}}")
        rules.append(f"\\cmidrule(lr){{{column}-{column + width - 1}}}")
        column += width
    return [" & ".join(cells) + r" \\", " ".join(rules)]


def _latex_rows(table: Table) -> list[str]:
    lines, width = [], 2 + len(table.headings)
    # ``groupby`` joins neighbours only, which suffices: a table has its anchors below the others.
    for (_, group), rows in groupby(table.rows, key=lambda row: (row.is_anchor, row.group)):
        lines.append("\\midrule")
        if group:
            lines.append(f"\\multicolumn{{{width}}}{{l}}{{\\textit{{{latex_escape(group)}}}}} \\\\")
        lines += [_latex_row(row) for row in rows]
    return lines


def _latex_row(row: TableRow) -> str:
    label, n, *_ = map(latex_escape, row.texts)
    label = f"\\quad\\textit{{{label}}}" if row.is_detail else label
    numbers = [_latex_cell(cell) for cell in row.cells]
    if row.reason:
        numbers = [f"\\multicolumn{{{len(row.cells)}}}{{c}}{{{latex_escape(row.reason)}}}"]
    return _latex_line([label, n, *numbers])


def _latex_line(cells: Sequence[str]) -> str:
    """A line of a tabular, whose first cell cannot be an argument of the end of the line before."""
    # LaTeX looks for a length in brackets and for a star after the end of a line, and after rules.
    guard = "{}" if cells[0].startswith(("[", "*")) else ""
    return guard + " & ".join(cells) + r" \\"


def _latex_cell(cell: Cell) -> str:
    text = latex_escape(cell.text)
    text = {"best": f"\\textbf{{{text}}}", "second": f"\\underline{{{text}}}"}.get(cell.rank, text)
    return text + (f" {{\\scriptsize $\\pm${cell.interval}}}" if cell.interval else "")


def latex_escape(text: str) -> str:
    """Return text that LaTeX prints literally."""
    return "".join(LATEX_ESCAPES.get(char, char) for char in text)
