"""Rows of scores to the numbers of a table: value, interval, n, and the level of chance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bench.files import stable_seed
from bench.judges import extractors
from bench.results import Score
from bench.runs.score import Keys, Pair, Stores, load_side, score_sides
from bench.suite import Metric

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
    return {metric.name: _mean(rows, metric.name, levels.get(metric.name)) for metric in metrics}


def _mean(rows: Sequence[Row], name: str, chance: float | None) -> Score:
    from bench.metrics import bootstrap_interval

    values = np.array([_number(row.get(name)) for row in rows], dtype=np.float64)
    generator = np.random.default_rng(stable_seed("bootstrap", name))
    found = bootstrap_interval(values, generator)
    bounds = (_none_if_nan(found.value), _none_if_nan(found.low), _none_if_nan(found.high))
    return Score(*bounds, n=found.n, chance=chance)


def onset_notes(rows: Sequence[Row]) -> tuple[str, ...]:
    """How many clips touch the edges of the onset rules, where a score says little."""
    silent_truth = sum(row.get("true_onsets") == 0 for row in rows)
    silent_sample = sum(row.get("generated_onsets") == 0 for row in rows)
    counts = ((silent_truth, "clips have no true onset"), (silent_sample, "samples have no onset"))
    return tuple(f"{count} of {len(rows)} {what}" for count, what in counts if count)


def by_group(rows: Sequence[Row], metrics: Sequence[Metric]) -> dict[str, dict[str, Score]]:
    """The same numbers for each group of clips (the references of Table 7), if there are any."""
    names = sorted({row["group"] for row in rows if row.get("group")})
    return {
        name: aggregate([row for row in rows if row.get("group") == name], metrics)
        for name in names
    }


def chance_levels(
    scored: Sequence[tuple[Pair, Keys]], metrics: Iterable[Metric], stores: Stores
) -> dict[str, float | None]:
    """What each metric with a chance level says when every sample meets another clip's truth.

    Samples that have nothing to do with their clip reach onset scores far from 0, so a value means
    nothing without this one beside it. Mean over ``N_SHUFFLES`` seeded shuffles that never meet
    their own truth; None where there are fewer than two clips.
    """
    from bench.metrics import derangements

    wanted = [metric for metric in metrics if metric.has_chance]
    if len(scored) < 2 or not wanted:
        return {metric.name: None for metric in wanted}
    generator = np.random.default_rng(stable_seed("chance", len(scored)))
    shuffles = list(derangements(len(scored), generator, N_SHUFFLES))
    return {metric.name: _chance(scored, metric, shuffles, stores) for metric in wanted}


def _chance(
    scored: Sequence[tuple[Pair, Keys]],
    metric: Metric,
    shuffles: Sequence[Sequence[int]],
    stores: Stores,
) -> float | None:
    reads = extractors(metric.reads)
    true = [load_side(metric.against, pair.clip, keys, reads, stores) for pair, keys in scored]
    generated = [load_side("generated", pair.clip, keys, reads, stores) for pair, keys in scored]
    truths = [keys.get("target") for _, keys in scored]  # several clips may share a target
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


def _none_if_nan(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
