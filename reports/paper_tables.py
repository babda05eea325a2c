"""The paper's Tables 1 to 7, filled with the runs that reproduce their rows.

A row without a run says why. With the paper's values, each row is followed by the paper's line and
by the difference from it; numbers of the mini world are printed above the paper's, never
subtracted from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.results import Column, Results, Score
from reports.published import PublishedColumn, PublishedRow, PublishedTable, load_text_figures
from reports.ranks import IsApart, Rank, rank
from reports.reproductions import (
    NOT_SCORED,
    USUAL_SEED,
    Reproduction,
    difference,
    score_of_column,
)
from reports.tables import ARROWS, Cell, Table, TableRow, cell, footnotes, labels

#: The two rows whose relative change a figure of the paper's text is.
PAIR = ("base", "new")

#: The mini form of AC-Foley, and what it does not share with the paper's.
MINI = "acfoley-mini"
NOT_FINE_TUNED = f"{MINI} is trained in two stages without fine-tuning, the third row of Table 4"


def build_paper_table(
    made: Reproduction,
    *,
    with_paper: bool = False,
    min_coverage: float = 1.0,
    is_apart: IsApart | None = None,
) -> Table:
    """Lay out a table of the paper: its rows in its order and groups, ours before the paper's.

    Best and second best are found within the paper's groups of rows, among runs as
    ``reports.tables.build_table`` compares them; those of the paper among the paper's numbers.
    """
    table = made.table
    ranks = _rank_ours(made, min_coverage, is_apart)
    rows: list[TableRow] = []
    for row, label in zip(table.rows, _labels(made), strict=True):
        rows.append(_our_row(made, row, label, ranks))
        if with_paper:
            rows += _paper_rows(made, row)
    headings = tuple(map(_heading, table.columns))
    world = ", mini world" if made.world == "mini" else ""
    world += ", simulated raters" if made.is_simulated else ""
    return Table(
        f"Table {table.number}{world}: {table.title}",
        headings,
        tuple(rows),
        (*_run_notes(made, min_coverage), *_paper_notes(made, with_paper)),
        "method",
        column_groups=tuple(c.heading for c in table.columns) if table.has_headings else (),
        has_notes_below=True,
        has_intervals=table.is_study,  # as the paper's own has
        caption=f"{table.title} (Table {table.number} of the AC-Foley paper{world})",
    )


def _heading(column: PublishedColumn) -> str:
    unit = f" [{column.unit}]" if column.unit else ""
    arrow = f" {ARROWS[column.better]}" if column.better else ""
    return f"{column.label}{unit}{arrow}"


def _column(column: PublishedColumn) -> Column:
    return Column(column.name, column.label, column.better, column.decimals, column.unit)


def _labels(made: Reproduction) -> list[str]:
    """The paper's labels, with the marks of the runs."""
    named = [(row.label, made.results(row)) for row in made.table.rows]
    return [
        labels([replace(results, system=label, condition="full")])[0] if results else label
        for label, results in named
    ]


def _rank_ours(
    made: Reproduction, min_coverage: float, is_apart: IsApart | None
) -> dict[tuple[str, str], Rank]:
    """The rank of each row and column, by their names."""
    found: dict[tuple[str, str], Rank] = {}
    competing = [row for row in made.table.rows if row.label in made.runs and not row.is_bound]
    for group in dict.fromkeys(row.group for row in competing):
        rows = [row for row in competing if row.group == group]
        results = [made.runs[row.label].results for row in rows]
        for column in made.table.columns:
            scores = [score_of_column(each, column) for each in results]
            known = replace(_column(column), name=column.metric)
            ranks = rank(results, scores, known, min_coverage, is_apart, column.clips)
            found |= {(row.label, column.name): each for row, each in zip(rows, ranks, strict=True)}
    return found


def _our_row(
    made: Reproduction, row: PublishedRow, label: str, ranks: Mapping[tuple[str, str], Rank]
) -> TableRow:
    columns, results = made.table.columns, made.results(row)
    if results is None:
        cells = tuple(Cell("–") for _ in columns)
        reason = made.reasons[row.label]
        return TableRow(label, None, cells, row.is_bound, row.group, reason=reason)
    cells = tuple(
        _our_cell(score_of_column(results, column), column, ranks.get((row.label, column.name), ""))
        for column in columns
    )
    return TableRow(label, results.scored, cells, row.is_bound, row.group)


def _our_cell(score: Score | None, column: PublishedColumn, rank: Rank) -> Cell:
    if score is None or score.value is None:
        return Cell(NOT_SCORED)
    return cell(score, _column(column), rank)


def _paper_rows(made: Reproduction, row: PublishedRow) -> list[TableRow]:
    """The paper's line, and the difference of ours from it where both are of real clips."""
    rows, results = [], made.results(row)
    if results and (plain := made.runs[row.label].as_published):
        cells = tuple(_our_cell(plain.get(c.metric), c, "") for c in made.table.columns)
        rows.append(TableRow("plain binomial", None, cells, False, row.group, is_detail=True))
    cells = tuple(_paper_cell(made.table, row, column) for column in made.table.columns)
    rows.append(TableRow("paper", None, cells, row.is_bound, row.group, is_detail=True))
    if results and made.world == "paper" and not made.is_simulated:
        cells = tuple(_difference(results, row, column) for column in made.table.columns)
        rows.append(TableRow("difference", None, cells, row.is_bound, row.group, is_detail=True))
    return rows


