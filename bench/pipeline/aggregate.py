"""Rows of scores to the numbers of a table: value, interval, n, and the level of chance.

Clips of one cluster count as one observation everywhere: in intervals of means and of sets, and in
levels of chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.pipeline.roles import Keys, Pair, Role, Scoring
from bench.pipeline.score import score_sides
from bench.pipeline.set_statistics import find_gaussian
from bench.results import Score, mean_score, none_if_nan, score_of
from bench.seeds import stable_seed
from bench.suite import Metric, SideSet
from bench.types import Clip

if TYPE_CHECKING:
    from bench.metrics import SetEstimate

#: Shuffles that the level of chance is averaged over.
N_SHUFFLES = 5

#: What a metric compares with, in words, for clips that do not have it.
SIDES: Mapping[Role, str] = {
    "target": "true audio",
    "reference": "a reference",
    "hits": "annotated hits",
    "picture": "a video",
    "prompt": "a prompt",
    "generated": "a sample",
}

Row = Mapping[str, Any]


def aggregate(
    rows: Sequence[Row],
    metrics: Iterable[Metric],
    chance: Mapping[str, float | None] | None = None,
) -> dict[str, Score]:
    """Return each metric's mean over scored clips, with its 95 % interval and level of chance.

    Rows name their ``clip`` and ``cluster``.
    """
    levels, clusters = chance or {}, [row["cluster"] for row in rows]
    return {
        metric.name: mean_score(
            metric.name, [row.get(metric.name) for row in rows], clusters, levels.get(metric.name)
        )
        for metric in metrics
        if metric.score is not None
    }


def set_scores(scored: Sequence[tuple[Pair, Keys]], scoring: Scoring) -> dict[str, Score]:
    """The metrics of the whole set with their intervals, over the same clips as all others.

    None, with the reason, where there are fewer than two.
    """
    of_sets = [metric for metric in scoring.metrics if metric.score_set is not None]
    found: dict[str, Score] = {}
    # All columns of one network before those of the next: they share what is read and computed of
    # its features, and one network's features at a time are in memory.
    for _, alike in groupby(sorted(of_sets, key=_inputs_of), key=_inputs_of):
        found |= _score_alike(list(alike), scored, scoring)
    return {metric.name: found[metric.name] for metric in of_sets}


def _inputs_of(metric: Metric) -> tuple[Any, ...]:
    """What a metric of sets reads, and of which clips."""
    true_reads = metric.reads_of(metric.against)
    return metric.against, metric.reads, true_reads, metric.shortest_s, metric.longest_s


def _score_alike(
    metrics: Sequence[Metric], scored: Sequence[tuple[Pair, Keys]], scoring: Scoring
) -> dict[str, Score]:
    """Score the metrics of sets that have the same inputs."""
    first = metrics[0]
    suited = [(pair, keys) for pair, keys in scored if first.accepts_length(pair.clip.seconds)]
    if len(suited) < 2:
        return {each.name: _too_few(each, scored, len(suited)) for each in metrics}
    sides = [sides_of(role, first, suited, scoring) for role in (first.against, "generated")]
    clusters = [cluster_of(pair.clip) for pair, _ in suited]
    return {
        each.name: score_of_set(each.score_set(*sides), clusters)
        for each in metrics
        if each.score_set is not None
    }


def _too_few(metric: Metric, scored: Sequence[tuple[Pair, Keys]], n_suited: int) -> Score:
    reason = f"{len(scored)} {'clip' if len(scored) == 1 else 'clips'}: a set needs at least 2"
    if n_suited < len(scored):
        reason = f"{length_reason(metric, scored)}; a set needs at least 2 clips"
    return Score(None, None, None, 0, reason=reason)


def score_of_set(found: SetEstimate, clusters: Sequence[str]) -> Score:
    """Return an estimate of paired sets, whose clips have these clusters, as a score."""
    from bench.metrics import estimate_interval

    if found.reason or found.true is None or found.generated is None:
        return score_without_interval(found, len(clusters))
    interval = estimate_interval(found.value, found.true + found.generated, clusters)
    return replace(score_of(interval), dimensions=found.dimensions)


def score_without_interval(found: SetEstimate, n: int) -> Score:
    """Return an estimate of a set of n clips as a score without an interval, with the reason."""
    value = none_if_nan(found.value)
    return Score(value, None, None, n, dimensions=found.dimensions, reason=found.reason)


def cluster_of(clip: Clip) -> str:
    """Return the cluster of a clip: its own name where it names none."""
    return clip.cluster or clip.name


def with_reasons(
    scores: Mapping[str, Score], scored: Sequence[tuple[Pair, Keys]], metrics: Iterable[Metric]
) -> dict[str, Score]:
    """Return the same scores; those without a value state the reason."""
    return {
        metric.name: replace(scores[metric.name], reason=_unscored_reason(metric, scored))
        if scores[metric.name].value is None and metric.score is not None
        else scores[metric.name]
        for metric in metrics
    }


def _unscored_reason(metric: Metric, scored: Sequence[tuple[Pair, Keys]]) -> str:
    """Why none of the clips has a value."""
    if not scored:
        return "no clip was scored"
    suited = [(pair, keys) for pair, keys in scored if metric.accepts_length(pair.clip.seconds)]
    if not suited:
        return length_reason(metric, scored)
    role = metric.against
    # Annotated hits are in the clip itself; the other sides are files, whose features have keys.
    if not any("hits" in p.clip.truth if role == "hits" else role in keys for p, keys in suited):
        return f"no clip has {SIDES[metric.against]}"
    undefined_for = metric.undefined_for or "these clips"
    return f"not defined for any of {len(suited)} clips ({undefined_for})"


def length_reason(metric: Metric, scored: Sequence[tuple[Pair, Keys]]) -> str:
    """Return which lengths the clips have that the metric does not take."""
    lengths = [
        pair.clip.seconds for pair, _ in scored if not metric.accepts_length(pair.clip.seconds)
    ]
    shortest, longest = f"{min(lengths):g}", f"{max(lengths):g}"
    found = shortest if shortest == longest else f"{shortest} to {longest}"
    return f"samples of {found} s: {metric.label} takes {metric.accepted_lengths}"


def sides_of(
    role: Role, metric: Metric, scored: Iterable[tuple[Pair, Keys]], scoring: Scoring
) -> SideSet:
    """Return the features that a metric reads of one role, to be read clip after clip."""
    names = metric.reads_of(role)
    loaded = (scoring.load(role, pair.clip, keys, names) for pair, keys in scored)
    sides = (side for side in loaded if side is not None)
    # Every system has samples of its own, whose statistics nothing would read again.
    return SideSet(sides) if role == "generated" else SideSet(sides, find_gaussian)


def onset_notes(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return notes on clips without onsets, whose onset scores mean little."""
    silent_truth = sum(row.get("true_onsets") == 0 for row in rows)
    silent_sample = sum(row.get("generated_onsets") == 0 for row in rows)
    counts = ((silent_truth, "clips have no true onset"), (silent_sample, "samples have no onset"))
    return tuple(f"{count} of {len(rows)} {what}" for count, what in counts if count)


