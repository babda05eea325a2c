"""What the networks still have to compute for a group of clips, in batches of equal shapes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bench.engine import Failure, Outcome, attempt
from bench.judges import Features, NetworkExtractor, Prepared
from bench.pipeline.feature_store import (
    ExtractorCache,
    FeatureStore,
    merge_features,
    require_finite,
)
from bench.pipeline.roles import Keys, Scoring, feature_key


@dataclass(frozen=True, eq=False)
class PendingFeatures:
    """Features that are missing from a store, and the arrays that their network needs."""

    extractor: NetworkExtractor
    key: str
    store: FeatureStore
    prepared: Prepared
    keys: Keys

    @property
    def path(self) -> Path:
        """The file they will be in. Two clips that need the same features have the same path."""
        return self.store.path(self.extractor, self.key)

    def is_pending_for(self, extractor: NetworkExtractor) -> bool:
        """Whether this network has to compute them and has not done so for an earlier group."""
        return self.extractor.name == extractor.name and not self.path.exists()


#: One clip's input to a network, and the network's output for it.
NetworkInput = tuple[PendingFeatures, Prepared]
NetworkOutput = tuple[PendingFeatures, Features]

Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Batches:
    """The computation for one group of clips: what failed so far, and what is being written."""

    scoring: Scoring
    cache: ExtractorCache
    writer: ThreadPoolExecutor
    _failures: dict[Path, Failure] = field(default_factory=dict)
    _writes: list[Future[Outcome[NetworkOutput, bool]]] = field(default_factory=list)

    def compute(self, clips: Sequence[Sequence[PendingFeatures]]) -> list[Failure | None]:
        """Compute and store all features that are pending for these clips.

        A clip with a failure is given to no further network. When a batch fails, its clips are
        tried one by one, so that only the guilty ones fail. Returns the failure of each clip.
        """
        for extractor in self.scoring.networks():
            if extractor.after:  # its input includes features that must be on disk by then
                self._wait_for_writes()
            remaining = [clip for clip in clips if self._find_failure(clip) is None]
            # By path: clips that share audio or video share the computation.
            pending = {
                each.path: each
                for clip in remaining
                for each in clip
                if each.is_pending_for(extractor)
            }
            self._compute(extractor, list(pending.values()))
        self._wait_for_writes()
        return [self._find_failure(clip) for clip in clips]

    def _find_failure(self, clip: Iterable[PendingFeatures]) -> Failure | None:
        found = (self._failures.get(each.path) for each in clip)
        return next((failure for failure in found if failure is not None), None)

    def _compute(self, extractor: NetworkExtractor, pending: Sequence[PendingFeatures]) -> None:
        """Run one network on batches, and begin to write its features."""
        inputs = self._collect(attempt(self._prepare_input, each) for each in pending)
        for batch in _batches(inputs, self.scoring.judge.batch_size):
            for output in self._collect(_embed(self.cache, extractor, batch)):
                self._writes.append(self.writer.submit(attempt, _store, output))

    def _prepare_input(self, pending: PendingFeatures) -> NetworkInput:
        """Add the features of the video, for a network that has them as an input too."""
        if not pending.extractor.after:
            return pending, pending.prepared
        of_video = {
            each.name: self.scoring.store("picture").load(
                each, feature_key(each, "picture", pending.keys)
            )
            for each in self.scoring.judge.extractors
            if each.name in pending.extractor.after
        }
        return pending, merge_features(pending.prepared, of_video)

    def _collect(self, outcomes: Iterable[Outcome[Any, Value]]) -> list[Value]:
        """Return the values. A failure is kept under the path of the features it was for."""
        values = []
        for outcome in outcomes:
            if outcome.failure is not None:
                item = outcome.item
                pending = item if isinstance(item, PendingFeatures) else item[0]
                self._failures[pending.path] = outcome.failure
            elif outcome.value is not None:
                values.append(outcome.value)
        return values

    def _wait_for_writes(self) -> None:
        self._collect(future.result() for future in self._writes)
        self._writes.clear()


def _embed(
    cache: ExtractorCache, extractor: NetworkExtractor, batch: Sequence[NetworkInput]
) -> list[Outcome[NetworkInput, NetworkOutput]]:
    """Run a network on one batch; a batch that fails is tried clip by clip."""

    def embed(batch: Sequence[NetworkInput]) -> list[NetworkOutput]:
        outputs = cache.embed(extractor, [prepared for _, prepared in batch])
        return list(zip([pending for pending, _ in batch], outputs, strict=True))

    outcome = attempt(embed, batch)
    if outcome.value is not None:
        pairs = zip(batch, outcome.value, strict=True)
        return [Outcome(each, value=output) for each, output in pairs]
    if len(batch) == 1:
        return [Outcome(batch[0], failure=outcome.failure)]
    return [each for one in batch for each in _embed(cache, extractor, [one])]


def _batches(inputs: Iterable[NetworkInput], size: int) -> Iterator[Sequence[NetworkInput]]:
    """Yield batches of up to ``size`` clips whose arrays have the same shapes and types."""
    groups: dict[object, list[NetworkInput]] = {}
    for pending, prepared in inputs:
        shapes = frozenset((name, array.shape, array.dtype) for name, array in prepared.items())
        groups.setdefault(shapes, []).append((pending, prepared))
    for group in groups.values():
        for start in range(0, len(group), size):
            yield group[start : start + size]


def _store(output: NetworkOutput) -> bool:
    pending, features = output
    pending.store.save(pending.extractor, pending.key, require_finite(pending.extractor, features))
    return True
