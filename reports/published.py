"""What the paper publishes, read from ``published.toml``: Tables 1 to 7, and figures of its text.

Each row of a table names the run that reproduces it in either world, so that tables and
reproduction share one declaration.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

from bench.errors import BenchError
from bench.types import parse_condition

#: Real clips under the published judge, or rendered ones under the mini judge.
World = Literal["paper", "mini"]
WORLDS: tuple[World, ...] = get_args(World)

NUMBERS = ("1", "2", "3", "4", "5", "6", "7")


@dataclass(frozen=True)
class PublishedColumn:
    """A column of the paper's tables; ``heading`` is printed above it and its neighbours.

    Its numbers are those of the suite's column ``metric``, over all clips or over the group
    ``clips``. ``is_study`` columns come from raters. ``better`` is "" where neither direction is.
    """

    name: str
    label: str
    heading: str
    better: str
    decimals: int
    unit: str = ""
    metric: str = ""
    clips: str = ""
    is_study: bool = False


@dataclass(frozen=True)
class DeclaredRun:
    """The run that reproduces a row in one world; ``missing`` says why there is none.

    ``judge`` is the name of a judge, or ``study`` where raters judge ``system`` and ``against``.
    ``n_clips`` is the number of clips of the whole split, ``targets`` the split that they are from
    where the split alone leaves that open.
    """

    system: str
    split: str
    judge: str
    n_clips: int
    mask: str = ""
    against: str = ""
    targets: str = ""
    missing: str = ""

    @property
    def condition(self) -> str:
        """The condition as results name it: ``full``, ``no-audio``."""
        return parse_condition(self.mask).name

    @property
    def command(self) -> str:
        """The command that makes this run."""
        mask = f" --mask {self.mask}" if self.mask else ""
        return f"bench run --model {self.system} --split {self.split}{mask}"


@dataclass(frozen=True)
class PublishedRow:
    """A row: the paper's label and group of rows, its values by column, and a run per world.

    ``half_widths`` are halves of the published 95 % intervals. ``is_bound`` marks a row that is not
    in the paper's table and does not compete.
    """

    label: str
    group: str
    values: Mapping[str, float]
    half_widths: Mapping[str, float]
    runs: Mapping[World, DeclaredRun]
    is_bound: bool = False


@dataclass(frozen=True)
class PublishedTable:
    """A table of the paper, its rows in the paper's order; ``has_headings`` is above its columns.

    ``paper_notes`` are on the paper's numbers alone, and ``contradictions`` are where its text has
    others than this table.
    """

    number: int
    title: str
    columns: tuple[PublishedColumn, ...]
    rows: tuple[PublishedRow, ...]
    notes: tuple[str, ...] = ()
    paper_notes: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    has_headings: bool = True

    @property
    def is_study(self) -> bool:
        """Whether its numbers are votes of raters, not scores of runs."""
        return all(column.is_study for column in self.columns)


@dataclass(frozen=True)
class TextFigure:
    """A number of the paper's text: its section and wording.

    ``of`` names the ``table``, ``column``, ``base`` and ``new`` whose relative change it states;
    ``table`` the one that it is printed below, 0 for none.
    """

    section: str
    value: float
    unit: str
    quote: str
    of: Mapping[str, Any] | None = None
    table: int = 0


@dataclass(frozen=True)
class Contradiction:
    """Two statements of the paper that differ: what, in which tables, and their wording."""

    tables: tuple[int, ...]
    note: str
    quotes: tuple[str, ...]


def load_table(number: int) -> PublishedTable:
    """Return Table ``number`` of the paper.

    Raises:
        BenchError: there is no such table.
    """
    found = {table.number: table for table in load_tables()}
    if number not in found:
        raise BenchError(f"the paper has no Table {number}; there are 1 to {max(found)}")
    return found[number]


@cache
def load_tables() -> tuple[PublishedTable, ...]:
    """Return the tables of the paper, in order."""
    columns = {
        name: PublishedColumn(name, **{"metric": name, **row})
        for name, row in _read()["columns"].items()
    }
    return tuple(_parse_table(table, columns) for table in _read()["tables"])


def runs_of_study(row: PublishedRow, world: World) -> tuple[DeclaredRun, DeclaredRun]:
    """Return the runs whose samples raters compare in a row of Table 3: those of Table 1."""
    declared = row.runs[world]
    found = {
        run.system: run
        for run in (each.runs[world] for each in load_table(1).rows)
        if run.system and not run.mask
    }
    return found[declared.system], found[declared.against]


def runs_of_table(table: PublishedTable, world: World) -> list[DeclaredRun]:
    """Return the runs that a table needs; Table 3 needs some in the mini world alone.

    There they are rehearsed with simulated raters; for the paper's clips raters are needed.
    """
    if table.is_study:
        return [run for row in table.rows if world == "mini" for run in runs_of_study(row, world)]
    return [run for row in table.rows if not (run := row.runs[world]).missing]


def load_text_figures() -> tuple[TextFigure, ...]:
    """Return the numbers of the paper's text."""
    return tuple(
        TextFigure(**{"table": row.get("of", {}).get("table", 0), **row}) for row in _read()["text"]
    )


def load_contradictions() -> tuple[Contradiction, ...]:
    """Return where the paper contradicts itself."""
    return tuple(
        Contradiction(tuple(row["tables"]), row["note"], tuple(row["quotes"]))
        for row in _read()["contradictions"]
    )


@cache
def _read() -> dict[str, Any]:
    return tomllib.loads((files("reports") / "published.toml").read_text("utf-8"))


def _parse_table(
    table: Mapping[str, Any], columns: Mapping[str, PublishedColumn]
) -> PublishedTable:
    number = table["number"]
    return PublishedTable(
        number,
        table["title"],
        tuple(columns[name] for name in table["columns"]),
        tuple(_parse_row(row, table) for row in table["rows"]),
        tuple(table.get("notes", ())),
        tuple(table.get("paper_notes", ())),
        tuple(each.note for each in load_contradictions() if number in each.tables),
        table.get("has_headings", True),
    )


def _parse_row(row: Mapping[str, Any], table: Mapping[str, Any]) -> PublishedRow:
    values, names = row["values"], table["columns"]
    runs = {world: _parse_run(row[world], table[world]) for world in WORLDS}
    return PublishedRow(
        row["label"],
        row.get("group", ""),
        values if isinstance(values, dict) else dict(zip(names, values, strict=True)),
        dict(zip(names, row.get("half_widths", ()), strict=False)),
        runs,
        row.get("is_bound", False),
    )


def _parse_run(row: Mapping[str, str], world: Mapping[str, Any]) -> DeclaredRun:
    shared = {**world, "n_clips": world["clips"]}
    del shared["clips"]
    return DeclaredRun(**{"system": "", **shared, **row})
