"""Two finished runs on the clips that both scored: differences, contrasts, and their intervals.

``bench compare`` reads a ``Difference``, whose t-interval and standard error its gate tests;
``bench effects`` reads a ``Contrast``, which also has the ratio of the two runs, with intervals
computed like those of the tables. Both are paired: clip by clip in a mean, and by what each
clip contributes in a metric of a whole set. Clips of one cluster count as one observation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from bench.errors import BenchError, RunError
from bench.judges import JUDGES, Judge, open_judge
from bench.metrics import SetEstimate, mean_interval, paired_difference, paired_ratio
from bench.metrics.clusters import ClusteredMean, clustered_mean, clustered_sum
from bench.pipeline.aggregate import score_of_set
from bench.pipeline.journal import Journal, row_kind
from bench.pipeline.roles import Keys, Role, Scoring, feature_key
from bench.pipeline.set_statistics import find_gaussian
from bench.results import (
    Column,
    Contrast,
    Results,
    describe_mismatch,
    load_results,
    load_rows,
    score_of,
)
from bench.seeds import stable_seed
from bench.suite import SUITE_VERSION, Metric, Side, SideSet, select

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["better", "worse", "no clear difference"]

LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """``new - base`` of one metric over the clips that both scored.

    ``estimate`` is its value with standard error and degrees of freedom, which are NaN where there
    are too few clusters of clips; ``base`` is the value of the base run over the same clips.
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
        """The lower end of the 95 % interval; NaN where there is none."""
        return self.value - self._half_width()

    @property
    def high(self) -> float:
        """The upper end of the 95 % interval; NaN where there is none."""
        return self.value + self._half_width()

    @property
    def verdict(self) -> Verdict:
        """Better or worse where the 95 % interval excludes zero."""
        # NaN, where there is no interval, compares as False: no interval, no verdict.
        if self.low > 0 or self.high < 0:
            return "worse" if self.loss > 0 else "better"
        return "no clear difference"

    def _half_width(self) -> float:
        # The quantile of Student's t; ``scipy.stats`` has it too and takes longer to import.
        from scipy.special import stdtrit

        if math.isnan(self.estimate.standard_error):
            return math.nan
        return float(stdtrit(self.estimate.degrees, (1 + LEVEL) / 2)) * self.estimate.standard_error


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two comparable runs, with the names of the clips that each scored.

    ``rows`` are the clips that both scored (``paired_rows``).
    """

    base_directory: Path
    new_directory: Path
    base: Results
    new: Results
    base_clips: frozenset[str]
    new_clips: frozenset[str]
    rows: pd.DataFrame

    @property
    def columns(self) -> dict[str, Column]:
        """The columns of either run by name, in the order of the suite."""
        return {each.name: each for each in (*self.base.columns, *self.new.columns)}

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The difference of every column that both runs scored clip by clip."""
        found = (self.difference(each) for each in self.base.columns if self.has_clip_scores(each))
        return tuple(each for each in found if each.n)

    def describe_missing(self, name: str) -> str:
        """Why this column has no difference; "" where both runs have a value."""
        runs = ((self.base_directory, self.base), (self.new_directory, self.new))
        for directory, results in runs:
            if name not in results.metrics:
                return f"{directory} has no {name}; run it again with this column"
            if results.metrics[name].value is None:
                return f"{directory} has no clip that {name} could be scored on"
        return ""

    def has_clip_scores(self, column: Column) -> bool:
        """Whether both runs scored this column clip by clip, not as a whole set."""
        return {f"{column.name}_base", f"{column.name}_new"} <= set(self.rows.columns)

    def count_scored_once(self, name: str) -> tuple[int, int]:
        """How many clips have this column's score in only one run, and how many in either."""
        base, new = (self.rows[f"{name}_{run}"].notna() for run in ("base", "new"))
        return int((base != new).sum()), int((base | new).sum())

    def difference(self, column: Column) -> Difference:
        """Return the paired difference of one column; ``n`` may be 0 for a mean over clips.

        Raises:
            BenchError: a metric of the whole set cannot be computed again, or the clips are too few
                for its error.
        """
        if not self.has_clip_scores(column):
            return self._set_difference(column)
        # Clips that one run alone scored have no difference; a mean of each run over its own clips
        # would compare other clips.
        both = self.rows.dropna(subset=[f"{column.name}_base", f"{column.name}_new"])
        base, new = both[f"{column.name}_base"], both[f"{column.name}_new"]
        found = clustered_mean((new - base).to_numpy(), both["cluster"].tolist())
        return Difference(column, float(base.mean()), found)

    def _set_difference(self, column: Column) -> Difference:
        (metric,) = select(self.base.profile, [column.name])
        before, after = self._estimate_sets(metric, self.rows)
        # Clip by clip: both distances share the true side and much of their bias, and what the
        # contributions of a clip have in common cancels before any variance is taken.
        change = after.minus(before)
        if change.true is None or change.generated is None:
            raise BenchError(change.reason)
        parts = change.true + change.generated
        found = clustered_sum(change.value, parts, self.rows["cluster"].tolist())
        return Difference(column, before.value, found)

    def contrast(self, name: str, group: str = "") -> Contrast:
        """Return both values of one metric, their difference and their ratio, with intervals.

        With ``group``, on the clips of that group alone. Metrics of a whole set are computed again
        from the features that the runs stored.

        Raises:
            BenchError: a run has no such column, or the runs share fewer than two clips.
        """
        for directory, each in (
            (self.base_directory, self.base),
            (self.new_directory, self.new),
        ):
            if name not in each.metrics:
                raise BenchError(f"{directory} has no {name}; run it again with all its columns")
        (metric,) = select(self.base.profile, [name])
        rows = self.rows[self.rows["group_base"] == group] if group else self.rows
        if metric.score_set is None:
            rows = rows.dropna(subset=[f"{name}_base", f"{name}_new"])
        if len(rows) < 2:
            raise BenchError(
                f"{self.base_directory} and {self.new_directory} have {len(rows)} scored clips in "
                "common, expected at least 2"
            )
        clusters = rows["cluster"].tolist()
        if metric.score_set is None:
            base, new = (rows[f"{name}_{run}"].to_numpy() for run in ("base", "new"))
            return _contrast_means(Column.of(metric), base, new, clusters)
        first, second = self._estimate_sets(metric, rows)
        estimates = (first, second, second.minus(first), second.over(first))
        return Contrast(Column.of(metric), *(score_of_set(each, clusters) for each in estimates))

    def _estimate_sets(self, metric: Metric, rows: pd.DataFrame) -> tuple[SetEstimate, SetEstimate]:
        """Compute a metric of the whole set again for both runs, over the clips of these rows.

        Raises:
            BenchError: the runs are of another suite version, or the features are not stored any
                more.
        """
        if metric.score_set is None:
            raise ValueError(f"{metric.name} is not a metric of the whole set")
        # Features of another version may be others, and both runs have the same: it was compared.
        if self.base.suite_version != SUITE_VERSION:
            raise BenchError(
                f"scored by suite version {self.base.suite_version}, this is version "
                f"{SUITE_VERSION}; run both again"
            )
        judge, clips = _find_judge(self.base), rows["clip"].tolist()
        estimates = []
        for run in (self.base_directory, self.new_directory):
            true, made = run_sides(run, metric, judge, clips)
            # Both runs have the same true side: the second one finds its statistics.
            estimates.append(metric.score_set(SideSet(true, find_gaussian), made))
        return estimates[0], estimates[1]


