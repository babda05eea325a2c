"""The curve of each column over the levels of a conflict between inputs (``bench ablate``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from bench.errors import BenchError
from bench.results import Failure, Results
from reports.faults import Curve, plot_curves
from reports.tables import Cell, Table, build_table, select_columns


def split_levels(
    results: Results, failures: Sequence[Failure], clips: Mapping[str, Sequence[str]]
) -> dict[str, Results]:
    """Return a run's results of each level, a group of its clips, as if it were a run of its own.

    ``clips`` are the names of the clips of each level, ``<clip>_<level>``. A level without a scored
    clip is left out: its failures are those of the run.
    """
    return {
        level: _pick_level(results, failures, level, names)
        for level, names in clips.items()
        if level in results.groups
    }


def _pick_level(
    results: Results, failures: Sequence[Failure], level: str, names: Sequence[str]
) -> Results:
    # Clips that the split refused are in the failures alone.
    failed = {each.clip for each in failures if each.clip.endswith(f"_{level}")}
    scored = sorted(name.removesuffix(f"_{level}") for name in names if name not in failed)
    return replace(
        results,
        metrics=results.groups[level],
        groups={},
        expected=len(scored) + len(failed),
        scored=len(scored),
        failed=len(failed),
        # Targets and not clips: levels are compared that have the same ones.
        clips=" ".join(scored),
    )


def build_conflict_table(
    levels: Mapping[str, Results], bounds: Sequence[Results], what: str, min_coverage: float = 1.0
) -> Table:
    """One row per level, in order, with intervals; ``what`` is the input in conflict."""
    rows = [replace(each, system=name, condition="full") for name, each in levels.items()]
    table = build_table([*rows, *bounds], min_coverage=min_coverage)
    return replace(
        table,
        title=_make_title(levels, what),
        # A terminal prints no intervals otherwise, and a curve means little without them.
        rows=tuple(replace(row, cells=tuple(map(_add_interval, row.cells))) for row in table.rows),
    )


def _make_title(levels: Mapping[str, Results], what: str) -> str:
    first = next(iter(levels.values()))
    return f"{first.split}: {first.system} under conflict of the {what}"


def _add_interval(cell: Cell) -> Cell:
    return replace(cell, text=f"{cell.text} ±{cell.interval}") if cell.interval else cell


def plot_conflict(levels: Mapping[str, Results], what: str, destination: Path) -> None:
    """Draw each column that has a value at every level over the levels, with its intervals.

    Raises:
        BenchError: there is no such column.
    """
    results = tuple(levels.values())
    names = tuple(
        column.name
        for column in select_columns(results, extras=True)
        if all(each.metrics[column.name].value is not None for each in results)
    )
    if not names:
        raise BenchError(f"{destination} is not drawn: no column has a value at every level")
    counts = sorted({each.scored for each in results})
    n_clips = " to ".join(f"{count:,}" for count in (counts[0], counts[-1])[: len(counts)])
    curve = Curve(what if what == "reference" else "prompt", tuple(levels), results, names)
    plot_curves([curve], destination, f"{_make_title(levels, what)}, {n_clips} clips each")