def _paper_cell(table: PublishedTable, row: PublishedRow, column: PublishedColumn) -> Cell:
    value, half_width = row.values.get(column.name), row.half_widths.get(column.name)
    if value is None:
        return Cell("–")
    interval = "" if half_width is None else f"{half_width:.{column.decimals}f}"
    return Cell(f"{value:.{column.decimals}f}", interval, _rank_paper(table, row, column))


def _rank_paper(table: PublishedTable, row: PublishedRow, column: PublishedColumn) -> Rank:
    values = [
        each.values[column.name]
        for each in table.rows
        if each.group == row.group and not each.is_bound
    ]
    if row.is_bound or len(values) < 2:
        return ""
    ordered = sorted(set(values), reverse=column.better == "higher")
    ranks: dict[float, Rank] = dict(zip(ordered, ("best", "second"), strict=False))
    return ranks.get(row.values[column.name], "")


def _difference(results: Results, row: PublishedRow, column: PublishedColumn) -> Cell:
    value = difference(results, row, column)
    if value is None:
        return Cell("–")
    # Adding 0 turns a negative zero, as -0.001 rounds to, into zero.
    return Cell(f"{round(value, column.decimals) + 0.0:+.{column.decimals}f}")


def _run_notes(made: Reproduction, min_coverage: float) -> list[str]:
    """What our numbers are: world, judge, protocol, clips, and what makes systems differ."""
    if not made.runs or made.table.is_study:
        notes = [note for each in made.runs.values() for note in each.results.notes]
        world = "mini world, not comparable with published numbers"
        return [world, *notes] if made.world == "mini" else notes
    results = [
        _name_row(made.runs[row.label].results, row, made.table)
        for row in made.table.rows
        if row.label in made.runs
    ]
    # By the names of the suite, which facts about systems and their judges refer to.
    columns = [replace(_column(column), name=column.metric) for column in made.table.columns]
    about, *others = footnotes(results, columns, min_coverage)
    is_mini_form = any(run.results.system == MINI for run in made.runs.values())
    protocol = f"split {results[0].split}, protocol version {results[0].protocol_version}"
    return [
        f"{about}; {protocol}",
        *others,
        *([NOT_FINE_TUNED] if is_mini_form else []),
        *_count_notes(made),
        *_seed_notes(results),
    ]


def _name_row(results: Results, row: PublishedRow, table: PublishedTable) -> Results:
    """The results under the paper's label, with the notes that concern the table's columns."""
    labels = [column.label for column in table.columns]
    return replace(
        results,
        system=row.label,
        condition="full",
        columns=tuple(replace(column, has_chance=False) for column in results.columns),
        notes=tuple(note for note in results.notes if _concerns(note, labels)),
    )


def _concerns(note: str, labels: Sequence[str]) -> bool:
    """Whether a note is about the run, or about a column that is shown."""
    # As ``bench.pipeline.evaluate`` writes why columns have no value or no interval.
    is_of_columns = note.startswith(("no interval: ", "not scored: "))
    return not is_of_columns or any(label in note for label in labels)


def _count_notes(made: Reproduction) -> list[str]:
    """Which rows are over fewer clips than the paper's, or more; runs on mini say it themselves."""
    by_count: dict[tuple[int, int], list[str]] = {}
    for row in made.table.rows:
        results, n_clips = made.results(row), made.declared(row).n_clips
        if results and made.world == "paper" and results.expected != n_clips:
            by_count.setdefault((results.expected, n_clips), []).append(row.label)
    return [
        f"{', '.join(names)}: {asked:,} clips, where the paper has {n_clips:,}"
        for (asked, n_clips), names in by_count.items()
    ]


def _seed_notes(results: Sequence[Results]) -> list[str]:
    return [f"{each.system}: seed {each.seed}" for each in results if each.seed != USUAL_SEED]


def _paper_notes(made: Reproduction, with_paper: bool) -> list[str]:
    if not with_paper:
        return list(made.table.notes)
    note = "difference: ours minus the paper's, for which no interval is published"
    if made.world == "mini":
        note = "the paper's numbers are of real clips: no difference is formed"
    elif made.is_simulated:
        note = "the paper's numbers are of real raters: no difference is formed"
    has_lines = made.world == "mini" or made.runs
    contradictions = (f"the paper: {each}" for each in made.table.contradictions)
    return [
        *([note] if has_lines else []),
        *made.table.notes,
        *made.table.paper_notes,
        *_text_notes(made),
        *contradictions,
    ]


def _text_notes(made: Reproduction) -> list[str]:
    """What the paper's text states of the table; changes also as its table and our runs have them.

    A change is that of a column from one row to another, relative to the first.
    """
    notes = []
    for figure in load_text_figures():
        if figure.table != made.table.number:
            continue
        note = f'the paper\'s text (section {figure.section}): "{figure.quote}"'
        if of := figure.of:
            base, new = (next(r for r in made.table.rows if r.label == of[k]) for k in PAIR)
            column = next(each for each in made.table.columns if each.name == of["column"])
            published = _describe_change(base.values[column.name], new.values[column.name])
            note += f"; its table has {column.label} {published} ({new.label} than {base.label})"
            found = [made.results(row) for row in (base, new)]
            scores = [score_of_column(each, column) if each else None for each in found]
            values = [each.value if each else None for each in scores]
            if values[0] and values[1] is not None:
                note += f", ours {_describe_change(values[0], values[1])}"
        notes.append(note)
    return notes


def _describe_change(base: float, new: float) -> str:
    change = 100 * (new - base) / base
    return f"{abs(change):.1f} % {'lower' if change < 0 else 'higher'}"
