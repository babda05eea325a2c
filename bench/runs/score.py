"""The second and third stage: sounds to features, features to one row of scores per clip.

``bench run`` and ``bench score`` meet here: both come with pairs of a clip and a generated sound.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from bench.engine import Engine, Outcome
from bench.errors import BenchError
from bench.features import FeatureStore, extract, shared_root
from bench.judges import Extractor, extractors
from bench.suite import Metric, Side, select
from bench.types import Clip, Excerpt

JUDGE = "signal"


@dataclass(frozen=True)
class Pair:
    """One clip, and the sound that a system made for it."""

    clip: Clip
    generated: Excerpt


@dataclass(frozen=True)
class Stores:
    """Features of true sounds are shared by all runs; those of samples lie with their run."""

    true: Path
    generated: Path

    @classmethod
    def beside(cls, directory: Path | None) -> Stores:
        """The stores of a run in ``directory``; without one, everything is shared."""
        shared = shared_root(JUDGE)
        return cls(shared, directory / "features" if directory else shared)

    def of(self, side: Role) -> FeatureStore:
        """The store of one side of a pair."""
        return FeatureStore(self.generated if side == "generated" else self.true)


#: The parts that a sound, or an annotation in its place, plays in scoring.
Role = Literal["target", "reference", "hits", "generated"]
Reads = Mapping[Role, tuple[Extractor, ...]]

#: Whose onsets are counted beside the scores, for the reader of a row.
COUNTED: Mapping[str, Role] = {"true": "target", "generated": "generated"}

#: The key of the features of each role.
Keys = Mapping[Role, str]


def extract_features(
    pairs: Sequence[Pair], metrics: Sequence[Metric], stores: Stores, engine: Engine
) -> Iterator[Outcome[Pair, dict[str, Any]]]:
    """Extract what the metrics read; an outcome's value holds ``keys`` and ``seconds_spent``."""
    return engine.map(partial(_open_extraction, _reads(metrics), stores), pairs)


def score_pairs(
    scored: Sequence[tuple[Pair, Keys]],
    metrics: Sequence[Metric],
    profile: str,
    stores: Stores,
    engine: Engine,
) -> Iterator[Outcome[tuple[Pair, Keys], dict[str, Any]]]:
    """Compute each pair's row: ``scores`` (None: not scored) and ``seconds_spent``."""
    names = [metric.name for metric in metrics]
    return engine.map(partial(_open_scoring, names, profile, stores), scored)


def load_side(
    side: Role, clip: Clip, keys: Keys, wanted: Sequence[Extractor], stores: Stores
) -> Side | None:
    """One side's features by extractor; None where the clip has no such side."""
    if side == "hits":
        return _annotated(clip) if "hits" in clip.truth else None
    if side not in keys:
        return None
    store = stores.of(side)
    return {extractor.name: store.load(extractor, keys[side]) for extractor in wanted}


def _reads(metrics: Sequence[Metric]) -> Reads:
    """Which extractors each side needs."""
    sides: dict[Role, set[str]] = {
        "target": set(),
        "reference": set(),
        "hits": set(),
        "generated": set(),
    }
    for metric in metrics:
        sides["generated"].update(metric.reads)
        sides[metric.against].update(metric.reads)
    return {side: extractors(names) for side, names in sides.items()}


def _open_extraction(reads: Reads, stores: Stores) -> Callable[[Pair], dict[str, Any]]:
    def work(pair: Pair) -> dict[str, Any]:
        started = time.perf_counter()
        excerpts: dict[Role, Excerpt] = {"target": pair.clip.sound, "generated": pair.generated}
        if pair.clip.reference is not None:
            excerpts["reference"] = pair.clip.reference
        keys = {
            side: extract(excerpt, reads[side], stores.of(side))
            for side, excerpt in excerpts.items()
            if reads[side]
        }
        return {"keys": keys, "seconds_spent": round(time.perf_counter() - started, 4)}

    return work


def _open_scoring(
    names: Sequence[str], profile: str, stores: Stores
) -> Callable[[tuple[Pair, Keys]], dict[str, Any]]:
    metrics = select(profile, names)
    reads = _reads(metrics)

    def work(item: tuple[Pair, Keys]) -> dict[str, Any]:
        started = time.perf_counter()
        pair, keys = item
        sides = {
            side: load_side(side, pair.clip, keys, wanted, stores) for side, wanted in reads.items()
        }
        scores: dict[str, float | None] = {}
        for metric in metrics:
            value = score_sides(metric, sides[metric.against], sides["generated"])
            scores[metric.name] = _none_or_finite(value)
        counts = {f"{role}_onsets": _onset_count(sides[side]) for role, side in COUNTED.items()}
        return {"scores": scores | counts, "seconds_spent": round(time.perf_counter() - started, 4)}

    return work


def _onset_count(side: Side | None) -> int | None:
    return len(side["onset"]["positions"]) if side and "onset" in side else None


def score_sides(metric: Metric, true: Side | None, generated: Side | None) -> float:
    """The metric's value; NaN, "not scored", where the clip lacks a side."""
    return math.nan if true is None or generated is None else metric.score(true, generated)


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
