"""The roles of a clip's files, and what the metrics need of each: shared by all stages of a run.

``bench run`` and ``bench score`` both end in pairs of a clip and a generated audio file, which
``Scoring`` extracts and scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bench.judges import (
    AUDIO_REMARKS,
    VIDEO_REMARKS,
    Extractor,
    Features,
    Judge,
    NetworkExtractor,
    SignalExtractor,
)
from bench.pipeline.feature_store import FeatureStore, joint_key, shared_root
from bench.suite import Metric, Side
from bench.types import Clip, Excerpt

#: The role of an audio file, a video, a prompt, or annotated hits instead of audio.
Role = Literal["target", "reference", "hits", "picture", "prompt", "generated"]
ROLES: tuple[Role, ...] = ("target", "reference", "hits", "picture", "prompt", "generated")

#: What describes the file of each role that is one.
REMARKS: Mapping[Role, SignalExtractor] = {
    "target": AUDIO_REMARKS,
    "reference": AUDIO_REMARKS,
    "picture": VIDEO_REMARKS,
    "generated": AUDIO_REMARKS,
}

#: The key of the features of each role.
Keys = Mapping[Role, str]


def has_inputs(extractor: Extractor, keys: Keys) -> bool:
    """Return whether the clip has the audio and video that the extractor reads."""
    return extractor.modality != "both" or "picture" in keys


def feature_key(extractor: Extractor, role: Role, keys: Keys) -> str:
    """Return the key of the features of one role, which covers the video where it is read too."""
    if extractor.modality == "both":
        return joint_key(keys[role], keys["picture"])
    return keys[role]


@dataclass(frozen=True)
class Pair:
    """One clip, and the audio that a system made for it."""

    clip: Clip
    generated: Excerpt


@dataclass(frozen=True)
class Scoring:
    """What is computed, by which judge, and where features are.

    Features of true audio and video are shared by all runs; those of samples are stored with their
    run, or shared too where ``directory`` is None.
    """

    metrics: tuple[Metric, ...]
    judge: Judge
    directory: Path | None

    def store(self, role: Role) -> FeatureStore:
        """Return the store of the features of one role."""
        if role == "generated" and self.directory is not None:
            return FeatureStore(self.directory / "features")
        return FeatureStore(shared_root(self.judge.name))

    def suited(self, seconds: float) -> Scoring:
        """Return the same with only the metrics that clips of this length can be scored by."""
        return replace(
            self, metrics=tuple(each for each in self.metrics if each.accepts_length(seconds))
        )

    def extractors(self, role: Role) -> tuple[Extractor, ...]:
        """Return what is extracted of one role, each extractor after those that it depends on."""
        names: set[str] = set()
        for metric in self.metrics:
            if role == "generated":
                names.update(metric.reads)
            if metric.against == role:
                names.update(metric.reads_of(role))
        if role == "picture":
            read = self.judge.select(name for metric in self.metrics for name in metric.reads)
            names.update(each.name for each in read if each.modality == "picture")
        return tuple(each for each in self.judge.extractors if each.name in names)

    def extractor_names(self) -> set[str]:
        """Return the names of the extractors that these metrics read, of any role."""
        return {each.name for role in ROLES for each in self.extractors(role)}

    def networks(self) -> tuple[NetworkExtractor, ...]:
        """Return the networks that these metrics need, each after those whose features it reads."""
        names = self.extractor_names()
        wanted = (each for each in self.judge.extractors if each.name in names)
        return tuple(each for each in wanted if isinstance(each, NetworkExtractor))

    def weights(self) -> tuple[str, ...]:
        """Return the names of the official files that these metrics need."""
        extractors = (each for role in ROLES for each in self.extractors(role))
        needed = {name for each in extractors for name in (each.weights, *each.also)}
        return tuple(sorted(needed - {""}))

    def late_extractors(
        self, seconds: float, roles: Iterable[Role]
    ) -> list[tuple[Role, Extractor]]:
        """Return what is read of clips of this length, with these roles, after all are scored.

        Those are the extractors of metrics with a level of chance, of metrics of the whole set, and
        the remarks on the files.
        """
        named = dict.fromkeys(roles, "")
        late = [m for m in self.metrics if m.has_chance or m.score_set is not None]
        later = replace(self, metrics=tuple(late)).suited(seconds)
        return [
            *((role, remarks) for role, remarks in REMARKS.items() if role in named),
            *(
                (role, extractor)
                for role in ROLES
                if role in named
                for extractor in later.extractors(role)
                if has_inputs(extractor, named)
            ),
        ]

    def load(self, role: Role, clip: Clip, keys: Keys, names: Iterable[str]) -> Side | None:
        """Return the features of these names of one role; None where the clip has no such side."""
        if role == "hits":
            from bench.metrics import annotated_onsets

            hits = clip.truth.get("hits")  # the only side that is not extracted from a file
            return None if hits is None else {"onset": annotated_onsets(hits, clip.seconds)}
        if role not in keys:
            return None
        store, wanted = self.store(role), set(names)
        chosen = [each for each in self.judge.extractors if each.name in wanted]
        return {
            each.name: store.load(each, feature_key(each, role, keys))
            for each in chosen
            if has_inputs(each, keys)
        }


def remarks_of(role: Role, keys: Keys, scoring: Scoring) -> Features:
    """Return the remarks on the file of one role; empty where no metric reads that role."""
    if role not in keys:
        return {}
    return scoring.store(role).load(REMARKS[role], keys[role])
