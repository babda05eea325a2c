"""The third stage: the features of a clip to one row of scores."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from bench.engine import Engine, Outcome
from bench.errors import BenchError
from bench.pipeline.roles import ROLES, Keys, Pair, Role, Scoring
from bench.suite import Metric, Side

#: Whose onsets are counted beside the scores, for the reader of a row.
COUNTED: Mapping[str, Role] = {"true": "target", "generated": "generated"}


def score_pairs(
    scored: Sequence[tuple[Pair, Keys]], scoring: Scoring, engine: Engine
) -> Iterator[Outcome[tuple[Pair, Keys], dict[str, Any]]]:
    """Compute each pair's row: ``scores`` (None: not scored) and ``seconds_spent``."""
    return engine.map(partial(_open_scoring, scoring), scored)


def _open_scoring(scoring: Scoring) -> Callable[[tuple[Pair, Keys]], dict[str, Any]]:
    def work(item: tuple[Pair, Keys]) -> dict[str, Any]:
        started = time.perf_counter()
        pair, keys = item
        suited = scoring.suited(pair.clip.seconds)
        reads = {role: [each.name for each in suited.extractors(role)] for role in ROLES}
        sides = {role: scoring.load(role, pair.clip, keys, reads[role]) for role in ROLES}
        scores: dict[str, float | None] = {
            metric.name: None for metric in scoring.metrics if metric.score is not None
        }
        for metric in suited.metrics:
            if metric.score is not None:
                value = score_sides(metric, sides[metric.against], sides["generated"])
                scores[metric.name] = _none_or_finite(value)
        counts = {f"{role}_onsets": _onset_count(sides[side]) for role, side in COUNTED.items()}
        return {"scores": scores | counts, "seconds_spent": round(time.perf_counter() - started, 4)}

    return work


def score_sides(metric: Metric, true: Side | None, generated: Side | None) -> float:
    """Return the metric's value; NaN, "not scored", where the clip has no such side."""
    if metric.score is None or true is None or generated is None:
        return math.nan
    return metric.score(true, generated)


def _onset_count(side: Side | None) -> int | None:
    return len(side["onset"]["positions"]) if side and "onset" in side else None


def _none_or_finite(value: float) -> float | None:
    """None for NaN, which means "not scored"; an infinite value is a defect of the metric."""
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise BenchError("a metric came out infinite")
    return value
