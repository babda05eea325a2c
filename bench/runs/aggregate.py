"""Rows of scores to the numbers of a table: value, interval, n, and the level of chance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bench.files import stable_seed
from bench.results import Score
from bench.runs.score import Keys, Pair, Role, Scoring, score_sides
from bench.suite import Metric, Side

#: Shuffles that the level of chance is averaged over.
N_SHUFFLES = 5

Row = Mapping[str, Any]


def aggregate(
    rows: Sequence[Row],
    metrics: Iterable[Metric],
    chance: Mapping[str, float | None] | None = None,
) -> dict[str, Score]:
    """Return each metric's mean over scored clips, with its 95 % interval and level of chance.

    The bootstrap is seeded by the metric's name, so equal rows give equal intervals.
    """
    levels = chance or {}
    return {
        metric.name: _mean(rows, metric.name, levels.get(metric.name))
        for metric in metrics
        if metric.score is not None
    }


def set_scores(scored: Sequence[tuple[Pair, Keys]], scoring: Scoring) -> dict[str, Score]:
    """The metrics of the whole set, over the same clips as all others; no interval.

    Embeddings are read one clip after another, so memory does not grow with the clips. None where
    there are fewer than two.
    """
    return {
        metric.name: _of_set(metric, scored, scoring)
        for metric in scoring.metrics
        if metric.score_set is not None
    }


def _of_set(metric: Metric, scored: Sequence[tuple[Pair, Keys]], scoring: Scoring) -> Score:
    scored = [(pair, keys) for pair, keys in scored if metric.suits(pair.clip.seconds)]
    if metric.score_set is None or len(scored) < 2:
        return Score(None, None, None, 0)
    true = sides_of(metric.against, metric, scored, scoring)
    generated = sides_of("generated", metric, scored, scoring)
    return Score(none_if_nan(metric.score_set(true, generated)), None, None, len(scored))


def sides_of(
    role: Role, metric: Metric, scored: Iterable[tuple[Pair, Keys]], scoring: Scoring
) -> Iterator[Side]:
    """The features that a metric reads of one role, clip after clip."""
    names = metric.reads_of(role)
    for pair, keys in scored:
        side = scoring.load(role, pair.clip, keys, names)
        if side is not None:
            yield side


def _mean(rows: Sequence[Row], name: str, chance: float | None) -> Score:
    from bench.metrics import bootstrap_interval

    values = np.array([_number(row.get(name)) for row in rows], dtype=np.float64)
    generator = np.random.default_rng(stable_seed("bootstrap", name))
    found = bootstrap_interval(values, generator)
    bounds = (none_if_nan(found.value), none_if_nan(found.low), none_if_nan(found.high))
    return Score(*bounds, n=found.n, chance=chance)


def onset_notes(rows: Sequence[Row]) -> tuple[str, ...]:
    """How many clips touch the edges of the onset rules, where a score says little."""
    silent_truth = sum(row.get("true_onsets") == 0 for row in rows)
    silent_sample = sum(row.get("generated_onsets") == 0 for row in rows)
    counts = ((silent_truth, "clips have no true onset"), (silent_sample, "samples have no onset"))
    return tuple(f"{count} of {len(rows)} {what}" for count, what in counts if count)


def groups_of(names: Iterable[str]) -> list[str]:
    """The names of the groups that clips belong to (the references of Table 7), in order."""
    return sorted({name for name in names if name})


def chance_levels(scored: Sequence[tuple[Pair, Keys]], scoring: Scoring) -> dict[str, float | None]:
    """What each metric with a chance level says when every sample meets another clip's truth.

    Samples that have nothing to do with their clip reach onset scores far from 0, so a value means
    nothing without this one beside it. Mean over ``N_SHUFFLES`` seeded shuffles that never meet
    their own truth; None where there are fewer than two clips.
    """
    from bench.metrics import derangements

    wanted = [metric for metric in scoring.metrics if metric.has_chance]
    if len(scored) < 2 or not wanted:
        return {metric.name: None for metric in wanted}
    generator = np.random.default_rng(stable_seed("chance", len(scored)))
    shuffles = list(derangements(len(scored), generator, N_SHUFFLES))
    return {metric.name: _chance(scored, metric, shuffles, scoring) for metric in wanted}


def _chance(
    scored: Sequence[tuple[Pair, Keys]],
    metric: Metric,
    shuffles: Sequence[Sequence[int]],
    scoring: Scoring,
) -> float | None:
    reads = metric.reads
    true = [scoring.load(metric.against, pair.clip, keys, reads) for pair, keys in scored]
    generated = [scoring.load("generated", pair.clip, keys, reads) for pair, keys in scored]
    truths = [pair.clip.sound for pair, _ in scored]  # several clips may share a target
    values = [
        score_sides(metric, true[i], generated[j])
        for shuffle in shuffles
        for i, j in enumerate(shuffle)
        if truths[i] != truths[j]
    ]
    finite = [value for value in values if not np.isnan(value)]
    return float(np.mean(finite)) if finite else None


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def none_if_nan(value: float) -> float | None:
    """The value; None, "not scored", for NaN."""
    return None if np.isnan(value) else float(value)
