"""``bench weights``: list, fetch and verify the checkpoints of the judges' networks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import typer
from rich.table import Table

from bench.checkpoints.progress import byte_bars
from bench.checkpoints.registry import Weights, select_weights, weights_directory
from bench.checkpoints.verify import (
    fetch_command,
    find_problem,
    is_verified,
)
from bench.cli.console import console, notices


def list_command(directory: Path | None) -> None:
    """Print every file with what is known of it, and whether it is here."""
    directory = directory or weights_directory()
    out = console()
    for row in select_weights():
        out.print(f"{row.name}  {presence(row, directory)}", style="bold")
        drawn = Table.grid(padding=(0, 2), pad_edge=True)
        drawn.add_column(no_wrap=True)
        drawn.add_column(overflow="fold")
        for line in _about(row):
            drawn.add_row(*line)
        out.print(drawn)
    notices().print(f"Weights are in {directory}")


def fetch_weights_command(
    names: Sequence[str], directory: Path | None, mirror: str | None, is_offline: bool
) -> None:
    """Fetch these files, or all, one after another."""
    from bench.checkpoints.fetch import Origin, fetch_weights

    directory, rows = directory or weights_directory(), select_weights(names)
    origin = Origin(mirror, is_offline)
    try:
        for row in rows:
            with byte_bars(row.name) as progress:
                path = fetch_weights(row, directory, origin, progress)
            notices().print(f"{row.name}: {path} is the official file")
    except KeyboardInterrupt:
        notices().print("Stopped. What has arrived is kept: the same command goes on from there.")
        raise typer.Exit(130) from None


def verify_command(names: Sequence[str], directory: Path | None) -> None:
    """Read these files, or all that are here, and say what is wrong; exit 1 if anything is."""
    directory = directory or weights_directory()
    rows = [row for row in select_weights(names) if names or (directory / row.file).is_file()]
    bad = [row for row in rows if _is_bad(row, directory / row.file)]
    if not rows:
        notices().print(f"No weights in {directory}: run `bench weights fetch`")
    if bad:
        notices().print(f"To fix: {fetch_command(bad, directory)}")
    raise typer.Exit(1 if bad or not rows else 0)


def _is_bad(row: Weights, path: Path) -> bool:
    with byte_bars(row.name) as progress:
        problem = find_problem(row, path, progress)
    console().print(f"{row.name}: {path} {problem or 'is the official file'}")
    return problem is not None


def presence(row: Weights, directory: Path) -> str:
    """Whether the file is in the directory, and was found to be the official one."""
    path = directory / row.file
    if not path.is_file():
        return "not here"
    return "here, verified" if is_verified(row, path) else "here, not verified"


def _about(row: Weights) -> Iterable[tuple[str, str]]:
    size = "not published" if row.size_bytes is None else f"{row.size_bytes:,} bytes"
    return (
        ("file", row.file),
        ("size", size),
        ("SHA-256", row.sha256),
        ("licence", row.licence),
        ("needed by", ", ".join(row.needed_by)),
        ("URL", row.url),
    )
