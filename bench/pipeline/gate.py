"""A regression gate: a new run passes unless it is worse than a base run by more than a margin.

Each primary column is tested twice, one-sided, against its margin: "the loss is beyond it" (a
regression) and "the loss is within it" (equivalence). Both sets of p-values are adjusted over the
columns by Holm, so that two equal systems raise a false alarm in at most ``alpha`` of all
comparisons, whatever the number of columns. A column of which neither is shown is inconclusive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.errors import BenchError, format_names
from bench.metrics.clusters import ClusteredMean
from bench.metrics.uncertainty import adjust_holm, margin_test
from bench.pipeline.compare import Comparison, Difference, compare_runs
from bench.pipeline.rules import PRIMARY, Rules
from bench.results import Column, Results

#: The share of clips that only one of the runs may have scored. A run that fails on hard clips
#: would otherwise pass by leaving them out; single failures are no reason to refuse a whole run.
MAX_DIFFER = 0.01

Outcome = Literal["regression", "not worse", "inconclusive", "not tested"]


@dataclass(frozen=True)
class Untested:
    """A primary column that could not be tested, and why."""

    name: str
    label: str
    reason: str


@dataclass(frozen=True)
class Decision:
    """What was found of one primary column, the margin in its unit, and the adjusted p-values.

    ``is_required`` asks for equivalence. Without a test there is no margin, and both p-values are
    1.
    """

    found: Difference | Untested
    alpha: float
    is_required: bool
    margin: float | None = None
    p_regression: float = 1.0
    p_equivalence: float = 1.0

    @property
    def outcome(self) -> Outcome:
        """The outcome of the two tests."""
        if isinstance(self.found, Untested):
            return "not tested"
        if self.p_regression <= self.alpha:
            return "regression"
        return "not worse" if self.p_equivalence <= self.alpha else "inconclusive"

    @property
    def has_passed(self) -> bool:
        """Whether this column lets the new run pass."""
        return self.outcome == "not worse" or not (self.is_required or self.outcome == "regression")


def decide(
    found: Sequence[Difference | Untested], rules: Rules, *, require_equivalence: bool = False
) -> tuple[Decision, ...]:
    """Return a decision per primary column, in the order given.

    With ``require_equivalence``, every column has to be shown to be not worse.
    """
    tested = [each for each in found if isinstance(each, Difference)]
    margins = [rules.margin(each.name).of(each.base) for each in tested]
    p_values = [
        margin_test(each.loss, each.estimate.standard_error, each.estimate.degrees, margin)
        for each, margin in zip(tested, margins, strict=True)
    ]
    # Over the tested columns only: one without a test cannot raise a false alarm.
    p_regression = adjust_holm([each.p_regression for each in p_values])
    p_equivalence = adjust_holm([each.p_equivalence for each in p_values])
    columns = zip(tested, margins, p_regression, p_equivalence, strict=True)
    numbers = {each.name: rest for each, *rest in columns}
    decisions = []
    for each in found:
        rule = rules.rule(each.name)
        is_required = require_equivalence or rule.is_required
        alpha = rule.alpha or rules.alpha
        # () leaves a column without a test its defaults: no margin, p = 1.
        decisions.append(Decision(each, alpha, is_required, *numbers.get(each.name, ())))
    return tuple(decisions)


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
    of the result name the clips and the rules that were left out.

    Raises:
        BenchError: the runs are of different splits, judges, profiles or suite versions, more than
            ``max_differ`` of the clips were scored by only one of them, or no primary column can
            be tested.
    """
    runs = compare_runs(base, new)
    notes = _check_clips(runs, max_differ)
    primary = _primary_names(runs, rules)
    measured = [_measure(runs, name, max_differ) for name in primary]
    decisions = decide(measured, rules, require_equivalence=require_equivalence)
    untested = [each.found.reason for each in decisions if isinstance(each.found, Untested)]
    if len(untested) == len(decisions):
        why = f": {untested[0]}" if untested else ""
        raise BenchError(f"{base} and {new} have no primary column that can be tested{why}")
    # Shown and not tested, so that they take no share of the error level.
    others = [column for name, column in runs.columns.items() if name not in primary]
    information = tuple(
        _describe(runs, each) for each in others if not runs.describe_missing(each.name)
    )
    notes = (*notes, *_notes(runs, primary, rules, max_differ))
    return Gate(runs.base, runs.new, decisions, information, notes)


