"""One metric of two finished runs, clip by clip or set against set, with intervals.

Both runs hold the same clips, so differences and ratios are paired: clip by clip in a mean, and by
what each clip contributes in a metric of a whole set. Clips of one cluster count as one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import BenchError, RunError
from bench.files import stable_seed
from bench.judges import open_judge
from bench.metrics import (
    SetEstimate,
    mean_interval,
    paired_difference,
    paired_ratio,
)
from bench.results import Column, Contrast, Results, load_results, load_rows
from bench.runs.aggregate import score_of, score_of_set
from bench.runs.compare import COMMON
from bench.runs.run_features import run_sides
from bench.suite import Metric, Side, select

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
    before, after = load_results(base), load_results(new)
    for what in COMMON:
        ours, theirs = getattr(before, what), getattr(after, what)
        if ours != theirs:
            raise BenchError(f"{base} and {new} cannot be compared: {what} {ours!r} and {theirs!r}")
    for directory, each in ((base, before), (new, after)):
        if name not in each.metrics:
            raise BenchError(f"{directory} has no {name}; run it again with all its columns")
    (metric,) = select(before.profile, [name])
    if metric.score_set is None:
        return _of_clips(base, new, metric, group)
    return _of_sets(base, new, metric, before, group)


def _of_clips(base: Path, new: Path, metric: Metric, group: str) -> Contrast:
    name = metric.name
    before, after = _rows(base), _rows(new)
    rows = before.merge(after, on="clip", suffixes=("_base", "_new"))
    if group:
        rows = rows[rows["group_base"] == group]
    both = rows[[f"{name}_base", f"{name}_new", "cluster_base"]].dropna()
    _check_count(len(both), base, new)
    first, second = both[f"{name}_base"].to_numpy(), both[f"{name}_new"].to_numpy()
    clusters = both["cluster_base"].tolist()
    return Contrast(
        Column.of(metric),
        score_of(mean_interval(first, clusters, _generator("bootstrap", name))),
        score_of(mean_interval(second, clusters, _generator("bootstrap", name))),
        score_of(paired_difference(first, second, clusters, _generator("paired", name))),
        score_of(paired_ratio(first, second, clusters, _generator("paired", name))),
    )


def _of_sets(base: Path, new: Path, metric: Metric, about: Results, group: str) -> Contrast:
    judge = open_judge(about.judge.partition(",")[0], about.profile)
    clusters, others = (_clusters(directory, group) for directory in (base, new))
    clips = sorted(clusters.keys() & others.keys())
    _check_count(len(clips), base, new)
    first, second = (_estimate(run_sides(run, metric, judge, clips), metric) for run in (base, new))
    names = [clusters[clip] for clip in clips]
    estimates = (first, second, second.minus(first), second.over(first))
    return Contrast(Column.of(metric), *(score_of_set(each, names) for each in estimates))


def _clusters(directory: Path, group: str) -> dict[str, str]:
    """The cluster of every scored clip, of a group or of all."""
    rows = _rows(directory)
    chosen = rows[rows["group"] == group] if group else rows
    return dict(zip(chosen["clip"], chosen["cluster"], strict=True))


def _rows(directory: Path) -> pd.DataFrame:
    """The scores of a run, clip by clip.

    Raises:
        RunError: they do not say which clips depend on one another.
    """
    rows = load_rows(directory)
    if "cluster" not in rows:
        raise RunError(f"{directory}/scores.parquet is of an earlier version: run it again")
    return rows


def _estimate(sides: tuple[list[Side], list[Side]], metric: Metric) -> SetEstimate:
    if metric.score_set is None:
        raise ValueError(f"{metric.name} is no metric of a whole set")
    return metric.score_set(*sides)


def _generator(*words: str) -> np.random.Generator:
    return np.random.default_rng(stable_seed(*words))


def _check_count(n: int, base: Path, new: Path) -> None:
    if n < 2:
        raise BenchError(f"{base} and {new} have {n} scored clips in common, expected at least 2")
