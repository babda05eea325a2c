"""Is a run a repetition of another? Every clip of every column within a tolerance.

A rerun of the same system, seed and clips has the same scores up to rounding, whatever the number
of threads, workers and batches. Compared clip by clip, that shows changes which a mean of few clips
with its interval cannot: one clip of eight that is wrong, or all by a hundredth of what another
seed would change. A file of tolerances is TOML, in the unit of each column::

    [columns]
    mcd = 0.01          # of every clip
    fd_passt = 0.02     # of the value, for a column of the whole set
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError, describe_cause, format_names
from bench.pipeline.compare import Comparison, compare_runs
from bench.results import Column, Results
from bench.suite import select

#: What two runs share, beside what makes them comparable, if one repeats the other.
SAME = ("system", "condition", "seed")


@dataclass(frozen=True)
class Change:
    """How far one column of a new run is from the base.

    ``largest`` is the largest change of a clip, ``clip`` that clip, "" for a value of the whole
    set. ``n_beyond`` of the ``n`` compared are beyond the tolerance, or have a score in one run
    only, and then ``largest`` is infinite.
    """

    column: Column
    tolerance: float
    largest: float
    clip: str
    n: int
    n_beyond: int

    @property
    def has_passed(self) -> bool:
        """Whether nothing is beyond the tolerance."""
        return self.n_beyond == 0


@dataclass(frozen=True)
class Repetition:
    """The changes of all columns, and the clips that only one of the runs scored."""

    base: Results
    new: Results
    changes: tuple[Change, ...]
    lost_clips: tuple[str, ...]
    added_clips: tuple[str, ...]

    @property
    def has_passed(self) -> bool:
        """Whether the new run repeats the base."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """The columns beyond their tolerance; ``clips`` where the runs scored other clips."""
        clips = ("clips",) if self.lost_clips or self.added_clips else ()
        return (*clips, *(each.column.name for each in self.changes if not each.has_passed))


def read_tolerances(path: Path) -> dict[str, float]:
    """Read a file of tolerances.

    Raises:
        BenchError: it cannot be read, is no TOML, or holds anything but numbers from 0 on.
    """
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(f"cannot read the tolerances {path}: {describe_cause(error)}") from error
    columns = found.get("columns")
    if set(found) != {"columns"} or not isinstance(columns, dict) or not columns:
        raise BenchError(f"{path}: expected one table [columns] with a tolerance per column")
    for name, value in columns.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number and 0 <= value < math.inf):
            raise BenchError(
                f"{path}: the tolerance of {name} is {value!r}, expected a number from 0 on"
            )
    return {name: float(value) for name, value in columns.items()}


def find_changes(base: Path, new: Path, tolerances: Mapping[str, float]) -> Repetition:
    """Compare a new run with a base run that it should repeat, clip by clip.

    Raises:
        BenchError: the runs are not of the same system, condition, seed, split, judge, profile and
            versions, or a column has no tolerance, or a tolerance no column.
    """
    runs = compare_runs(base, new)
    for name in SAME:
        values = getattr(runs.base, name), getattr(runs.new, name)
        if values[0] != values[1]:
            raise BenchError(
                f"{new} cannot be a repetition of {base}: {name} {values[0]!r} and {values[1]!r}"
            )
    if missing := sorted(set(runs.columns) ^ set(tolerances)):
        raise BenchError(
            f"tolerances and columns of the runs differ in {format_names(missing)}; each column of "
            "the runs needs one tolerance"
        )
    lost, added = runs.base_clips - runs.new_clips, runs.new_clips - runs.base_clips
    changes = tuple(_find_change(runs, name, tolerances[name]) for name in runs.columns)
    return Repetition(runs.base, runs.new, changes, tuple(sorted(lost)), tuple(sorted(added)))


def _find_change(runs: Comparison, name: str, tolerance: float) -> Change:
    column = runs.columns[name]
    (metric,) = select(runs.base.profile, [name])
    if metric.score_set is not None:
        values = [
            each.metrics[name].value for each in (runs.base, runs.new) if name in each.metrics
        ]
        change = _distance(*(values if len(values) == 2 else (0.0, None)))
        return Change(column, tolerance, change, "", 1, int(change > tolerance))
    if not runs.has_clip_scores(column):
        return Change(column, tolerance, math.inf, "", len(runs.rows), len(runs.rows))
    pairs = zip(runs.rows["clip"], runs.rows[f"{name}_base"], runs.rows[f"{name}_new"], strict=True)
    changes = {clip: _distance(_or_none(before), _or_none(after)) for clip, before, after in pairs}
    worst = max(changes, key=lambda clip: changes[clip], default="")
    n_beyond = sum(each > tolerance for each in changes.values())
    return Change(column, tolerance, changes.get(worst, 0.0), worst, len(changes), n_beyond)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _distance(before: float | None, after: float | None) -> float:
    """The change of a score; infinite where only one run has it."""
    if before is None or after is None:
        return 0.0 if before is after else math.inf
    return abs(after - before)
