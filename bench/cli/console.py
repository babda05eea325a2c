"""What the commands share: the console, progress bars, tables and failures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING

import typer
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table as RichTable
from rich.text import Text

from bench.terminal import make_plain_console

if TYPE_CHECKING:
    from bench.pipeline.evaluate import Progress as OnProgress
    from bench.results import Column, Failure, Results, Score
    from reports.tables import Cell, Table, TableRow

#: Columns of text where standard output is no terminal.
PIPE_WIDTH = 200

#: Names of systems up to this length stay on one line.
LABEL_WIDTH = 24

#: How the ranks of a column are printed.
RANK_STYLES = {"best": "bold", "second": "underline"}

#: Between two columns.
GAP = 2

#: What stages count that count no clips; "" for MiB of archives or rows of tables, by their size.
UNITS = {"unpack": "", "raters": "raters", "compare": "tests"}

#: Failures that a summary names one by one; the file holds them all.
N_NAMED = 5


def console() -> Console:
    """Where results are printed; in a pipe, as wide as the widest table."""
    out = make_plain_console()
    return out if out.is_terminal else make_plain_console(width=PIPE_WIDTH)


def notices() -> Console:
    """Where everything else is printed, so that standard output stays usable in a pipe."""
    return make_plain_console(stderr=True)


def notify(text: str) -> None:
    """Print one sentence that the user should read on standard error."""
    notices().print(text)


@contextmanager
def stop_cleanly(*, is_resumed: bool = True) -> Iterator[None]:
    """Turn Ctrl-C into one sentence and exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        kept = "What is finished is kept: the same command goes on from here."
        notify(f"Stopped. {kept}" if is_resumed else "Stopped.")
        raise typer.Exit(130) from None


class _Rate(ProgressColumn):
    """Clips per second, or what else a stage counts."""

    def render(self, task: Task) -> Text:
        unit, speed = UNITS.get(task.description, "clips"), task.speed
        if task.finished and task.elapsed:  # in all: the last ones may have come at once
            speed = task.completed / task.elapsed
        return Text("" if speed is None or not unit else f"{speed:.1f} {unit}/s")


@contextmanager
def progress_bars() -> Iterator[OnProgress]:
    """Yield a callback that draws a bar per stage, with its rate and the time left."""
    out = notices()
    columns = (
        SpinnerColumn("line" if out.options.ascii_only else "dots", finished_text="✓"),
        TextColumn("{task.description:<9}", markup=False),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    bars, tasks = Progress(*columns, console=out), {}

    def show(stage: str, done: int, total: int) -> None:
        if total == 0:
            return
        bars.start()  # not before there is something to show: empty bars leave an empty line
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=total)
        bars.update(tasks[stage], completed=done)

    try:
        yield show
    finally:
        if tasks:
            bars.stop()


def print_result(results: Results, bounds: Sequence[Results] = ()) -> None:
    """Print one result: a line per metric with its bounds, then coverage and footnotes."""
    from reports.groups import group_tables
    from reports.tables import build_table, cell

    drawn = new_table()
    drawn.add_column("metric")
    for name in ("value", "95 % interval", "chance", "n", *(each.system for each in bounds)):
        drawn.add_column(name, justify="right")
    for column in results.columns:
        below = (cell(each.metrics.get(column.name), column, "").text for each in bounds)
        drawn.add_row(*_line(column, results.metrics[column.name]), *below)
    coverage = (
        f"{results.expected} clips expected, {results.scored} scored, {results.failed} failed"
    )
    footnotes = (coverage, *build_table([results]).footnotes)
    print_titled(f"{results.system} on {results.split}", drawn, notes=footnotes)
    for table in group_tables([results], extras=False):
        print_table(table)


def _line(column: Column, score: Score) -> tuple[str, ...]:
    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.{column.decimals}f}"

    from reports.tables import heading

    interval = "" if score.low is None else f"{number(score.low)} – {number(score.high)}"
    value = "not scored" if score.value is None else number(score.value)
    return heading(column), value, interval, number(score.chance), str(score.n)


