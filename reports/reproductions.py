"""Which finished runs reproduce the rows of the paper's tables, and how far they are from it."""

from __future__ import annotations

import csv
import io
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.results import Results, Score
from bench.suite import DEFAULT_PROFILE
from reports.fairness import FAIRNESS_FIELDS, fairness_cells
from reports.published import DeclaredRun, PublishedColumn, PublishedRow, PublishedTable, World

#: The seed of ``bench run`` where none is named, which rows show if it is there.
USUAL_SEED = 42
NOT_SCORED = "not scored"
OUTDATED = "other version"
#: How the judge of a study is called that nobody answered (``bench.study.table3``).
SIMULATED = "simulated"
RUN_FIELDS = ("seed", "judge", "suite_version", "protocol_version")
CSV_FIELDS = (
    *("table", "world", "row", "group", "system", "split", "condition", "column", "clips"),
    *RUN_FIELDS,
    *("value", "low", "high", "n"),
    *("paper", "paper_half_width", "difference", "missing"),
    *FAIRNESS_FIELDS,
)


@dataclass(frozen=True, eq=False)
class FoundRun:
    """A finished run; ``directory`` is None for a bound that is stored with another run.

    A study has no directory either, and ``as_published`` has its scores with the intervals as the
    paper computes them.
    """

    results: Results
    directory: Path | None = None
    as_published: Mapping[str, Score] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Reproduction:
    """A table in one world with what was found: a run for some rows, a reason for the others."""

    table: PublishedTable
    world: World
    runs: Mapping[str, FoundRun]
    reasons: Mapping[str, str]

    def declared(self, row: PublishedRow) -> DeclaredRun:
        """The run that the row asks for in this world."""
        return row.runs[self.world]

    def results(self, row: PublishedRow) -> Results | None:
        """The results of the row, None where there is no run."""
        found = self.runs.get(row.label)
        return found.results if found else None

    @property
    def is_simulated(self) -> bool:
        """Whether the votes of a study are those of simulated raters."""
        return any(is_simulated(each.results) for each in self.runs.values())


def is_simulated(results: Results) -> bool:
    """Whether these are the votes of simulated raters."""
    return results.judge.startswith(SIMULATED)


def choose_runs(table: PublishedTable, world: World, found: Sequence[FoundRun]) -> Reproduction:
    """Return the run of each row among those that are finished.

    All are of one suite version and protocol version, the newest that there are, and of one judge,
    that with the exact MCD if it is there. Of several runs of a row the one over the most clips
    counts, then the usual seed.
    """
    fitting = {
        row.label: [each for each in found if _fits(each.results, row.runs[world], world)]
        for row in table.rows
    }
    newest = max((_version(each) for some in fitting.values() for each in some), default=None)
    runs, reasons = {}, {}
    for row in table.rows:
        if same := [each for each in fitting[row.label] if _version(each) == newest]:
            runs[row.label] = min(same, key=_preference)
        elif fitting[row.label]:
            reasons[row.label] = OUTDATED
        else:
            reasons[row.label] = row.runs[world].missing or "not run"
    return Reproduction(table, world, runs, reasons)


def _fits(results: Results, declared: DeclaredRun, world: World) -> bool:
    wanted = (declared.system, declared.split, declared.condition, world == "mini")
    is_wanted = wanted == (results.system, results.split, results.condition, results.is_mini)
    # A judge's name goes on where it says that its MCD is approximate.
    is_usual = results.judge.startswith(declared.judge) and results.profile == DEFAULT_PROFILE
    return is_wanted and is_usual and not declared.missing


def _version(found: FoundRun) -> tuple[int, int, bool, str]:
    results = found.results
    is_exact = "," not in results.judge  # "mini, approximate MCD"
    return results.protocol_version, results.suite_version, is_exact, results.judge


def _preference(found: FoundRun) -> tuple[int, bool, int, str]:
    results = found.results
    return -results.scored, results.seed != USUAL_SEED, results.seed, str(found.directory)


def score_of_column(results: Results, column: PublishedColumn) -> Score | None:
    """The score of a run in a column of the paper, None where it was not asked for."""
    scores = results.groups.get(column.clips, {}) if column.clips else results.metrics
    return scores.get(column.metric)


def difference(results: Results, row: PublishedRow, column: PublishedColumn) -> float | None:
    """Ours minus the paper's, in the column's unit; None where one has no value.

    Nor is there one for the mini world, and for simulated raters.
    """
    score, published = score_of_column(results, column), row.values.get(column.name)
    if results.is_mini or is_simulated(results):
        return None
    if score is None or score.value is None or published is None:
        return None
    return score.value - published


def paper_csv(tables: Sequence[Reproduction]) -> str:
    """One line per row and column with full precision: ours, the paper's and their difference."""
    out = io.StringIO()
    writer = csv.DictWriter(out, CSV_FIELDS, lineterminator="\n")
    writer.writeheader()
    for made in tables:
        for row in made.table.rows:
            for column in made.table.columns:
                writer.writerow(_csv_line(made, row, column))
    return out.getvalue()


def _csv_line(
    made: Reproduction, row: PublishedRow, column: PublishedColumn
) -> dict[str, Hashable]:
    declared, results = made.declared(row), made.results(row)
    line: dict[str, Hashable] = {
        "table": made.table.number,
        "world": made.world,
        "row": row.label,
        "group": row.group,
        "system": declared.system,
        "split": declared.split,
        "condition": declared.condition if declared.system else "",
        "column": column.metric,
        "clips": column.clips,
        "paper": row.values.get(column.name),
        "paper_half_width": row.half_widths.get(column.name),
        "missing": made.reasons.get(row.label, ""),
    }
    if results is None:
        return line
    score = score_of_column(results, column) or Score(None, None, None, 0, reason=NOT_SCORED)
    # A study is of no version of the suite.
    named = ("split", "seed", "judge") if made.table.is_study else RUN_FIELDS
    of_run = {name: getattr(results, name) for name in named}
    of_score = {name: getattr(score, name) for name in ("value", "low", "high", "n")}
    missing = (score.reason or NOT_SCORED) if score.value is None else ""
    difference_ = difference(results, row, column)
    facts = zip(FAIRNESS_FIELDS, fairness_cells(results), strict=True)
    return line | of_run | of_score | {"difference": difference_, "missing": missing} | dict(facts)
