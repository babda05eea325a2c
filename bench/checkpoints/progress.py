"""How far the bytes of a file are, on standard error."""

from __future__ import annotations

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
from bench.terminal import make_plain_console


@contextmanager
def byte_bars(name: str) -> Iterator[OnBytes]:
    """Yield a callback that shows how many bytes are done, how fast, and the time left."""
    columns = (
        TextColumn("{task.description:<12}", markup=False),
        BarColumn(bar_width=28),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(compact=True),
    )
    out = make_plain_console(stderr=True)
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bars:
        task = bars.add_task(name, total=None)

        def show(done_bytes: int, total_bytes: int | None) -> None:
            bars.update(task, completed=done_bytes, total=total_bytes)

        yield show
