"""The second and third stage: sounds to features, features to one row of scores per clip.

``bench run`` and ``bench score`` meet here: both come with pairs of a clip and a generated sound.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from bench.engine import Engine, Outcome
from bench.errors import BenchError
from bench.features import (
    Bench,
    FeatureStore,
    checked,
    excerpt_key,
    finite,
    joined,
    joint_key,
    shared_root,
)
from bench.judges import Extractor, Features, Judge, NetworkExtractor, SignalExtractor, Stimulus
from bench.suite import Metric, Side
from bench.types import Clip, Excerpt

#: The parts that a sound, a picture, or an annotation in a sound's place, plays in scoring.
Role = Literal["target", "reference", "hits", "picture", "generated"]
ROLES: tuple[Role, ...] = ("target", "reference", "hits", "picture", "generated")

#: Whose onsets are counted beside the scores, for the reader of a row.
COUNTED: Mapping[str, Role] = {"true": "target", "generated": "generated"}

#: The key of the features of each role.
Keys = Mapping[Role, str]


@dataclass(frozen=True)
class Pair:
    """One clip, and the sound that a system made for it."""

    clip: Clip
    generated: Excerpt


@dataclass(frozen=True)
class Scoring:
    """What is computed, by which judge, and where features lie.

    Features of true sounds and pictures are shared by all runs; those of samples lie with their
    run, or are shared too where there is none.
    """

    metrics: tuple[Metric, ...]
    judge: Judge
    directory: Path | None

    def store(self, role: Role) -> FeatureStore:
        """Where the features of one role lie."""
        if role == "generated" and self.directory is not None:
            return FeatureStore(self.directory / "features")
        return FeatureStore(shared_root(self.judge.name))

    def without_networks(self) -> Scoring:
        """The same with those metrics only that need no checkpoint."""
        light = (each for each in self.metrics if not replace(self, metrics=(each,)).weights())
        return replace(self, metrics=tuple(light))

    def suited(self, seconds: float) -> Scoring:
        """The same with those metrics only that clips of this length can be scored by."""
        return replace(self, metrics=tuple(each for each in self.metrics if each.suits(seconds)))

    def extractors(self, role: Role) -> tuple[Extractor, ...]:
        """What is extracted of one role for these metrics, in an order that can be followed."""
        names: set[str] = set()
        for metric in self.metrics:
            if role == "generated":
                names.update(metric.reads)
            if metric.against == role:
                names.update(metric.reads_of(role))
        if role == "picture":
            seen = self.judge.select(name for metric in self.metrics for name in metric.reads)
            names.update(each.name for each in seen if each.senses == "picture")
        return tuple(each for each in self.judge.extractors if each.name in names)

    def weights(self) -> tuple[str, ...]:
        """The checkpoints that these metrics need, by name."""
        needed = {each.weights for role in ROLES for each in self.extractors(role)}
        return tuple(sorted(needed - {""}))

    def holds(self, clip: Clip, keys: Keys) -> bool:
        """Whether the features are there that are read once all clips are scored.

        Those are the ones of metrics with a level of chance, and of metrics of the whole set.
        """
        late = [m for m in self.metrics if m.has_chance or m.score_set is not None]
        later = replace(self, metrics=tuple(late)).suited(clip.seconds)
        return all(
            later.store(role).has(extractor, _key(extractor, role, keys))
            for role in ROLES
            if role in keys
            for extractor in later.extractors(role)
            if _can_sense(extractor, keys)
        )

    def load(self, role: Role, clip: Clip, keys: Keys, names: Iterable[str]) -> Side | None:
        """The features of these names of one role; None where the clip has no such side."""
        if role == "hits":
            return _annotated(clip) if "hits" in clip.truth else None
        if role not in keys:
            return None
        store, wanted = self.store(role), set(names)
        chosen = [each for each in self.judge.extractors if each.name in wanted]
        return {
            each.name: store.load(each, _key(each, role, keys))
            for each in chosen
            if _can_sense(each, keys)
        }


def _can_sense(extractor: Extractor, keys: Keys) -> bool:
    """Whether the clip has what the extractor hears and sees."""
    return extractor.senses != "both" or "picture" in keys


def _key(extractor: Extractor, role: Role, keys: Keys) -> str:
    if extractor.senses == "both":
        return joint_key(keys[role], keys["picture"])
    return keys[role]


def extract_features(
    pairs: Sequence[Pair], scoring: Scoring, engine: Engine
) -> Iterator[Outcome[Pair, dict[str, Any]]]:
    """Extract what the metrics read; an outcome's value holds ``keys`` and ``seconds_spent``."""
    return engine.map(partial(_open_extraction, scoring), pairs)


