"""A leaderboard: boards of comparable runs, each run with its fairness, provenance and check.

Runs of different protocols, splits, judges, profiles or versions of the suite are on boards of
their own, the newest protocol first. ``reports.leaderboard_page`` draws them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from bench.results import COMMON, Column, Results
from bench.verification import MEANING, Verification
from reports.fairness import FAIRNESS_FIELDS, fairness_cells
from reports.formats import RUN_FIELDS, SCORE_FIELDS
from reports.rank_intervals import Ranks, rank_systems
from reports.ranks import rank
from reports.tables import comparable_sets, footnotes, labels, select_columns

if TYPE_CHECKING:
    import pandas as pd

#: A text that begins so is a formula to a spreadsheet.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: What names the run, its check and its mean rank in a line of CSV, beside ``RUN_FIELDS``.
CSV_FIELDS = ("protocol_version", "run", "scored", "verified", "verified_date")
RANK_FIELDS = ("rank", "rank_low", "rank_high")


@dataclass(frozen=True)
class Entry:
    """One run: its results, the folder that it was found in, who scored it, and its check.

    ``verification`` is None where the files of the run have not been checked; ``rows`` are the
    scores per clip, None where no ranks are asked for.
    """

    results: Results
    folder: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    verification: Verification | None = None
    rows: pd.DataFrame | None = None

    @property
    def status(self) -> str:
        """``verified``, ``not verified`` or ``not checked``."""
        if self.verification is None:
            return "not checked"
        return "verified" if self.verification.is_verified else "not verified"

    @property
    def date(self) -> str:
        """The day of the check; "" without one."""
        return self.verification.date[:10] if self.verification else ""

    @property
    def competes(self) -> bool:
        """Whether the run may be best or have a rank: no anchor, and none whose check failed."""
        return not self.results.is_anchor and self.status != "not verified"


@dataclass(frozen=True)
class Board:
    """Comparable runs in the order of their mean rank, those that do not compete last.

    ``best`` has the columns in which each run is best; ``ranks`` are empty unless they were asked
    for.
    """

    entries: tuple[Entry, ...]
    labels: tuple[str, ...]
    columns: tuple[Column, ...]
    best: tuple[frozenset[str], ...]
    ranks: tuple[Ranks, ...]
    notes: tuple[str, ...]

    @property
    def about(self) -> dict[str, Any]:
        """What all runs of the board have in common."""
        return {name: getattr(self.entries[0].results, name) for name in COMMON}

    @property
    def title(self) -> str:
        """The split, and all that its numbers depend on."""
        first = self.entries[0].results
        world = ", mini world" if first.is_mini else ""
        return (
            f"{first.split}{world}: protocol {first.protocol_version}, judge {first.judge}, "
            f"profile {first.profile}, suite version {first.suite_version}"
        )


def build_boards(entries: Sequence[Entry], *, extras: bool = False) -> list[Board]:
    """Sort runs into boards: the newest protocol and suite first, real clips before rendered ones.

    Within these the board of the first run comes first. Runs with ``rows`` have ranks.
    """
    by_results = {id(entry.results): entry for entry in entries}
    sets = comparable_sets([entry.results for entry in entries])
    boards = [_build_board([by_results[id(each)] for each in some], extras) for some in sets]

    def order(board: Board) -> tuple[int, int, bool]:
        about = board.about
        return -about["protocol_version"], -about["suite_version"], bool(about["is_mini"])

    return sorted(boards, key=order)


def _build_board(entries: Sequence[Entry], extras: bool) -> Board:
    columns = select_columns([entry.results for entry in entries], extras)
    ranks, rank_notes = _rank_entries(entries, columns)
    ordered = _order(entries, columns, ranks)
    results = [entry.results for entry in ordered]
    best: list[set[str]] = [set() for _ in ordered]
    for column in columns:
        scores = [e.results.metrics.get(column.name) if e.competes else None for e in ordered]
        for i, place in enumerate(rank(results, scores, column)):
            if place == "best":
                best[i].add(column.name)
    return Board(
        tuple(ordered),
        tuple(_unique_labels(ordered)),
        tuple(columns),
        tuple(frozenset(each) for each in best),
        tuple(ranks.get(id(entry), Ranks()) for entry in ordered),
        (*footnotes(results, columns, 1.0, intervals=""), *rank_notes),
    )


def _unique_labels(entries: Sequence[Entry]) -> list[str]:
    """The labels of the runs, with their folders where several have the same."""
    found = labels([entry.results for entry in entries])
    return [
        f"{label} ({entry.folder})" if found.count(label) > 1 and entry.folder else label
        for label, entry in zip(found, entries, strict=True)
    ]


def _widest_clips(entries: Sequence[Entry]) -> str:
    """The clips that most of the competing runs over the most clips have scored."""
    competing = [entry.results for entry in entries if entry.competes]
    counts = [(each.scored, each.clips) for each in competing]
    return max(counts, key=lambda each: (each[0], counts.count(each)), default=(0, ""))[1]


def _order(
    entries: Sequence[Entry], columns: Sequence[Column], ranks: Mapping[int, Ranks]
) -> list[Entry]:
    """By mean rank among those over the most clips, then others, failed checks, anchors."""
    widest = _widest_clips(entries)
    places = {id(entry): _mean_place(entry, entries, columns) for entry in entries}

    def order(entry: Entry) -> tuple[bool, bool, bool, float, str]:
        mean = ranks[id(entry)].mean if id(entry) in ranks else None
        place = mean.value if mean else places[id(entry)]
        is_other = entry.results.clips != widest
        about = entry.results
        return bool(about.is_anchor), not entry.competes, is_other, place, about.system

    return sorted(entries, key=order)


def _mean_place(entry: Entry, entries: Sequence[Entry], columns: Sequence[Column]) -> float:
    """How many competing runs over the same clips are better, on average over the columns."""
    rivals = [
        each.results
        for each in entries
        if each.competes and each.results.clips == entry.results.clips
    ]
    places = []
    for column in columns:
        own = entry.results.metrics.get(column.name)
        if own is None or own.value is None:
            places.append(float(len(rivals)))
            continue
        sign = -1 if column.better == "higher" else 1
        scores = (each.metrics.get(column.name) for each in rivals)
        values = [score.value for score in scores if score is not None and score.value is not None]
        places.append(float(sum(sign * value < sign * own.value for value in values)))
    return sum(places) / len(places) if places else 0.0


def _rank_entries(
    entries: Sequence[Entry], columns: Sequence[Column]
) -> tuple[dict[int, Ranks], list[str]]:
    """The ranks of competing runs over the widest list of clips, and notes on those left out."""
    if all(entry.rows is None for entry in entries):
        return {}, []
    widest = _widest_clips(entries)
    competing = [entry for entry in entries if entry.competes]
    chosen = [each for each in competing if each.results.clips == widest and each.rows is not None]
    ranked = rank_systems([each.rows for each in chosen if each.rows is not None], columns)
    of_columns = [column for column in columns if any(column.name in r.by_column for r in ranked)]
    if not of_columns:
        return {}, ["no ranks: they need two runs that scored the same clips of two clusters"]
    left_out = [column.label for column in columns if column not in of_columns]
    notes = [
        "rank: the mean rank over "
        f"{', '.join(column.label for column in of_columns)}, 1 is best; its 95 % interval is a "
        "bootstrap over clips, all runs over the same draw"
    ]
    if left_out:
        notes.append(
            f"not in the rank: {', '.join(left_out)} (a value of the whole set, or not of all runs)"
        )
    others = [each for each in entries if each not in chosen and not each.results.is_anchor]
    if others:
        names = ", ".join(dict.fromkeys(each.results.system for each in others))
        notes.append(f"no rank, since they scored other clips or are not verified: {names}")
    return {id(each): ranks for each, ranks in zip(chosen, ranked, strict=True)}, notes


def as_board_json(boards: Sequence[Board]) -> dict[str, Any]:
    """The content of ``board.json``: every board with all that the page has of it."""
    return {
        "meaning": MEANING,
        "boards": [
            {
                **board.about,
                "columns": [asdict(column) for column in board.columns],
                "notes": list(board.notes),
                "rows": [_json_row(board, i) for i in range(len(board.entries))],
            }
            for board in boards
        ],
    }


def _json_row(board: Board, i: int) -> dict[str, Any]:
    entry, names = board.entries[i], {column.name for column in board.columns}
    results, ranks = entry.results, board.ranks[i]
    return {
        "label": board.labels[i],
        "run": entry.folder,
        **{name: getattr(results, name) for name in ("system", "condition", "seed", "is_anchor")},
        "expected": results.expected,
        "scored": results.scored,
        "coverage": results.coverage,
        "clips": results.clips,
        "metrics": {name: asdict(s) for name, s in results.metrics.items() if name in names},
        "best": sorted(board.best[i]),
        "ranks": {name: asdict(each) for name, each in ranks.by_column.items()},
        "mean_rank": asdict(ranks.mean) if ranks.mean else None,
        "fairness": asdict(results.fairness) if results.fairness else None,
        "made_by": list(results.made_by),
        "scored_by": dict(entry.provenance),
        "notes": list(results.notes),
        "status": entry.status,
        "verification": asdict(entry.verification) if entry.verification else None,
    }


def as_board_csv(boards: Sequence[Board]) -> str:
    """One line per run and column, for spreadsheets; in the order of the page."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    heads = (*CSV_FIELDS, *RUN_FIELDS, "metric", *SCORE_FIELDS, *RANK_FIELDS, *FAIRNESS_FIELDS)
    writer.writerow(heads)
    for board in boards:
        for entry, ranks in zip(board.entries, board.ranks, strict=True):
            results = entry.results
            about = [results.protocol_version, entry.folder, results.scored]
            about += [entry.status, entry.date, *(getattr(results, name) for name in RUN_FIELDS)]
            for column in board.columns:
                score = results.metrics.get(column.name)
                found = ranks.by_column.get(column.name)
                values = [getattr(score, name, None) for name in SCORE_FIELDS]
                places = [found.value, found.low, found.high] if found else [None] * 3
                cells = [*about, column.name, *values, *places, *fairness_cells(results)]
                writer.writerow([_no_formula(cell) for cell in cells])
    return out.getvalue()


def _no_formula(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
