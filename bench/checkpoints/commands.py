"""Shared by ``bench weights`` and ``acfoley fetch|weights``: list, fetch and verify files.

How far the bytes of a file are goes to standard error: a bar in a terminal, lines in a log.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from bench.checkpoints.fetch import Origin, fetch_file, require_possible
from bench.checkpoints.registry import OfficialFile
from bench.checkpoints.verify import GIBIBYTE, describe_presence, find_problem
from bench.digests import OnBytes
from bench.terminal import make_plain_console, print_line, print_notice

#: Columns of text where no terminal can be asked: a SHA-256 and a URL fit on a line.
PIPE_WIDTH = 200
#: Between two lines of a log, as of a batch job.
LINE_EVERY_S = 30.0
MEBIBYTE = 2**20


def print_files(rows: Iterable[OfficialFile], directory: Path) -> None:
    """Print every file with what is known of it, and whether it is here."""
    out = make_plain_console()
    if not out.is_terminal:
        out = make_plain_console(width=PIPE_WIDTH)
    for row in rows:
        out.print(f"{row.name}  {describe_presence(row, directory)}", style="bold")
        table = Table.grid(padding=(0, 2), pad_edge=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row("file", row.file)
        table.add_row("size", _size(row))
        table.add_row(row.digest_kind, row.digest)
        table.add_row("licence", row.licence)
        table.add_row("needed by", ", ".join(row.users))
        table.add_row("URL", row.url)
        out.print(table)
    print_notice(f"Weights are in {directory}")


def fetch_files(
    rows: Sequence[OfficialFile], directory: Path, origin: Origin, *, command: str = ""
) -> None:
    """Fetch files one after another and show how far each is; Ctrl-C ends the program with 130.

    ``command`` is what refusals advise.

    Raises:
        MissingError, BenchError: as ``require_possible`` and ``fetch_file`` do.
    """
    # All files are checked first: a refusal should not come after gigabytes have arrived.
    require_possible(rows, directory, origin, command=command)
    try:
        for number, row in enumerate(rows, 1):
            print_notice(f"{number}/{len(rows)} {row.file}, {_size(row)}, {row.licence}")
            with byte_bars(row.name) as progress:
                path = fetch_file(row, directory, origin, progress, command=command)
            print_notice(f"{row.name}: {path} is the official file")
    except KeyboardInterrupt:
        print_notice("Stopped. What has arrived is kept: the same command goes on from there.")
        sys.exit(130)


def find_bad_files(rows: Iterable[OfficialFile], directory: Path) -> list[OfficialFile]:
    """Read files, print whether each is the official one, and return those that are not."""
    bad = []
    for row in rows:
        path = directory / row.file
        with byte_bars(row.name) as progress:
            problem = find_problem(row, path, progress)
        print_line(f"{row.name}: {path} {problem or 'is the official file'}")
        if problem:
            bad.append(row)
    return bad


def _size(row: OfficialFile) -> str:
    return "size not published" if row.size_bytes is None else f"{row.size_bytes:,} bytes"


@contextmanager
def byte_bars(name: str) -> Iterator[OnBytes]:
    """Yield a callback that shows how many bytes are done, how fast, and the time left.

    The count may start again at zero, as when a complete download is checked.
    """
    out = make_plain_console(stderr=True)
    if not out.is_terminal:
        yield _LinePrinter(name)
        return
    columns = (
        TextColumn("{task.description:<12}", markup=False),
        BarColumn(bar_width=28),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=out, transient=True) as bars:
        task, last = bars.add_task(name, total=None), 0

        def show(done_bytes: int, total_bytes: int | None) -> None:
            nonlocal last
            if done_bytes < last:  # otherwise the rate would be that of the earlier pass
                bars.reset(task)
            last = done_bytes
            bars.update(task, completed=done_bytes, total=total_bytes)

        yield show


class _LinePrinter:
    """Prints a line now and then, none for passes that take seconds."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._start = (0.0, 0)
        self._last_line_s, self._last_bytes = 0.0, -1

    def __call__(self, done_bytes: int, total_bytes: int | None) -> None:
        now = time.monotonic()
        if self._last_bytes < 0 or done_bytes < self._last_bytes:  # a pass begins
            self._start, self._last_line_s = (now, done_bytes), now
        self._last_bytes = done_bytes
        if now - self._last_line_s < LINE_EVERY_S:
            return
        self._last_line_s = now
        start_s, start_bytes = self._start
        # The rate of this pass as a whole: over single blocks it would jump.
        rate = (done_bytes - start_bytes) / (now - start_s)
        of, left = "", ""
        if total_bytes is not None:
            of = f" of {total_bytes / GIBIBYTE:.2f}"
            left = f", {(total_bytes - done_bytes) / rate / 60:.0f} min left" if rate else ""
        rate_text = f"{rate / MEBIBYTE:.1f} MiB/s"
        print_notice(f"{self._name}: {done_bytes / GIBIBYTE:.2f}{of} GiB, {rate_text}{left}")