def score_pairs(
    scored: Sequence[tuple[Pair, Keys]], scoring: Scoring, engine: Engine
) -> Iterator[Outcome[tuple[Pair, Keys], dict[str, Any]]]:
    """Compute each pair's row: ``scores`` (None: not scored) and ``seconds_spent``."""
    return engine.map(partial(_open_scoring, scoring), scored)


def _open_extraction(scoring: Scoring) -> Callable[[Pair], dict[str, Any]]:
    bench = Bench()

    def work(pair: Pair) -> dict[str, Any]:
        started = time.perf_counter()
        excerpts, suited = _excerpts(pair), scoring.suited(pair.clip.seconds)
        wanted = {role: suited.extractors(role) for role in ROLES}
        needed = [role for role in ROLES if wanted[role] and role in excerpts]
        keys: dict[Role, str] = {role: excerpt_key(checked(excerpts[role])) for role in needed}
        for role in needed:
            _extract(pair, role, keys, wanted, scoring, bench)
        return {"keys": keys, "seconds_spent": round(time.perf_counter() - started, 4)}

    return work


def _excerpts(pair: Pair) -> dict[Role, Excerpt]:
    found: dict[Role, Excerpt | None] = {
        "target": pair.clip.sound,
        "reference": pair.clip.reference,
        "picture": pair.clip.picture,
        "generated": pair.generated,
    }
    return {role: excerpt for role, excerpt in found.items() if excerpt is not None}


def _extract(
    pair: Pair,
    role: Role,
    keys: Keys,
    wanted: Mapping[Role, tuple[Extractor, ...]],
    scoring: Scoring,
    bench: Bench,
) -> None:
    """Bring the features of one role into their store; those of the picture must come first."""
    store, excerpt = scoring.store(role), _excerpts(pair)[role]
    stimulus = Stimulus(None, excerpt) if role == "picture" else Stimulus(excerpt)
    for extractor in wanted[role]:
        key = _key(extractor, role, keys) if _can_sense(extractor, keys) else None
        if key is not None and not store.has(extractor, key):
            seen = scoring.load("picture", pair.clip, keys, extractor.after) or {}
            store.save(extractor, key, _features(extractor, stimulus, seen, bench))


def _features(
    extractor: Extractor, stimulus: Stimulus, seen: Mapping[str, Features], bench: Bench
) -> Features:
    if isinstance(extractor, NetworkExtractor):
        prepared = joined(extractor.prepare(stimulus), seen)
        return finite(extractor, bench.embed(extractor, [prepared])[0])
    assert isinstance(extractor, SignalExtractor)  # noqa: S101 - there are two kinds
    return bench.extract(extractor, stimulus)


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
    """The metric's value; NaN, "not scored", where the clip lacks a side."""
    if metric.score is None or true is None or generated is None:
        return math.nan
    return metric.score(true, generated)


def _onset_count(side: Side | None) -> int | None:
    return len(side["onset"]["positions"]) if side and "onset" in side else None


def _none_or_finite(value: float) -> float | None:
    """A metric answers NaN for "not scored"; anything else that is not finite is a fault."""
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise BenchError("a metric came out infinite")
    return value


def _annotated(clip: Clip) -> Side:
    from bench.metrics import annotated_onsets

    return {"onset": annotated_onsets(clip.truth["hits"], clip.seconds)}
