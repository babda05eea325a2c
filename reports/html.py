"""Tables as one HTML page without scripts, whose every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby

from reports.tables import Cell, Table, TableRow, label_heading

STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em; color: #111; background: #fff; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: bold; padding-bottom: .5em; }
th, td { padding: .2em .7em; text-align: right; white-space: nowrap; }
th[scope=row], th[scope=rowgroup] { text-align: left; font-weight: normal; }
th[scope=rowgroup], .detail { font-style: italic; }
.detail th { padding-left: 2em; }
th[scope=colgroup] { text-align: center; border-bottom: 1px solid #999; }
thead, tbody { border-top: 1px solid #111; }
table { border-bottom: 1px solid #111; margin-bottom: .7em; }
.reason { text-align: center; color: #555; }
small { color: #555; }
.note { margin: 0; font-size: 13px; max-width: 80em; color: #333; }
section { margin-bottom: 3em; overflow-x: auto; }
"""


def as_html(tables: Sequence[Table]) -> str:
    """A page of these tables: best bold, second best underlined, footnotes below each."""
    titles = ", ".join(dict.fromkeys(table.title for table in tables))
    lines = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{escape(titles)}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        *(line for table in tables for line in _table(table)),
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _table(table: Table) -> list[str]:
    notes = [f'<p class="note">{escape(note)}</p>' for note in table.footnotes]
    return ["<section>", *table_lines(table), *notes, "</section>"]


def table_lines(table: Table) -> list[str]:
    """The lines of one table without its footnotes."""
    headings = (label_heading(table), "n", *table.headings)
    lines = ["<table>", f"<caption>{escape(table.title)}</caption>", "<thead>"]
    if table.column_groups:
        above = ((text, len(list(some))) for text, some in groupby(table.column_groups))
        cells = (
            f'<th scope="colgroup" colspan="{width}">{escape(text)}</th>' for text, width in above
        )
        lines.append(f'<tr><td colspan="2"></td>{"".join(cells)}</tr>')
    cells = (f'<th scope="col">{escape(text)}</th>' for text in headings)
    lines += [f"<tr>{''.join(cells)}</tr>", "</thead>"]
    # Neighbours suffice: a table has its anchors below the others.
    for (_, group), rows in groupby(table.rows, key=lambda row: (row.is_anchor, row.group)):
        lines.append("<tbody>")
        if group:
            width = len(headings)
            title = f'<th scope="rowgroup" colspan="{width}">{escape(group)}</th>'
            lines.append(f"<tr>{title}</tr>")
        lines += [*map(_row, rows), "</tbody>"]
    return [*lines, "</table>"]


def _row(row: TableRow) -> str:
    label, n, *_ = map(escape, row.texts)
    numbers = "".join(map(_cell, row.cells))
    if row.reason:
        numbers = f'<td class="reason" colspan="{len(row.cells)}">{escape(row.reason)}</td>'
    kind = ' class="detail"' if row.is_detail else ""
    return f'<tr{kind}><th scope="row">{label}</th><td>{n}</td>{numbers}</tr>'


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    text = {"best": f"<b>{text}</b>", "second": f"<u>{text}</u>"}.get(cell.rank, text)
    return f"<td>{text}{f' <small>±{escape(cell.interval)}</small>' if cell.interval else ''}</td>"
