"""Results by the groups of an axis: a row per group, and per run where there are several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.errors import format_names
from bench.grouping import GroupedRun, GroupedRuns
from bench.results import Column, Results, Score
from reports.ranks import rank
from reports.tables import (
    Table,
    TableRow,
    build_table,
    cell,
    comparable_sets,
    labels,
    select_columns,
)

ALL = "all clips"
#: Groups that a footnote names one by one.
N_NAMED = 5


def axis_tables(
    grouped: GroupedRuns, *, extras: bool = True, min_coverage: float = 1.0
) -> list[Table]:
    """Return one table per comparable set of runs: the columns of the main table, by group.

    The first rows are those of all clips. Best and second best are found in each group. Levels of
    chance are left out, since they are computed over all clips.
    """
    sets = comparable_sets([run.results for run in grouped.runs])
    alike = ([run for run in grouped.runs if run.results in some] for some in sets)
    return [_table(runs, grouped.axis, extras, min_coverage) for runs in alike]


def results_by_group(grouped: GroupedRuns) -> list[Results]:
    """Return the results of the runs, whose groups are now those of the axis: for CSV."""
    return [
        replace(run.results, groups={name: each.metrics for name, each in run.groups.items()})
        for run in grouped.runs
    ]


@dataclass(frozen=True)
class _Line:
    """One run over the clips of one group."""

    run: Results
    label: str
    n: int
    metrics: Mapping[str, Score]


def _table(runs: Sequence[GroupedRun], axis: str, extras: bool, min_coverage: float) -> Table:
    plain = [_without_chance(run.results) for run in runs]
    whole = build_table(plain, extras=extras, min_coverage=min_coverage)
    columns = select_columns(plain, extras)
    names = sorted({name for run in runs for name in run.groups})
    lines = {name: _lines(runs, name) for name in (ALL, *names)}
    return Table(
        f"{whole.title} by {axis}",
        whole.headings,
        tuple(row for each in lines.values() for row in _rows(each, columns, min_coverage)),
        (*whole.footnotes, *_reasons({name: lines[name] for name in names}, columns)),
        axis if len(runs) == 1 else f"{axis}: system",
        # Groups may be small, and a mean of three clips without its interval misleads.
        has_intervals=True,
    )


def _without_chance(results: Results) -> Results:
    return replace(
        results, columns=tuple(replace(each, has_chance=False) for each in results.columns)
    )


def _lines(runs: Sequence[GroupedRun], name: str) -> list[_Line]:
    """Return the runs over the clips of one group, anchors last; those without any are left out."""
    lines = []
    for run, label in zip(runs, labels([run.results for run in runs]), strict=True):
        text = name if len(runs) == 1 else f"{name}: {label}"
        if name == ALL:
            lines.append(_Line(run.results, text, run.results.scored, run.results.metrics))
        elif name in run.groups:
            group = run.groups[name]
            lines.append(_Line(run.results, text, group.n, group.metrics))
    return sorted(lines, key=lambda line: line.run.is_anchor)


def _rows(
    lines: Sequence[_Line], columns: Sequence[Column], min_coverage: float
) -> Iterable[TableRow]:
    runs = [line.run for line in lines]
    scores = {column.name: [line.metrics.get(column.name) for line in lines] for column in columns}
    ranks = {
        column.name: rank(runs, scores[column.name], column, min_coverage) for column in columns
    }
    for i, line in enumerate(lines):
        cells = (cell(scores[each.name][i], each, ranks[each.name][i]) for each in columns)
        # Rows of anchors alternate with those of other runs: no rule sets them apart here.
        yield TableRow(line.label, line.n, tuple(cells), is_anchor=False)


def _reasons(lines: Mapping[str, Sequence[_Line]], columns: Sequence[Column]) -> Iterable[str]:
    """Yield why groups have no value or no interval, each reason once."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, some in lines.items():
        for column in columns:
            scores = (line.metrics.get(column.name) for line in some)
            for reason in dict.fromkeys(score.reason for score in scores if score and score.reason):
                found.setdefault(reason, {}).setdefault(column.label, []).append(name)
    for reason, by_label in found.items():
        # Columns with the reason in the same groups share a line.
        alike: dict[tuple[str, ...], list[str]] = {}
        for label, names in by_label.items():
            alike.setdefault(tuple(names), []).append(label)
        for among, texts in alike.items():
            which = "" if len(among) == len(lines) else f" of {format_names(among, N_NAMED)}"
            yield f"{', '.join(texts)}{which}: {reason}"
