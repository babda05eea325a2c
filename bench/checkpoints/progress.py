"""How far the bytes of a file are, on standard error: a bar in a terminal, lines in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from bench.digests import OnBytes
from bench.terminal import make_plain_console, print_notice

#: Between two lines of a log, as of a batch job.
LINE_EVERY_S = 30.0
MEBIBYTE = 2**20
GIBIBYTE = 2**30


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
