"""Two runs on the clips that both scored: the difference of each column, with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.errors import BenchError, RunError
from bench.metrics.clusters import ClusteredMean, clustered_mean, clustered_sum
from bench.pipeline.run_features import set_estimates
from bench.results import Column, Results, load_results, load_rows
from bench.suite import select

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["better", "worse", "no clear difference"]

#: What two runs must have in common.
COMMON = ("split", "judge", "profile", "suite_version")

LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """``new - base`` of one metric over the clips that both scored.

    ``estimate`` is its value, standard error and degrees of freedom, NaN where there are too few
    clusters of clips; ``base`` is the value of the base run over the same clips.
    """

    column: Column
    base: float
    estimate: ClusteredMean

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column.name

    @property
    def label(self) -> str:
        """The column's heading."""
        return self.column.label

    @property
    def value(self) -> float:
        """The difference, in the column's unit."""
        return self.estimate.value

    @property
    def n(self) -> int:
        """How many clips both runs scored."""
        return self.estimate.n

    @property
    def loss(self) -> float:
        """The difference for the worse: above 0 where ``new`` is worse."""
        return -self.value if self.column.better == "higher" else self.value

    @property
    def low(self) -> float:
        """The lower end of the 95 % interval."""
        return self.value - self._half_width()

    @property
    def high(self) -> float:
        """The upper end of the 95 % interval."""
        return self.value + self._half_width()

    @property
    def verdict(self) -> Verdict:
        """Better or worse where the 95 % interval keeps away from zero."""
        if self.low > 0 or self.high < 0:
            return "worse" if self.loss > 0 else "better"
        return "no clear difference"

    def _half_width(self) -> float:
        from scipy.special import stdtrit

        if math.isnan(self.estimate.standard_error):
            return math.nan
        return float(stdtrit(self.estimate.degrees, (1 + LEVEL) / 2)) * self.estimate.standard_error


@dataclass(frozen=True)
class Comparison:
    """Two results and their paired differences, in the order of the columns."""

    base: Results
    new: Results
    differences: tuple[Difference, ...]


def compare_runs(base: Path, new: Path) -> Comparison:
    """Compare two finished runs on the clips that both scored, in every column with clip scores.

    Raises:
        BenchError: they are of different splits, judges, profiles or suite versions, or share no
            scored clip.
    """
    before, after = load_comparable(base, new)
    rows = paired_rows(scored_rows(base), scored_rows(new))
    columns = [column for column in before.columns if has_clip_scores(rows, column)]
    found = tuple(each for column in columns if (each := clip_difference(rows, column)).n)
    if not found:
        raise BenchError(f"{base} and {new} have no scored clip in common")
    return Comparison(before, after, found)


def load_comparable(base: Path, new: Path) -> tuple[Results, Results]:
    """Read the results of two runs whose numbers may stand side by side.

    Raises:
        BenchError: they are of different splits, judges, profiles or suite versions.
    """
    before, after = load_results(base), load_results(new)
    for what in COMMON:
        ours, theirs = getattr(before, what), getattr(after, what)
        if ours != theirs:
            raise BenchError(f"{base} and {new} cannot be compared: {what} {ours!r} and {theirs!r}")
    return before, after


def scored_rows(directory: Path) -> pd.DataFrame:
    """Return the scores of a run, clip by clip.

    Raises:
        RunError: there are none, or they do not say which clips depend on one another.
    """
    rows = load_rows(directory)
    if "cluster" not in rows:
        raise RunError(f"{directory}/scores.parquet is of an earlier version: run it again")
    return rows


def paired_rows(base: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return one row per clip that is in both ``scored_rows``, sorted by name.

    Columns are ``clip``, ``cluster`` (the clips of one cluster depend on one another), and each
    one with the suffix ``_base`` or ``_new``.
    """
    rows = base.merge(new, on="clip", suffixes=("_base", "_new")).sort_values("clip")
    return rows.assign(cluster=rows["cluster_base"])


def has_clip_scores(rows: pd.DataFrame, column: Column) -> bool:
    """Whether both runs scored this column clip by clip, not as a whole set."""
    return {f"{column.name}_base", f"{column.name}_new"} <= set(rows.columns)


def clip_difference(rows: pd.DataFrame, column: Column) -> Difference:
    """The mean difference of one column over ``paired_rows``; ``n`` may be 0."""
    both = rows.dropna(subset=[f"{column.name}_base", f"{column.name}_new"])
    base, new = both[f"{column.name}_base"], both[f"{column.name}_new"]
    found = clustered_mean((new - base).to_numpy(), both["cluster"].tolist())
    return Difference(column, float(base.mean()), found)


def set_difference(
    base: Path, new: Path, about: Results, rows: pd.DataFrame, column: Column
) -> Difference:
    """The difference of one column of the whole set over the clips of ``paired_rows``.

    Raises:
        BenchError: as ``set_estimates``, or the clips are too few for a difference or its error.
    """
    (metric,) = select(about.profile, [column.name])
    before, after = set_estimates(base, new, about, metric, rows["clip"].tolist())
    change = after.minus(before)
    if change.true is None or change.generated is None:
        raise BenchError(change.reason)
    parts = change.true + change.generated
    found = clustered_sum(change.value, parts, rows["cluster"].tolist())
    return Difference(column, before.value, found)