def print_table(table: Table) -> None:
    """Print several results, a line per system, then the footnotes.

    Where the terminal is too narrow for all columns, the table is split into several.
    """
    columns = range(len(table.headings))
    print_titled(table.title, *_fitting(table, columns, console()), notes=table.footnotes)


def _fitting(table: Table, columns: range, out: Console) -> list[RichTable]:
    """The table, or parts of it that are narrow enough; a level of chance follows its column."""
    from reports.tables import CHANCE

    middle = len(columns) // 2
    middle += middle < len(columns) and table.headings[columns[middle]] == CHANCE
    drawn = _drawn(table, columns)
    narrowest = sum((column.min_width or 0) + GAP for column in drawn.columns)
    # A table of one column that is too wide stays one: halves of it would be the same again.
    if narrowest <= out.width or middle in (0, len(columns)):
        return [drawn]
    return [
        *_fitting(table, columns[:middle], out),
        *_fitting(table, columns[middle:], out),
    ]


def _drawn(table: Table, columns: range) -> RichTable:
    drawn = new_table()
    headings = table.full_headings
    lines = [_line_of(row, columns, table) for row in table.rows]
    widest = max((len(row.label) for row in table.rows), default=0)
    drawn.add_column(table.label_heading, overflow="fold", min_width=min(widest, LABEL_WIDTH))
    drawn.add_column("n", justify="right", min_width=max(len(row.texts[1]) for row in table.rows))
    for i, column in enumerate(columns):
        texts = (str(line[i]) for line in lines)
        longest = max(map(len, (*texts, *headings[column].split())))
        drawn.add_column(headings[column], justify="right", min_width=longest)
    group = ""
    for row, line, after in zip_longest(table.rows, lines, table.rows[1:]):
        if row.group != group:
            group = row.group
            drawn.add_row(Text(group, style="italic"))
        is_last = after is not None and (after.is_anchor, after.group) != (row.is_anchor, group)
        label = Text(f"  {row.label}", style="dim") if row.is_detail else row.label
        drawn.add_row(label, row.texts[1], *line, end_section=is_last)
    return drawn


def _line_of(row: TableRow, columns: range, table: Table) -> list[Text]:
    """The numbers of a row in these columns; a reason that it has none in the first of them."""
    cells = [row.cells[column] for column in columns]
    if row.reason:
        return [Text(row.reason, style="dim"), *(Text(cell.text) for cell in cells[1:])]
    return [Text(_cell_text(cell, table), style=RANK_STYLES.get(cell.rank, "")) for cell in cells]


def _cell_text(each: Cell, table: Table) -> str:
    return f"{each.text} ±{each.interval}" if table.has_intervals and each.interval else each.text


def new_table() -> RichTable:
    """Return an empty table in the style of all tables of numbers."""
    return RichTable(
        header_style="bold", box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False
    )


def print_titled(title: str, *drawn: RichTable, notes: Sequence[str] = ()) -> None:
    """Print tables with their title above, which may be wider than they are, and notes below."""
    out = console()
    out.print(title, style="italic")
    for each in drawn:
        out.print(each)
    for note in notes:
        out.print(f"  {note}", style="dim")


def print_failed(error: Exception) -> str:
    """Print why one of several parts failed, with a traceback where it is a bug; return why."""
    from bench.engine import failure_of

    failure = failure_of(error)
    notices().print(f"failed: {failure.message}", style="yellow", soft_wrap=True)
    if failure.traceback:
        notices().print(failure.traceback, soft_wrap=True)
    return failure.message.partition("\n")[0]


def print_failures(failures: Sequence[Failure], where: str) -> None:
    """Print the first clips that have no score, and where all of them are listed."""
    if not failures:
        return
    out = notices()
    out.print(f"{len(failures)} clips have no score ({where}):", style="yellow")
    for failure in failures[:N_NAMED]:
        out.print(f"  {failure.clip} [{failure.stage}] {failure.error}")
    if len(failures) > N_NAMED:
        out.print(f"  ... and {len(failures) - N_NAMED} more")
