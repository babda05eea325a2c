"""Results to tables: columns in the suite's order, best and second best, footnotes.

Only comparable numbers share a table, which has one split, one judge, one profile and
one version of the suite, and so either the mini world or real clips. ``comparable_sets`` sorts runs
into such tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.errors import BenchError
from bench.results import COMMON, Column, Results, Score, describe_mismatch
from reports.fairness import fairness_notes
from reports.ranks import IsApart, Rank, may_rank, rank

ARROWS = {"higher": "↑", "lower": "↓"}

#: The heading of a level of chance, beside its column.
CHANCE = "chance"

#: Clips per dimension from which a Fréchet distance depends little on how many there are.
FEWEST_PER_DIMENSION = 4


@dataclass(frozen=True)
class Cell:
    """One number as printed, with half the width of its interval, and its rank in the column."""

    text: str
    interval: str = ""
    rank: Rank = ""


@dataclass(frozen=True)
class TableRow:
    """One run; ``is_anchor`` rows mark bounds and are not ranked.

    Rows of one ``group`` have its name above them. ``is_detail`` rows are below the row that they
    add to. Where a row has no numbers at all, ``reason`` says why, and ``n`` is None.
    """

    label: str
    n: int | None
    cells: tuple[Cell, ...]
    is_anchor: bool
    group: str = ""
    is_detail: bool = False
    reason: str = ""

    @property
    def texts(self) -> tuple[str, ...]:
        """Label, n and the numbers as text without intervals; a reason in the first number."""
        numbers = [cell.text for cell in self.cells]
        if self.reason:
            numbers[0] = self.reason
        return (self.label, "" if self.n is None else str(self.n), *numbers)


@dataclass(frozen=True)
class Table:
    """Title, headings, rows and footnotes: all that a format needs.

    ``label_heading`` is above the labels of the rows, in small letters. ``has_intervals`` makes the
    terminal print intervals too, which the other formats always do. ``column_groups`` has the
    heading above each column, where there are any, equal for neighbours below one heading.
    In LaTeX the ``caption``, which numbers itself, is there instead of the title, and tables with
    ``has_notes_below`` have their footnotes there and not in the caption.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[TableRow, ...]
    footnotes: tuple[str, ...]
    label_heading: str = "system"
    has_intervals: bool = False
    column_groups: tuple[str, ...] = ()
    has_notes_below: bool = False
    caption: str = ""

    @property
    def full_headings(self) -> tuple[str, ...]:
        """The headings, those that occur several times with the heading above them."""
        pairs = zip(self.column_groups, self.headings, strict=False)
        full = tuple(f"{above}: {text}" for above, text in pairs)
        return full if len(set(self.headings)) < len(full) else self.headings


def comparable_sets(results: Sequence[Results]) -> list[list[Results]]:
    """Sort results into sets that can share a table, in the order of their first runs."""
    sets: dict[tuple[object, ...], list[Results]] = {}
    for each in results:
        sets.setdefault(_comparable(each), []).append(each)
    return list(sets.values())


def build_table(
    results: Sequence[Results],
    *,
    extras: bool = True,
    min_coverage: float = 1.0,
    is_apart: IsApart | None = None,
) -> Table:
    """Lay out results in the order given, one row each, anchors below those that compete.

    Best and second best are found among the runs that scored the same clips, the most of all, and
    at least ``min_coverage`` of those asked for; with ``is_apart`` they are marked where that holds
    of them and each run of another number.

    Raises:
        BenchError: the results cannot share a table, or there are none.
    """
    check_comparable(results)
    columns = select_columns(results, extras)
    scores = {
        column.name: [each.metrics.get(column.name) for each in results] for column in columns
    }
    ranks = {
        column.name: rank(results, scores[column.name], column, min_coverage, is_apart)
        for column in columns
    }
    rows = tuple(
        TableRow(
            label,
            each.scored,
            tuple(
                cell
                for column in columns
                for cell in _cells(scores[column.name][i], column, ranks[column.name][i])
            ),
            each.is_anchor,
        )
        for i, (each, label) in enumerate(zip(results, labels(results), strict=True))
    )
    headings = tuple(
        text
        for column in columns
        for text in (heading(column), *((CHANCE,) if column.has_chance else ()))
    )
    # Sorting is stable: within those that compete and within the anchors the given order stays.
    ordered = tuple(sorted(rows, key=lambda row: row.is_anchor))
    return Table(results[0].split, headings, ordered, footnotes(results, columns, min_coverage))


def check_comparable(results: Sequence[Results]) -> None:
    """Refuse results that cannot share a table.

    Raises:
        BenchError: they differ in what a table has in common, or there are none.
    """
    if not results:
        raise BenchError("a table needs at least one finished run")
    first = results[0]
    for each in results[1:]:
        if mismatch := describe_mismatch(first, each):
            raise BenchError(f"{first.system} and {each.system} cannot share a table: {mismatch}")


def select_columns(results: Sequence[Results], extras: bool) -> list[Column]:
    """Columns that some run has a value in, in the order of the suite; the paper's come first."""
    selected: dict[str, Column] = {}
    for each in results:
        for column in each.columns:
            if each.metrics[column.name].value is not None and (extras or not column.is_extra):
                selected.setdefault(column.name, column)
    return list(selected.values())


def labels(results: Sequence[Results]) -> list[str]:
    """Return the label of each row; ``*`` marks missing clips, ``†`` kept samples."""
    return [
        name + ("" if each.scored == each.expected else "*") + ("†" if each.kept else "")
        for name, each in zip(_names(results), results, strict=True)
    ]


