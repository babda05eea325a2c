"""A regression gate: a new run passes unless it is worse than a base run by more than a margin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError, format_names
from bench.metrics.clusters import ClusteredMean
from bench.pipeline.compare import (
    Difference,
    clip_difference,
    has_clip_scores,
    load_comparable,
    paired_rows,
    scored_rows,
    set_difference,
)
from bench.pipeline.decide import Decision, Untested, decide
from bench.pipeline.margins import PRIMARY
from bench.pipeline.rules import Rules
from bench.results import Column, Results

if TYPE_CHECKING:
    import pandas as pd

#: The share of clips that only one of the runs may have scored.
MAX_DIFFER = 0.01


@dataclass(frozen=True)
class Gate:
    """The decisions of the primary columns; ``information`` are the others, which never decide."""

    base: Results
    new: Results
    decisions: tuple[Decision, ...]
    information: tuple[Difference, ...]
    notes: tuple[str, ...]

    @property
    def has_passed(self) -> bool:
        """Whether every primary column lets the new run pass."""
        return all(each.has_passed for each in self.decisions)


@dataclass(frozen=True)
class Pair:
    """Two comparable runs, with ``rows`` of the clips that both scored (``paired_rows``)."""

    base: Path
    new: Path
    before: Results
    after: Results
    rows: pd.DataFrame
    max_differ: float

    def columns(self) -> dict[str, Column]:
        """The columns of either run by name, in the order of the suite."""
        return {each.name: each for each in (*self.before.columns, *self.after.columns)}

    def lacks(self, name: str) -> str:
        """Why this column has no difference; "" where both runs have a value."""
        for directory, results in ((self.base, self.before), (self.new, self.after)):
            if name not in results.metrics:
                return f"{directory} has no {name}; run it again with this column"
            if results.metrics[name].value is None:
                return f"{directory} has no clip that {name} could be scored on"
        return ""

    def scored_once(self, name: str) -> tuple[int, int]:
        """How many clips have this column's score in only one run, and how many in either."""
        base, new = (self.rows[f"{name}_{run}"].notna() for run in ("base", "new"))
        return int((base != new).sum()), int((base | new).sum())


def gate_runs(
    base: Path,
    new: Path,
    rules: Rules,
    *,
    require_equivalence: bool = False,
    max_differ: float = MAX_DIFFER,
) -> Gate:
    """Compare a new run with a base run over the clips that both scored, and decide.

    With ``require_equivalence``, every primary column has to be shown to be not worse. The notes
    of the result say which clips and which rules were left out.

    Raises:
        BenchError: the runs are of different splits, judges, profiles or suite versions, more than
            ``max_differ`` of the clips were scored by only one of them, or no primary column can
            be tested.
    """
    before, after = load_comparable(base, new)
    base_rows, new_rows = scored_rows(base), scored_rows(new)
    clips = (set(base_rows["clip"]), set(new_rows["clip"]))
    expected = max(before.expected, after.expected)
    notes = _check_clips(*clips, expected, f"{base} and {new}", max_differ)
    pair = Pair(base, new, before, after, paired_rows(base_rows, new_rows), max_differ)
    primary = _primary_names(pair, rules)
    decisions = decide(
        [_measured(pair, name) for name in primary], rules, require_equivalence=require_equivalence
    )
    _check_tested(decisions, f"{base} and {new}")
    others = [column for name, column in pair.columns().items() if name not in primary]
    information = tuple(_plain(pair, each) for each in others if not pair.lacks(each.name))
    return Gate(before, after, decisions, information, (*notes, *_notes(pair, primary, rules)))


def _check_clips(
    base: set[str], new: set[str], expected: int, runs: str, max_differ: float
) -> tuple[str, ...]:
    """Refuse runs over different clips; notes where a few of them differ, or both lack some."""
    alone, either = sorted(base ^ new), base | new
    if not base & new:
        raise BenchError(f"{runs} have no scored clip in common")
    counted = f"{len(alone)} of {len(either)} clips"
    found = f"{counted} are scored by only one of the runs ({format_names(alone)})"
    if len(alone) > max_differ * len(either):
        raise BenchError(
            f"{runs} cannot be compared: {found}, expected at most {100 * max_differ:g} %; run the "
            "same clips and what failed again, or allow more with --max-differ"
        )
    n_lost = expected - len(either)
    lost = f"{n_lost} of {expected} clips have no score in either run"
    return ((f"{found} and left out",) if alone else ()) + ((lost,) if n_lost > 0 else ())


