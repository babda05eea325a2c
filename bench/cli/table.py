"""``bench table``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench.cli.console import print_table
from bench.errors import RunError
from bench.io import atomic_path
from bench.results import load_bounds, load_results
from bench.terminal import print_text
from reports.formats import render, tables
from reports.tables import with_bounds

#: The format that is drawn on the screen instead of being written as text.
TERMINAL = "terminal"


def table_command(
    runs: Iterable[Path],
    style: str,
    extras: bool,
    out: Path | None,
    *,
    bounds: bool = True,
    min_coverage: float = 1.0,
) -> None:
    """Print or write all finished runs that the paths hold, one table per comparable set."""
    directories = [directory for path in runs for directory in finished_runs(path)]
    results = [load_results(directory) for directory in directories]
    if bounds:
        below = [each for directory in directories for each in load_bounds(directory)]
        results = with_bounds(results, below)
    if style == TERMINAL:
        for table in tables(results, extras=extras, min_coverage=min_coverage):
            print_table(table)
        return
    text = render(results, style, extras=extras, min_coverage=min_coverage)
    if out is None:
        print_text(text)
        return
    with atomic_path(out) as temporary:
        temporary.write_text(text, encoding="utf-8")


def finished_runs(path: Path) -> list[Path]:
    """Every finished run in or below a folder, by name; a run may have one per profile.

    Raises:
        RunError: there is none.
    """
    found = sorted(file.parent for file in path.rglob("scores.json"))
    if not found:
        raise RunError(f"{path} holds no finished run: there is no scores.json in or below it")
    return found
