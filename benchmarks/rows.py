"""A row of ``peers``: the same work by a published tool and by this package, timed in turns."""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import torch
from threadpoolctl import threadpool_limits

#: The length of a clip.
SECONDS = 8


class Row(NamedTuple):
    """The same work by a peer and by us.

    ``difference`` is the largest of their values, None where the values cannot be compared.
    """

    title: str
    peer: str
    theirs: Callable[[], Any]
    ours: Callable[[], Any]
    difference: Callable[[], float] | None = None
    tolerance: float = 0.0
    #: Half a minute a turn needs no repeats to be told from noise.
    most_rounds: int = 100


def print_heading() -> None:
    """Print the date, the machine, and the names of the columns."""
    print(f"{datetime.now(UTC):%Y-%m-%d}, {_name_processor()}, torch {torch.__version__}")
    print("| work | peer | theirs | ours | ratio: min, median, max | largest difference |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")


def print_row(row: Row, n_rounds: int) -> bool:
    """Print one row; return False if the values of both sides differ."""
    difference = None if row.difference is None else row.difference()
    spent: tuple[list[float], list[float]] = ([], [])
    for turn in range(min(n_rounds, row.most_rounds)):
        # Whoever comes second finds warm caches, so the order alternates.
        for side in (0, 1) if turn % 2 else (1, 0):
            started = time.perf_counter()
            (row.theirs, row.ours)[side]()
            spent[side].append(time.perf_counter() - started)
    theirs_s, ours_s = (statistics.median(times) for times in spent)
    ratios = sorted(theirs / ours for theirs, ours in zip(*spent, strict=True))
    spread = f"{ratios[0]:.2f}, {statistics.median(ratios):.2f}, {ratios[-1]:.2f}"
    found = "not compared" if difference is None else f"{difference:.1e}"
    cells = (row.title, row.peer, _seconds(theirs_s), _seconds(ours_s), spread, found)
    print("|", *(f"{cell} |" for cell in cells), flush=True)
    is_equal = difference is None or difference <= row.tolerance
    if not is_equal:
        print(f"{row.title}: values differ by {found}", file=sys.stderr)
    return is_equal


def _seconds(value: float) -> str:
    return f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"


def _name_processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor()


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit torch, BLAS and OpenMP to one thread: a ratio of threads is no ratio of work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1), torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)
