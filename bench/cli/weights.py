"""``bench weights``: list, fetch and verify the official files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from bench.checkpoints.commands import fetch_files, find_bad_files, print_files
from bench.checkpoints.fetch import Origin
from bench.checkpoints.registry import OFFICIAL_FILES, select_weights, weights_directory
from bench.checkpoints.verify import fetch_command
from bench.cli.console import notices


def list_command(directory: Path | None) -> None:
    """Print every file with what is known of it, and whether it is here."""
    print_files(OFFICIAL_FILES.values(), directory or weights_directory())


def fetch_weights_command(
    names: Sequence[str], directory: Path | None, mirror: str | None, is_offline: bool
) -> None:
    """Fetch these files, or those of the judges, one after another."""
    fetch_files(select_weights(names), directory or weights_directory(), Origin(mirror, is_offline))


def verify_command(names: Sequence[str], directory: Path | None) -> None:
    """Read these files, or all that are here; exit 1 if one is not the official file."""
    directory = directory or weights_directory()
    rows = select_weights(names or OFFICIAL_FILES)
    if not names:
        rows = tuple(row for row in rows if (directory / row.file).is_file())
    bad = find_bad_files(rows, directory)
    if not rows:
        notices().print(f"No weights in {directory}: run `bench weights fetch`")
    if bad:
        notices().print(f"To fix: {fetch_command(bad, directory)}")
    raise typer.Exit(1 if bad or not rows else 0)
