"""Results to a table: columns in the suite's order, best and second best, telling footnotes.

Numbers that cannot stand side by side do not: a table holds one profile, one version of the suite,
and either the mini world or real clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.errors import BenchError
from bench.results import Column, Results, Score

ARROWS = {"higher": "↑", "lower": "↓"}
Rank = Literal["best", "second", ""]


@dataclass(frozen=True)
class Cell:
    """One number as printed, with half the width of its interval, and its rank in the column."""

    text: str
    interval: str = ""
    rank: Rank = ""


@dataclass(frozen=True)
class TableRow:
    """One run; ``is_anchor`` rows mark bounds and are not ranked."""

    label: str
    n: int
    cells: tuple[Cell, ...]
    is_anchor: bool


@dataclass(frozen=True)
class Table:
    """Headings, rows and footnotes: all that a format needs."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[TableRow, ...]
    footnotes: tuple[str, ...]


def build_table(results: Sequence[Results], *, extras: bool = True) -> Table:
    """Lay out results in the order given, one row each.

    Raises:
        BenchError: the results cannot share a table, or there are none.
    """
    if not results:
        raise BenchError("a table needs at least one finished run")
    _check_comparable(results)
    columns = _columns(results, extras)
    ranks = {column.name: _ranks(results, column) for column in columns}
    several = len({each.split for each in results}) > 1
    rows = tuple(
        TableRow(
            _label(each, several),
            each.scored,
            tuple(
                cell
                for column in columns
                for cell in _cells(each.metrics.get(column.name), column, ranks[column.name][i])
            ),
            each.is_anchor,
        )
        for i, each in enumerate(results)
    )
    headings = tuple(heading for column in columns for heading in _headings(column))
    splits = ", ".join(dict.fromkeys(each.split for each in results))
    return Table(splits, headings, rows, _footnotes(results))


def _check_comparable(results: Sequence[Results]) -> None:
    first = results[0]
    for each in results[1:]:
        for what in ("profile", "suite_version", "is_mini"):
            ours, theirs = getattr(first, what), getattr(each, what)
            if ours != theirs:
                raise BenchError(
                    f"{first.system} and {each.system} cannot share a table: "
                    f"{what} {ours!r} and {theirs!r}"
                )


def _columns(results: Sequence[Results], extras: bool) -> list[Column]:
    """Columns that some run has a value in, in the order of the suite; the paper's come first."""
    seen: dict[str, Column] = {}
    for each in results:
        for column in each.columns:
            if each.metrics[column.name].n and (extras or not column.is_extra):
                seen.setdefault(column.name, column)
    return list(seen.values())


def _headings(column: Column) -> tuple[str, ...]:
    unit = f" [{column.unit}]" if column.unit else ""
    heading = f"{column.label}{unit} {ARROWS[column.better]}"
    return (heading, "chance") if column.has_chance else (heading,)


def _cells(score: Score | None, column: Column, rank: Rank) -> tuple[Cell, ...]:
    value = _cell(score, column, rank)
    if not column.has_chance:
        return (value,)
    chance = score.chance if score else None
    return (value, Cell("–" if chance is None else f"{chance:.{column.decimals}f}"))


def _cell(score: Score | None, column: Column, rank: Rank) -> Cell:
    if score is None or score.value is None:
        return Cell("–")
    text = f"{score.value:.{column.decimals}f}"
    if score.low is None or score.high is None:
        return Cell(text, "", rank)
    return Cell(text, f"{(score.high - score.low) / 2:.{column.decimals}f}", rank)


def _ranks(results: Sequence[Results], column: Column) -> list[Rank]:
    """Best and second best among the systems that compete; equal printed numbers share a rank."""
    printed = [_printed(each, column) for each in results]
    competing = [p for p, each in zip(printed, results, strict=True) if not each.is_anchor]
    values = sorted({p for p in competing if p is not None}, reverse=column.better == "higher")
    if len([p for p in competing if p is not None]) < 2:
        return [""] * len(results)
    names: dict[float, Rank] = dict(zip(values, ("best", "second"), strict=False))
    return [
        "" if each.is_anchor or p is None else names.get(p, "")
        for p, each in zip(printed, results, strict=True)
    ]


def _printed(results: Results, column: Column) -> float | None:
    score = results.metrics.get(column.name)
    return None if score is None or score.value is None else round(score.value, column.decimals)


def _label(results: Results, with_split: bool) -> str:
    coverage = "" if results.scored == results.expected else "*"
    condition = "" if results.condition == "full" else f" ({results.condition})"
    split = f" on {results.split}" if with_split else ""
    return f"{results.system}{condition}{split}{coverage}"


def _footnotes(results: Sequence[Results]) -> tuple[str, ...]:
    first = results[0]
    world = "mini world, not comparable with published numbers; " if first.is_mini else ""
    notes = [
        f"{world}profile {first.profile}, suite version {first.suite_version}; "
        "± is half of the 95 % bootstrap interval over clips"
    ]
    notes += [
        f"* {each.system}: {each.scored} of {each.expected} clips scored, {each.failed} failed"
        for each in results
        if each.scored != each.expected
    ]
    if any(column.has_chance for each in results for column in each.columns):
        notes.append("chance: the same samples against the truth of other clips")
    notes += [f"{each.system}: {note}" for each in results for note in each.notes]
    return tuple(notes)
