"""The third stage: the features of a clip to one row of scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from bench.engine import Engine, Outcome, WorkerSettings
from bench.errors import BenchError
from bench.pipeline.roles import ROLES, Keys, Pair, Role, Scoring
from bench.suite import Metric, Side

#: One row: the value of each metric (None: not scored), and counts of onsets.
Scores = Mapping[str, float | int | None]

DEFAULT_SETTINGS = WorkerSettings()

#: Whose onsets are counted beside the scores, for the reader of a row.
COUNTED: Mapping[str, Role] = {"true": "target", "generated": "generated"}


def score_pairs(
    scored: Iterable[tuple[Pair, Keys]],
    scoring: Scoring,
    engine: Engine,
    settings: WorkerSettings = DEFAULT_SETTINGS,
) -> Iterator[Outcome[tuple[Pair, Keys], Scores]]:
    """Compute each pair's row of scores."""
    return engine.map(partial(_open_scoring, scoring), scored, settings)


def _open_scoring(scoring: Scoring) -> Callable[[tuple[Pair, Keys]], Scores]:
    def work(item: tuple[Pair, Keys]) -> Scores:
        pair, keys = item
        # A column that takes no clip of this length has None all the same: every row has the same
        # columns, and the reason is found from the lengths later.
        suited = scoring.suited(pair.clip.seconds)
        reads = {role: [each.name for each in suited.extractors(role)] for role in ROLES}
        sides = {role: scoring.load(role, pair.clip, keys, reads[role]) for role in ROLES}
        scores: dict[str, float | int | None] = {
            metric.name: None for metric in scoring.metrics if metric.score is not None
        }
        for metric in suited.metrics:
            if metric.score is not None:
                value = score_sides(metric, sides[metric.against], sides["generated"])
                scores[metric.name] = _none_or_finite(value)
        for name, role in COUNTED.items():
            side = sides[role]
            counted = len(side["onset"]["positions"]) if side and "onset" in side else None
            scores[f"{name}_onsets"] = counted
        return scores

    return work


def score_sides(metric: Metric, true: Side | None, generated: Side | None) -> float:
    """Return the metric's value; NaN, "not scored", where the clip has no such side."""
    if metric.score is None or true is None or generated is None:
        return math.nan
    return metric.score(true, generated)


def _none_or_finite(value: float) -> float | None:
    """None for NaN, which means "not scored"; an infinite value is a defect of the metric."""
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise BenchError("a metric came out infinite")
    return value