def _check_clips(runs: Comparison, max_differ: float) -> tuple[str, ...]:
    """Refuse runs over different clips; notes where a few of them differ, or both have no score."""
    # Before anything is computed: distances of thousands of clips take a while.
    base, new = runs.base_clips, runs.new_clips
    named = f"{runs.base_directory} and {runs.new_directory}"
    most = f"{100 * max_differ:g} %"
    alone, either = sorted(base ^ new), base | new
    if not base & new:
        raise BenchError(f"{named} have no scored clip in common")
    counted = f"{len(alone)} of {len(either)} clips"
    found = f"{counted} are scored by only one of the runs ({format_names(alone)})"
    if len(alone) > max_differ * len(either):
        raise BenchError(
            f"{named} cannot be compared: {found}, expected at most {most}; run the "
            "same clips and what failed again, or allow more with --max-differ"
        )
    expected = max(runs.base.expected, runs.new.expected)
    n_lost = expected - len(either)
    lost = f"{n_lost} of {expected} clips have no score in either run"
    return ((f"{found} and left out",) if alone else ()) + ((lost,) if n_lost > 0 else ())


def _primary_names(runs: Comparison, rules: Rules) -> list[str]:
    """The columns that decide: those named, else the default ones, and those with a rule."""
    columns = runs.columns
    if rules.primary is not None:
        chosen = set(rules.primary)
    else:
        # Whoever writes a rule for a column wants it to count, so it decides as well.
        ruled = {name for name, rule in rules.columns.items() if not rule.is_ignored}
        chosen = {name for name in PRIMARY if name in columns and not rules.rule(name).is_ignored}
        chosen |= ruled
    return [*(name for name in columns if name in chosen), *sorted(chosen - set(columns))]


def _measure(runs: Comparison, name: str, max_differ: float) -> Difference | Untested:
    column = runs.columns.get(name)
    missing = runs.describe_missing(name)
    if column is None or missing:
        return Untested(name, column.label if column else name, missing)
    # As for the clips of a run: a column may have no value for many of them ("not scored").
    if runs.has_clip_scores(column):
        once, either = runs.count_scored_once(name)
        if once > max_differ * either:
            reason = f"{once} of {either} clips have a score in only one of the runs"
            return Untested(name, column.label, reason)
    try:
        found = runs.difference(column)
    except BenchError as error:  # of one column: the others still decide
        return Untested(name, column.label, str(error))
    n = found.estimate.n_clusters
    if n < 2:
        reason = f"{n} clusters of clips have a score, expected at least 2"
        return Untested(name, column.label, reason)
    return found


def _describe(runs: Comparison, column: Column) -> Difference:
    """A difference that is not tested; that of a whole set has no interval."""
    if runs.has_clip_scores(column):
        return runs.difference(column)
    # From the results as they are: an interval would need the features of all clips again, for a
    # column that never decides.
    base, new = (each.metrics[column.name] for each in (runs.base, runs.new))
    value = (new.value or 0.0) - (base.value or 0.0)
    found = ClusteredMean(value, math.nan, math.nan, min(base.n, new.n), 0, 0)
    return Difference(column, base.value or 0.0, found)


def _notes(
    runs: Comparison, primary: list[str], rules: Rules, max_differ: float
) -> tuple[str, ...]:
    """What was left out of the primary columns, and which rules had no effect."""
    columns = runs.columns
    scored = [name for name in primary if name in columns and runs.has_clip_scores(columns[name])]
    once = {name: runs.count_scored_once(name) for name in scored}
    notes = [
        f"{name}: {n} of {either} clips have a score in only one of the runs and are left out"
        for name, (n, either) in once.items()
        if 0 < n <= max_differ * either
    ]
    ignored = [name for name, rule in rules.columns.items() if rule.is_ignored]
    unused = [name for name in rules.columns if name not in (*primary, *ignored)]
    missing = [name for name in columns if name not in primary and runs.describe_missing(name)]
    notes += [f"ignored by the rules: {', '.join(ignored)}"] if ignored else []
    notes += [f"without a value in both runs: {', '.join(missing)}"] if missing else []
    notes += [f"not primary, so their rules have no effect: {', '.join(unused)}"] if unused else []
    return tuple(notes)