def heading(column: Column) -> str:
    """A column's label with its unit and the direction that is better."""
    unit = f" [{column.unit}]" if column.unit else ""
    return f"{column.label}{unit} {ARROWS[column.better]}"


def cell(score: Score | None, column: Column, rank: Rank) -> Cell:
    """One score as printed; a dash where there is none."""
    if score is None or score.value is None:
        return Cell("–")
    text = f"{score.value:.{column.decimals}f}"
    if score.low is None or score.high is None:
        return Cell(text, "", rank)
    return Cell(text, f"{(score.high - score.low) / 2:.{column.decimals}f}", rank)


def label_heading(table: Table) -> str:
    """What is above the labels of the rows, with a capital."""
    # Not ``capitalize``, which makes the rest of the name of an axis small.
    return table.label_heading[:1].upper() + table.label_heading[1:]


def _cells(score: Score | None, column: Column, rank: Rank) -> tuple[Cell, ...]:
    value = cell(score, column, rank)
    if not column.has_chance:
        return (value,)
    chance = score.chance if score else None
    return (value, Cell("–" if chance is None else f"{chance:.{column.decimals}f}"))


def _names(results: Sequence[Results]) -> list[str]:
    """System and condition, and the seed where that alone would name several runs."""
    plain = [
        each.system if each.condition == "full" else f"{each.system} ({each.condition})"
        for each in results
    ]
    count = Counter(plain)
    return [
        f"{name}, seed {each.seed}" if count[name] > 1 else name
        for name, each in zip(plain, results, strict=True)
    ]


def with_bounds(results: Sequence[Results], bounds: Sequence[Results]) -> list[Results]:
    """Return results with the bounds of their clips below them, each bound once.

    A bound that is among the results as a run of its own is left out, and so are bounds of a
    part of the clips where those of more are there, and those that no result can share a table
    with, as a run that was scored again by another version of the suite leaves them.
    """
    tables = {_comparable(each) for each in results}
    present = {(*_comparable(each), each.system) for each in results if each.condition == "full"}
    widest: dict[tuple[object, ...], Results] = {}
    for each in bounds:
        key = (*_comparable(each), each.system)
        # Runs of all clips and of a part of them may each have bounds of one anchor.
        is_wider = key not in widest or each.expected > widest[key].expected
        if _comparable(each) in tables and key not in present and is_wider:
            widest[key] = each
    return [*results, *widest.values()]


def _comparable(results: Results) -> tuple[object, ...]:
    return tuple(getattr(results, what) for what in COMMON)


def footnotes(
    results: Sequence[Results],
    columns: Iterable[Column],
    min_coverage: float,
    *,
    intervals: str = "± is half of the 95 % interval; ",
) -> tuple[str, ...]:
    """What the numbers of a table are, which runs compete, and the notes of the runs.

    ``intervals`` is a sentence on how they are printed; "" where the table says so itself.
    """
    first, named = results[0], list(zip(_names(results), results, strict=True))
    world = "mini world, not comparable with published numbers; " if first.is_mini else ""
    notes = [
        f"{world}judge {first.judge}, profile {first.profile}, "
        f"suite version {first.suite_version}; "
        f"{intervals}clips that share a target count as one"
    ]
    notes += [
        f"* {name}: {each.scored} of {each.expected} clips scored, {each.failed} failed"
        for name, each in named
        if each.scored != each.expected
    ]
    notes += _ranking_notes(named, min_coverage)
    if any(column.has_chance for each in results for column in each.columns):
        notes.append("chance: the same samples against the truth of other clips")
    columns = tuple(columns)
    notes += fairness_notes(results, columns)
    return (*notes, *small_sample_notes(results, columns), *_own_notes(results))


def _ranking_notes(named: Sequence[tuple[str, Results]], min_coverage: float) -> list[str]:
    """Which runs compete for best and second best, where not all of them do."""
    competing = [(name, each) for name, each in named if not each.is_anchor]
    below = [name for name, each in competing if not may_rank(each, min_coverage)]
    clips = {each.clips for _, each in competing if may_rank(each, min_coverage)}
    notes = []
    if below and len(competing) > 1:
        notes.append(
            f"not ranked, since fewer than {min_coverage:.4g} of their clips are scored "
            f"(--min-coverage): {', '.join(below)}"
        )
    if len(clips) > 1:
        notes.append(
            "best and second best are found among runs that scored the same clips, the most of all"
        )
    return notes


def _own_notes(results: Sequence[Results]) -> list[str]:
    """The notes of the runs, each once, with the names of its runs unless all have it."""
    authors: dict[str, list[str]] = {}
    for name, each in zip(_names(results), results, strict=True):
        for note in dict.fromkeys(each.notes):
            authors.setdefault(note, []).append(name)
    return [
        note if len(names) == len(results) else f"{', '.join(names)}: {note}"
        for note, names in authors.items()
    ]


def small_sample_notes(results: Sequence[Results], columns: Iterable[Column]) -> tuple[str, ...]:
    """One note for all distances whose sets are small for the width of their features."""
    found: dict[str, tuple[int, list[int]]] = {}
    for column in columns:
        for score in (each.metrics.get(column.name) for each in results):
            if score and score.dimensions and score.n < FEWEST_PER_DIMENSION * score.dimensions:
                found.setdefault(column.label, (score.dimensions, []))[1].append(score.n)
    texts = [
        f"{label}: {_range(counts)} clips in {width:,} dimensions"
        for label, (width, counts) in found.items()
    ]
    needs = (
        f"a Fréchet distance needs about {FEWEST_PER_DIMENSION} clips per dimension to compare "
        "with other sample sizes"
    )
    return (f"{', '.join(texts)}; {needs}",) if texts else ()


def _range(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
