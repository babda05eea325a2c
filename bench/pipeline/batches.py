"""What the networks owe to a group of clips: batches of equal shapes, one network after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bench.engine import Failure, Outcome, attempt
from bench.features import ExtractorCache, FeatureStore, finite, joined
from bench.judges import Features, NetworkExtractor, Prepared
from bench.pipeline.roles import Keys, Scoring, feature_key


@dataclass(frozen=True, eq=False)
class Need:
    """Features that a store lacks, and what their network is given to make them."""

    extractor: NetworkExtractor
    key: str
    store: FeatureStore
    prepared: Prepared
    keys: Keys

    @property
    def path(self) -> Path:
        """Where they will lie; two clips that need the same have the same path."""
        return self.store.path(self.extractor, self.key)

    def asks(self, extractor: NetworkExtractor) -> bool:
        """Whether this network is to make them, and has not done so for an earlier group."""
        return self.extractor.name == extractor.name and not self.path.exists()


#: One clip as it is given to a network, and as it comes back.
Given = tuple[Need, Prepared]
Answer = tuple[Need, Features]

Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Batches:
    """One group's computation: what failed so far, and what is being written."""

    scoring: Scoring
    bench: ExtractorCache
    writer: ThreadPoolExecutor
    _failures: dict[Path, Failure] = field(default_factory=dict)
    _writes: list[Future[Outcome[Answer, bool]]] = field(default_factory=list)

    def compute(self, clips: Sequence[Sequence[Need]]) -> list[Failure | None]:
        """Make and store all features that these clips need; None for each clip that has its own.

        A clip with a failure is given to no further network. When a batch fails, its clips are
        tried one by one, so that only those fail that cause it.
        """
        for extractor in self.scoring.networks():
            if extractor.after:  # what it is given of others lies in the store by then
                self._settle()
            alive = [needs for needs in clips if self._failure(needs) is None]
            owed = {need.path: need for needs in alive for need in needs if need.asks(extractor)}
            self._compute(extractor, list(owed.values()))
        self._settle()
        return [self._failure(needs) for needs in clips]

    def _failure(self, needs: Iterable[Need]) -> Failure | None:
        found = (self._failures.get(need.path) for need in needs)
        return next((failure for failure in found if failure is not None), None)

    def _compute(self, extractor: NetworkExtractor, needs: Sequence[Need]) -> None:
        """Give one network what it needs to make these features, and begin to write them."""
        ready = self._successes(attempt(self._given, need) for need in needs)
        for batch in _batches(ready, self.scoring.judge.batch_size):
            for answer in self._successes(_embedded(self.bench, extractor, batch)):
                self._writes.append(self.writer.submit(attempt, _store, answer))

    def _given(self, need: Need) -> Given:
        """What was prepared, with the features of the picture where the network has them too."""
        if not need.extractor.after:
            return need, need.prepared
        seen = {
            each.name: self.scoring.store("picture").load(
                each, feature_key(each, "picture", need.keys)
            )
            for each in self.scoring.judge.extractors
            if each.name in need.extractor.after
        }
        return need, joined(need.prepared, seen)

    def _successes(self, outcomes: Iterable[Outcome[Any, Value]]) -> list[Value]:
        """The values; what failed is remembered by the need that it was for."""
        values = []
        for outcome in outcomes:
            if outcome.failure is not None:
                self._failures[_need(outcome.item).path] = outcome.failure
            elif outcome.value is not None:
                values.append(outcome.value)
        return values

    def _settle(self) -> None:
        """Wait until everything is written."""
        self._successes(future.result() for future in self._writes)
        self._writes.clear()


def _need(item: Need | Given | Answer) -> Need:
    return item if isinstance(item, Need) else item[0]


def _embedded(
    bench: ExtractorCache, extractor: NetworkExtractor, batch: Sequence[Given]
) -> list[Outcome[Given, Answer]]:
    """The answer to each clip of a batch; a batch that fails is tried clip by clip."""

    def embed(batch: Sequence[Given]) -> list[Answer]:
        answers = bench.embed(extractor, [prepared for _, prepared in batch])
        return list(zip([need for need, _ in batch], answers, strict=True))

    outcome = attempt(embed, batch)
    if outcome.value is not None:
        pairs = zip(batch, outcome.value, strict=True)
        return [Outcome(given, value=answer) for given, answer in pairs]
    if len(batch) == 1:
        return [Outcome(batch[0], failure=outcome.failure)]
    return [each for given in batch for each in _embedded(bench, extractor, [given])]


def _batches(ready: Iterable[Given], size: int) -> Iterator[Sequence[Given]]:
    """Batches of up to ``size`` clips whose arrays have the same shapes."""
    alike: dict[object, list[Given]] = {}
    for need, prepared in ready:
        shapes = frozenset((name, array.shape, array.dtype) for name, array in prepared.items())
        alike.setdefault(shapes, []).append((need, prepared))
    for group in alike.values():
        for start in range(0, len(group), size):
            yield group[start : start + size]


def _store(answer: Answer) -> bool:
    need, features = answer
    need.store.save(need.extractor, need.key, finite(need.extractor, features))
    return True