def compare_runs(base: Path, new: Path) -> Comparison:
    """Read two finished runs and pair the clips that both scored.

    Raises:
        BenchError: they are of different splits, judges, profiles, suite or protocol versions, or
            their rows do not name clusters.
    """
    before, after = load_results(base), load_results(new)
    if mismatch := describe_mismatch(before, after):
        raise BenchError(f"{base} and {new} cannot be compared: {mismatch}")
    first, second = scored_rows(base), scored_rows(new)
    clips = frozenset(first["clip"]), frozenset(second["clip"])
    return Comparison(base, new, before, after, *clips, paired_rows(first, second))


def scored_rows(directory: Path) -> pd.DataFrame:
    """Return the scores of a run, clip by clip.

    Raises:
        RunError: it has no scores, or they do not name the clusters of clips.
    """
    rows = load_rows(directory)
    if "cluster" not in rows:
        raise RunError(f"{directory}/scores.parquet is of an earlier version: run it again")
    return rows


def paired_rows(base: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return one row per clip that is in both ``scored_rows``, sorted by name.

    Columns are ``clip``, ``cluster`` (the clips of one cluster depend on one another), and every
    other column twice, with the suffixes ``_base`` and ``_new``.
    """
    # Sorted, since a bootstrap draws rows by index: runs whose clips were done in another order
    # have the same intervals.
    rows = base.merge(new, on="clip", suffixes=("_base", "_new")).sort_values("clip")
    return rows.assign(cluster=rows["cluster_base"])


def _contrast_means(
    column: Column,
    base: np.ndarray,
    new: np.ndarray,
    clusters: Sequence[str],
) -> Contrast:
    # Seeded by the column's name as in the tables, so that both print the same interval; the two
    # paired statistics share one seed too, and so draw the same clips.
    def generator(kind: str) -> np.random.Generator:
        return np.random.default_rng(stable_seed(kind, column.name))

    return Contrast(
        column,
        score_of(mean_interval(base, clusters, generator("bootstrap"))),
        score_of(mean_interval(new, clusters, generator("bootstrap"))),
        score_of(paired_difference(base, new, clusters, generator("paired"))),
        score_of(paired_ratio(base, new, clusters, generator("paired"))),
    )


def _find_judge(about: Results) -> Judge:
    """The judge that scored a run, as it is installed here.

    The name of a judge also states whether its MCD is approximate, so it is found by comparing.
    """
    for name in JUDGES:
        judge = open_judge(name, about.profile)
        if judge.name == about.judge:
            return judge
    raise BenchError(
        f"scored by the judge {about.judge!r}, which is not installed here: run both again"
    )


def find_run_folder(results: Path) -> Path:
    """Return the folder with samples and journal of the run whose scores are in ``results``.

    Scores of a part of the split, or of another judge or profile, are in folders below it.
    """
    # At most two levels: a part of the clips, below another judge or profile.
    folders = (results, *results.absolute().parents[:2])
    return next((each for each in folders if (each / "journal.jsonl").is_file()), results)


def run_sides(
    run: Path, metric: Metric, judge: Judge, clips: Sequence[str]
) -> tuple[list[Side], list[Side]]:
    """Return the true and the generated side of each of these clips of a finished run.

    Raises:
        BenchError: the journal of the run has no row of a clip, or its features are deleted.
    """
    home = find_run_folder(run)
    journal, kind = Journal(home / "journal.jsonl"), row_kind(judge.name, judge.profile)
    # Whatever they were made from: the scores of the run came from these features.
    entries = {clip: journal.latest(kind, clip) for clip in clips}
    if lost := [clip for clip, entry in entries.items() if entry is None]:
        raise BenchError(f"{run} has no journal entry for the features of {lost[0]}; run it again")
    # Those of the true audio are in the store that all runs share.
    scoring = Scoring((metric,), judge, home if (home / "features").is_dir() else None)
    keys = [entry["keys"] for entry in entries.values() if entry is not None]
    true = [_side(scoring, metric, metric.against, each) for each in keys]
    return true, [_side(scoring, metric, "generated", each) for each in keys]


def _side(scoring: Scoring, metric: Metric, role: Role, keys: Keys) -> Side:
    store, names = scoring.store(role), metric.reads_of(role)
    return {
        each.name: store.load(each, feature_key(each, role, keys))
        for each in scoring.judge.extractors
        if each.name in names
    }
