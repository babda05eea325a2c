"""One metric of two finished runs, clip by clip or set against set, with intervals.

Both runs hold the same clips, so differences and ratios are paired: clip by clip in a mean, and by
what each clip contributes in a metric of a whole set. Clips of one cluster count as one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import BenchError
from bench.metrics import (
    mean_interval,
    paired_difference,
    paired_ratio,
)
from bench.pipeline.aggregate import score_of, score_of_set
from bench.pipeline.compare import load_comparable, paired_rows, scored_rows
from bench.pipeline.run_features import set_estimates
from bench.results import Column, Contrast, Results
from bench.seeds import stable_seed
from bench.suite import Metric, select

if TYPE_CHECKING:
    import pandas as pd


def contrast_runs(base: Path, new: Path, name: str, group: str = "") -> Contrast:
    """Compare one metric of two finished runs on the clips that both scored.

    With ``group``, on the clips of that group alone. Metrics of a whole set are computed again, of
    the features that the runs left.

    Raises:
        BenchError: the runs are of different splits, judges, profiles or suite versions, lack the
            metric, or share fewer than two clips.
    """
    before, after = load_comparable(base, new)
    for directory, each in ((base, before), (new, after)):
        if name not in each.metrics:
            raise BenchError(f"{directory} has no {name}; run it again with all its columns")
    (metric,) = select(before.profile, [name])
    rows = paired_rows(scored_rows(base), scored_rows(new))
    if group:
        rows = rows[rows["group_base"] == group]
    if metric.score_set is None:
        rows = rows.dropna(subset=[f"{name}_base", f"{name}_new"])
    if len(rows) < 2:
        raise BenchError(
            f"{base} and {new} have {len(rows)} scored clips in common, expected at least 2"
        )
    if metric.score_set is None:
        return _of_clips(rows, metric)
    return _of_sets(base, new, before, rows, metric)


def _of_clips(rows: pd.DataFrame, metric: Metric) -> Contrast:
    first, second = (rows[f"{metric.name}_{run}"].to_numpy() for run in ("base", "new"))
    clusters = rows["cluster"].tolist()
    bootstrap, paired = (("bootstrap", metric.name), ("paired", metric.name))
    return Contrast(
        Column.of(metric),
        score_of(mean_interval(first, clusters, _generator(*bootstrap))),
        score_of(mean_interval(second, clusters, _generator(*bootstrap))),
        score_of(paired_difference(first, second, clusters, _generator(*paired))),
        score_of(paired_ratio(first, second, clusters, _generator(*paired))),
    )


def _of_sets(base: Path, new: Path, about: Results, rows: pd.DataFrame, metric: Metric) -> Contrast:
    first, second = set_estimates(base, new, about, metric, rows["clip"].tolist())
    estimates = (first, second, second.minus(first), second.over(first))
    clusters = rows["cluster"].tolist()
    return Contrast(Column.of(metric), *(score_of_set(each, clusters) for each in estimates))


def _generator(*words: str) -> np.random.Generator:
    return np.random.default_rng(stable_seed(*words))