def _primary_names(pair: Pair, rules: Rules) -> list[str]:
    """The columns that decide: those named, else the default ones, and those with a rule."""
    columns = pair.columns()
    if rules.primary is not None:
        chosen = set(rules.primary)
    else:
        ruled = {name for name, rule in rules.columns.items() if not rule.is_ignored}
        chosen = {name for name in PRIMARY if name in columns and not rules.rule(name).is_ignored}
        chosen |= ruled
    return [*(name for name in columns if name in chosen), *sorted(chosen - set(columns))]


def _measured(pair: Pair, name: str) -> Difference | Untested:
    column = pair.columns().get(name)
    label = column.label if column else name
    if column is None or pair.lacks(name):
        return Untested(name, label, pair.lacks(name))
    if reason := _lost_scores(pair, column):
        return Untested(name, label, reason)
    try:
        found = _difference(pair, column)
    except BenchError as error:
        return Untested(name, label, str(error))
    n = found.estimate.n_clusters
    if n < 2:
        return Untested(name, label, f"{n} clusters of clips have a score, expected at least 2")
    return found


def _lost_scores(pair: Pair, column: Column) -> str:
    """Why too many clips have this column's score in only one run; "" where they have not."""
    if not has_clip_scores(pair.rows, column):
        return ""
    once, either = pair.scored_once(column.name)
    is_much = once > pair.max_differ * either
    return f"{once} of {either} clips have a score in only one of the runs" if is_much else ""


def _difference(pair: Pair, column: Column) -> Difference:
    if has_clip_scores(pair.rows, column):
        return clip_difference(pair.rows, column)
    return set_difference(pair.base, pair.new, pair.before, pair.rows, column)


def _plain(pair: Pair, column: Column) -> Difference:
    """A difference to look at; that of a whole set has no interval."""
    if has_clip_scores(pair.rows, column):
        return clip_difference(pair.rows, column)
    base, new = (each.metrics[column.name] for each in (pair.before, pair.after))
    value = (new.value or 0.0) - (base.value or 0.0)
    found = ClusteredMean(value, math.nan, math.nan, min(base.n, new.n), 0, 0)
    return Difference(column, base.value or 0.0, found)


def _check_tested(decisions: tuple[Decision, ...], runs: str) -> None:
    reasons = [each.found.reason for each in decisions if isinstance(each.found, Untested)]
    if len(reasons) == len(decisions):
        why = f": {reasons[0]}" if reasons else ""
        raise BenchError(f"{runs} have no primary column that can be tested{why}")


def _notes(pair: Pair, primary: list[str], rules: Rules) -> tuple[str, ...]:
    """What was left out of the primary columns, and which rules had no effect."""
    columns = pair.columns()
    scored = [
        name for name in primary if name in columns and has_clip_scores(pair.rows, columns[name])
    ]
    once = {name: pair.scored_once(name) for name in scored}
    notes = [
        f"{name}: {n} of {either} clips have a score in only one of the runs and are left out"
        for name, (n, either) in once.items()
        if 0 < n <= pair.max_differ * either
    ]
    ignored = [name for name, rule in rules.columns.items() if rule.is_ignored]
    unused = [name for name in rules.columns if name not in (*primary, *ignored)]
    notes += [f"ignored by the rules: {', '.join(ignored)}"] if ignored else []
    lacking = [name for name in columns if name not in primary and pair.lacks(name)]
    notes += [f"without a value in both runs: {', '.join(lacking)}"] if lacking else []
    notes += [f"not primary, so their rules have no effect: {', '.join(unused)}"] if unused else []
    return tuple(notes)
