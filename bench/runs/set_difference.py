"""The paired difference of a metric of the whole set, from the features that two runs left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.errors import BenchError
from bench.files import stable_seed
from bench.judges import Judge, open_judge
from bench.metrics.arrays import IntArray
from bench.metrics.jackknife import group_jackknife
from bench.results import Column, Results
from bench.runs.compare import Difference
from bench.runs.run_features import run_sides
from bench.suite import SUITE_VERSION, Metric, select

#: The value of a set metric of one run over the clips at some places.
OfClips = Callable[[IntArray], float]


def set_difference(
    base: Path, new: Path, about: Results, column: Column, clusters: Mapping[str, str]
) -> Difference:
    """Return ``new - base`` of one metric of the whole set over some clips.

    ``clusters`` names the cluster of each of the clips; ``about`` says by which judge and profile
    both runs were scored.

    Raises:
        BenchError: the features are not there any more, or the clips are too few.
    """
    if about.suite_version != SUITE_VERSION:
        raise BenchError(
            f"scored by suite version {about.suite_version}, this is version {SUITE_VERSION}; "
            "run both again"
        )
    (metric,) = select(about.profile, [column.name])
    judge = open_judge(about.judge.partition(",")[0], about.profile)
    before, after = (_of_run(run, metric, judge, list(clusters)) for run in (base, new))
    generator = np.random.default_rng(stable_seed("jackknife"))
    try:
        found = group_jackknife(
            lambda chosen: after(chosen) - before(chosen), list(clusters.values()), generator
        )
    except ValueError as error:
        raise BenchError(f"{len(clusters)} clips do not suffice: {error}") from error
    if not np.isfinite([found.value, found.standard_error]).all():
        raise BenchError(f"{len(clusters)} clips do not suffice: parts of them have no value")
    return Difference(column, before(np.arange(len(clusters))), found)


def _of_run(run: Path, metric: Metric, judge: Judge, clips: Sequence[str]) -> OfClips:
    true, generated = run_sides(run, metric, judge, clips)

    def value(chosen: IntArray) -> float:
        if metric.score_set is None:
            raise BenchError(f"{metric.name} is no metric of the whole set")
        return metric.score_set((true[i] for i in chosen), (generated[i] for i in chosen)).value

    return value
