"""Results by group of clips: how much a system depends on the reference it is given (Table 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.results import Column, Results, Score
from reports.fairness import fairness_notes
from reports.ranks import IsApart, rank
from reports.tables import (
    Table,
    TableRow,
    cell,
    check_comparable,
    heading,
    labels,
    select_columns,
)

#: Shown by group even where extras are not: it compares with the very reference of the group.
ALWAYS = "mcd_ref"


def group_tables(
    results: Sequence[Results],
    *,
    extras: bool = True,
    min_coverage: float = 1.0,
    is_apart: IsApart | None = None,
) -> list[Table]:
    """One table per metric, a row per system and a column per group; none without groups.

    The metrics are those of the main table, and ``mcd_ref``. Groups are in the order in which the
    runs name them. A row's n counts the clips of all its groups.

    Raises:
        BenchError: the results cannot share a table, or there are none.
    """
    check_comparable(results)
    names = list(dict.fromkeys(name for each in results for name in each.groups))
    wanted = {column.name for column in select_columns(results, extras)} | {ALWAYS}
    columns = [column for column in select_columns(results, True) if column.name in wanted]
    groups = [group for each in results for group in each.groups.values()]
    # Metrics of whole sets may have no value in any group, and then they have no table.
    grouped = {name for group in groups for name, score in group.items() if score.value is not None}
    return [
        _table(results, column, names, min_coverage, is_apart)
        for column in columns
        if column.name in grouped
    ]


def _table(
    results: Sequence[Results],
    column: Column,
    names: Sequence[str],
    min_coverage: float,
    is_apart: IsApart | None,
) -> Table:
    scores = {
        name: [each.groups.get(name, {}).get(column.name) for each in results] for name in names
    }
    ranks = {
        name: rank(results, scores[name], column, min_coverage, is_apart, name) for name in names
    }
    rows = tuple(
        TableRow(
            label,
            each.scored,
            tuple(cell(scores[name][i], column, ranks[name][i]) for name in names),
            each.is_anchor,
        )
        for i, (each, label) in enumerate(zip(results, labels(results), strict=True))
    )
    title = f"{results[0].split}: {heading(column)} by group"
    footnotes = (*fairness_notes(results, [column]), *_reasons(scores))
    return Table(title, tuple(names), rows, footnotes)


def _reasons(scores: Mapping[str, Sequence[Score | None]]) -> tuple[str, ...]:
    """The reasons that groups have no value or no interval."""
    groups: dict[str, list[str]] = {}
    for name, column in scores.items():
        for reason in dict.fromkeys(score.reason for score in column if score and score.reason):
            groups.setdefault(reason, []).append(name)
    return tuple(f"{', '.join(names)}: {reason}" for reason, names in groups.items())
