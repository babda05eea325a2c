"""Scores of a finished run by groups of its clips, computed from its rows.

An axis is one way to put clips in groups: ``action`` of the mini world, ``modality`` of VGGSound
(``Clip.groups``), or ``group``, the groups that the protocol of a split has itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError, format_names
from bench.results import AXIS_PREFIX, Results, Score, load_results, load_rows, mean_score

if TYPE_CHECKING:
    import pandas as pd

#: The axis of the protocol's own groups, which the main table has too.
PROTOCOL_AXIS = "group"
#: The axes of the built-in splits, which a shell completes; runs of other splits may have others.
KNOWN_AXES = (
    *("modality", "speech", "flags", "class", "taxonomy"),  # bench.datasets.vggsound_groups
    *("action", "material"),  # bench.splits.mini
    PROTOCOL_AXIS,
)
OF_SETS = (
    "not computed by group: the value of a whole set depends on the number of its clips, in which "
    "groups differ"
)


@dataclass(frozen=True)
class Group:
    """The number of scored clips of one group, and its score in every column."""

    n: int
    metrics: Mapping[str, Score]


@dataclass(frozen=True)
class GroupedRun:
    """A finished run and its groups by name, in alphabetical order."""

    results: Results
    groups: Mapping[str, Group]


@dataclass(frozen=True)
class GroupedRuns:
    """The runs that have the axis, and the directories of those that have not."""

    axis: str
    runs: tuple[GroupedRun, ...]
    left_out: tuple[Path, ...]


def load_groups(directories: Sequence[Path], axis: str, *, extras: bool = True) -> GroupedRuns:
    """Return the scores of finished runs by the groups of an axis.

    Columns that the paper's tables do not have are computed with ``extras`` alone.

    Raises:
        RunError: one of the directories holds no finished run.
        BenchError: no run has this axis; the message has those that there are.
    """
    runs: list[GroupedRun] = []
    left_out: list[Path] = []
    known: set[str] = set()
    for directory in directories:
        results, rows = load_results(directory), load_rows(directory)
        columns = find_axes(rows)
        known |= columns.keys()
        if axis in columns:
            wanted = [each.name for each in results.columns if extras or not each.is_extra]
            runs.append(GroupedRun(results, score_groups(rows, columns[axis], wanted)))
        else:
            left_out.append(directory)
    if runs:
        return GroupedRuns(axis, tuple(runs), tuple(left_out))
    if known:
        raise BenchError(f"no run has groups by {axis!r}; there are: {', '.join(sorted(known))}")
    raise BenchError(
        f"{format_names(directories)} has no groups of clips: its split has none, or it was scored "
        "by an earlier version (the same `bench run` again adds them)"
    )


def find_axes(rows: pd.DataFrame) -> dict[str, str]:
    """Return the name of the column of each axis that these rows have."""
    if "cluster" not in rows:
        return {}  # of an early version, for which there are no intervals
    axes = {
        str(name).removeprefix(AXIS_PREFIX): str(name)
        for name in rows.columns
        if str(name).startswith(AXIS_PREFIX)
    }
    if rows[PROTOCOL_AXIS].fillna("").ne("").any():
        axes[PROTOCOL_AXIS] = PROTOCOL_AXIS
    return axes


def score_groups(rows: pd.DataFrame, column: str, names: Collection[str]) -> dict[str, Group]:
    """Return the groups in a column of ``rows``, with the scores ``names`` of their clips.

    Means and intervals are those of the main table, over fewer clips. Clips that have no group are
    one of their own, and so none is lost.
    """
    missing = f"no {column.removeprefix(AXIS_PREFIX)}"
    labels = rows[column].fillna("").replace("", missing)
    groups = {}
    for label, some in rows.groupby(labels, sort=True):
        clusters = some["cluster"].tolist()
        scores = {
            name: mean_score(name, some[name].tolist(), clusters)
            if name in rows
            else Score(None, None, None, 0, reason=OF_SETS)
            for name in names
        }
        groups[str(label)] = Group(len(some), scores)
    return groups