def groups_of(names: Iterable[str]) -> list[str]:
    """Return the names of the groups of clips (the references of Table 7), in order."""
    return sorted({name for name in names if name})


def chance_levels(scored: Sequence[tuple[Pair, Keys]], scoring: Scoring) -> dict[str, float | None]:
    """Return the value of each metric with a chance level for samples of other clips.

    Samples that have nothing to do with their clip reach onset scores far from 0, so a value means
    nothing without this one beside it. Mean over ``N_SHUFFLES`` seeded shuffles, over those pairs
    that share neither their truth nor their cluster; None where there is no such pair.
    """
    from bench.metrics import derangements

    wanted = [metric for metric in scoring.metrics if metric.has_chance]
    if len(scored) < 2 or not wanted:
        return {metric.name: None for metric in wanted}
    generator = np.random.default_rng(stable_seed("chance", len(scored)))
    shuffles = derangements(len(scored), generator, N_SHUFFLES)
    # Several clips may share a target, and a sample scored against its own truth is no chance.
    truths = [pair.clip.audio for pair, _ in scored]
    clusters = [cluster_of(pair.clip) for pair, _ in scored]
    mixed = [
        (i, int(j))
        for shuffle in shuffles
        for i, j in enumerate(shuffle)
        if truths[i] != truths[j] and clusters[i] != clusters[j]
    ]
    found: dict[str, float | None] = {}
    for _, alike in groupby(sorted(wanted, key=_inputs_of), key=_inputs_of):
        found |= _chance(list(alike), scored, mixed, scoring)
    return {metric.name: found[metric.name] for metric in wanted}


def _chance(
    metrics: Sequence[Metric],
    scored: Sequence[tuple[Pair, Keys]],
    mixed: Sequence[tuple[int, int]],
    scoring: Scoring,
) -> dict[str, float | None]:
    """Return the means over mixed pairs of the metrics that read the same features."""
    first = metrics[0]
    # Features are loaded once for all pairs and columns.
    true, generated = (
        [scoring.load(role, pair.clip, keys, first.reads_of(role)) for pair, keys in scored]
        for role in (first.against, "generated")
    )
    # Pair by pair and not column by column: columns of onsets share the match of a pair.
    values = np.array(
        [[score_sides(each, true[i], generated[j]) for each in metrics] for i, j in mixed]
    ).reshape(len(mixed), len(metrics))
    levels = {}
    for metric, column in zip(metrics, values.T, strict=True):
        finite = column[~np.isnan(column)]
        levels[metric.name] = float(np.mean(finite)) if len(finite) else None
    return levels
