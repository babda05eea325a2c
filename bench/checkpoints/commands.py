"""Shared by ``bench weights`` and ``acfoley fetch|weights``: list, fetch and verify files."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.table import Table

from bench.checkpoints.fetch import Origin, fetch_file, require_possible
from bench.checkpoints.progress import byte_bars
from bench.checkpoints.registry import OfficialFile
from bench.checkpoints.verify import describe_presence, find_problem
from bench.terminal import make_plain_console, print_line, print_notice

#: Columns of text where no terminal can be asked: a SHA-256 and a URL fit on a line.
PIPE_WIDTH = 200


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
