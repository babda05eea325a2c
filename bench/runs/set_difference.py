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
from bench.runs.contrast import ScoreSet, _keys, _sides
from bench.suite import SUITE_VERSION, Metric, Side, select

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
    if metric.score_set is None:
        raise BenchError(f"{column.name} has no score of some of the clips")
    judge = open_judge(about.judge.partition(",")[0], about.profile)
    before, after = (
        _of_run(run, metric, metric.score_set, judge, list(clusters)) for run in (base, new)
    )
    generator = np.random.default_rng(stable_seed("jackknife"))
    try:
        found = group_jackknife(
            lambda chosen: after(chosen) - before(chosen), list(clusters.values()), generator
        )
        return Difference(column, before(np.arange(len(clusters))), found)
    except ValueError as error:
        raise BenchError(f"{len(clusters)} clips do not suffice: {error}") from error


def _of_run(
    run: Path, metric: Metric, score_set: ScoreSet, judge: Judge, clips: Sequence[str]
) -> OfClips:
    true, generated = run_sides(run, metric, judge, clips)
    return lambda chosen: score_set((true[i] for i in chosen), (generated[i] for i in chosen))


def run_sides(
    run: Path, metric: Metric, judge: Judge, clips: Sequence[str]
) -> tuple[list[Side], list[Side]]:
    """Return the true and the generated side of each of these clips of a finished run.

    Raises:
        BenchError: the run does not say where the features of a clip lie, or they are gone.
    """
    keys = _keys(run, judge, "")
    if lost := [clip for clip in clips if clip not in keys]:
        raise BenchError(f"{run} does not say where the features of {lost[0]} lie; run it again")
    return _sides(run, metric, judge, [keys[clip] for clip in clips])
