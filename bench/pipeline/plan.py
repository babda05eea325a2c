"""The plan of a run: system x split x condition x seed, and the paths of what it writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from bench.digests import file_identity, recall_digests
from bench.engine import Engine, open_engine
from bench.engine.choice import LOCAL, EngineChoice
from bench.errors import BenchError
from bench.judges import Judge
from bench.pipeline.feature_store import PREPARATION
from bench.pipeline.journal import fingerprint
from bench.pipeline.provenance import SampleOrigin, origin_of
from bench.pipeline.roles import Scoring
from bench.results import Identity
from bench.seeds import stable_seed
from bench.splits import Refusal, Split
from bench.suite import DEFAULT_PROFILE, SUITE_VERSION, Metric
from bench.system import System
from bench.types import FULL, Clip, Condition, Excerpt

#: The system whose samples are the true audio: every run of it has the same.
GROUND_TRUTH = "ground-truth"

#: So many clips are looked at together: one query of a database costs as much as fifty rows.
CLIPS_AT_ONCE = 200

#: The folder of a run in which a cluster's jobs are; it is gone when they are done.
ENGINE_FOLDER = "engine"

#: What to do with samples that other code, weights or devices made than are here: refuse if making
#: them again is long or a matter of choice, keep and mark them, or make them again.
Stale = Literal["ask", "keep", "remake"]


@dataclass(frozen=True)
class RunPlan:
    """A run, fully determined: the same plan writes the same scores.

    ``system_name`` is what the user typed (``oracle-shift:0.2``); ``clips`` may be a part of the
    split, which has results of its own. ``workers`` changes nothing but time. Features of the
    samples are with the run, or in the store of this machine where other runs have the same samples
    (``shares_features``). ``timeout_s`` limits the time of one clip in every stage; None derives it
    from the expected time. ``refused`` are clips of a part of the split that cannot take part.
    ``engine`` is where workers run, which changes nothing but time either.
    """

    system: System
    system_name: str
    split: Split
    clips: tuple[Clip, ...]
    judge: Judge
    metrics: tuple[Metric, ...]
    seed: int
    root: Path
    workers: int
    device: str = "cpu"
    condition: Condition = FULL
    stale: Stale = "ask"
    shares_features: bool = False
    timeout_s: float | None = None
    refused: tuple[Refusal, ...] = ()
    engine: EngineChoice = LOCAL

    @cached_property
    def subset(self) -> str:
        """The name of a part of a split, ``first-12`` or ``only-3-1a2b3c4d``; "" for all clips."""
        if self.clips == self.split.clips:
            return ""
        n = len(self.clips)
        if self.clips == self.split.clips[:n]:
            return f"first-{n}"
        return f"only-{n}-{fingerprint([clip.name for clip in self.clips])[:8]}"

    @property
    def results_directory(self) -> Path:
        """The directory of the scores: the run's, or a folder in it.

        A part of the split has a folder of its own, so that its scores never replace those of the
        full split; so has a judge or profile other than the usual one.
        """
        path = self.directory
        if self.subset and path.name != self.subset:
            path /= self.subset
        usual = "mini" if self.split.is_mini else "paper"
        if (self.judge.name, self.judge.profile) == (usual, DEFAULT_PROFILE):
            return path
        return path / slug(f"{self.judge.name}-{self.judge.profile}").replace(" ", "-")

    def open_engine(self, workers: int) -> Engine:
        """Return the engine of this plan; 0 workers are this process, whatever the engine."""
        if not workers:
            return open_engine(0)
        return self.engine.open(workers, self.directory / ENGINE_FOLDER)

    @property
    def scoring(self) -> Scoring:
        """What is computed of the samples, and where its features are stored."""
        return Scoring(self.metrics, self.judge, None if self.shares_features else self.directory)

    @cached_property  # paths are put together for every clip
    def directory(self) -> Path:
        """``runs/<system>/<split>/<condition>-<seed>``.

        Where a sample depends on the other clips of the run, a part of the split has samples of its
        own.
        """
        name = f"{self.condition_name}-{self.seed}"
        path = self.root / slug(self.system_name) / self.split.name / name
        return path / self.subset if "other" in self.system.uses else path

    @property
    def condition_name(self) -> str:
        """What the system does without, and where its references are from: a part of the path.

        ``full`` with the references of the protocol, ``no-text+reference-same-class``.
        """
        masked, drawn = self.condition.name, self.split.references
        if not drawn:
            return masked
        return "+".join([*([masked] if self.condition.masked else []), f"reference-{drawn}"])

    def sample_path(self, clip: Clip) -> Path:
        """The path of the sample of this clip, whether it exists or not."""
        return self._samples / f"{clip.name}.flac"

    @cached_property
    def _samples(self) -> Path:
        return self.directory / "samples"

    def clip_seed(self, clip: Clip) -> int:
        """Return a seed of system, clip and run seed, equal for all conditions."""
        return stable_seed(self.system_name, clip.name, self.seed)

    def other(self, clip: Clip) -> Clip:
        """Return a clip of this run with other audio, the first from a seeded index on.

        Raises:
            BenchError: all clips have the same audio.
        """
        start = self._positions[clip.name] + 1 + stable_seed("other", self.seed) % len(self.clips)
        turned = (self.clips[(start + i) % len(self.clips)] for i in range(len(self.clips)))
        for each in turned:
            if each.audio != clip.audio:  # several clips of a protocol share one target
                return each
        raise BenchError(
            f"{self.system_name} takes the audio of another clip, and this run has only one"
        )

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {clip.name: position for position, clip in enumerate(self.clips)}

    @cached_property
    def informed_system(self) -> System:
        """The system with the names of all clips of the split, where it asks for them."""
        if self.system.with_clips is None:
            return self.system
        names = [clip.name for clip in self.split.clips]
        return self.system.with_clips((*names, *(refusal.clip for refusal in self.split.refused)))

    @cached_property
    def origin(self) -> SampleOrigin:
        """The origin of samples that would be made now."""
        return origin_of(self.system, self.device)

    def sample_fingerprint(self, clip: Clip) -> str:
        """Return a hash of all that the system is given for a sample; its code is in ``origin``.

        A sample has that of its files as they were before it was made: a file that changes in the
        meantime is noticed by the next run.
        """
        system = self.informed_system
        reference = clip.reference and _facts(clip.reference)
        given: dict[str, Any] = {
            "video": clip.video and _facts(clip.video),
            "prompt": clip.prompt,
            "reference": reference,
            "reference-video": reference,  # of the same file
            "truth": self._truth(clip) if "truth" in system.uses else None,
            "other": self._truth(self.other(clip)) if "other" in system.uses else None,
        }
        inputs = system.inputs(clip.name) if system.inputs else ()
        return fingerprint(
            PREPARATION,
            (self.system_name, self.condition_name, self.seed, clip.name, clip.seconds),
            (system.sample_rate_hz, system.seconds),
            {name: given[name] for name in sorted(system.uses)},
            [file_identity(path) for path in inputs],
        )

    def _truth(self, clip: Clip) -> list[Any]:
        """All that is known of a clip, for anchors."""
        excerpts = (clip.audio, clip.video, clip.reference)
        generated = file_identity(clip.generated) if clip.generated else None
        facts = [_facts(excerpt) for excerpt in excerpts if excerpt]
        return [clip.name, facts, clip.prompt, generated, dict(clip.truth)]

    def files(self) -> list[Path]:
        """Return every file whose bytes decide what is left to do."""
        return list(dict.fromkeys(path for clip in self.clips for path in self.files_of(clip)))

    def files_of(self, clip: Clip) -> list[Path]:
        """Return the files of a clip: its media, what the system reads beside them, its sample."""
        excerpts = (clip.video, clip.audio, clip.reference)
        media = [excerpt.path for excerpt in excerpts if excerpt]
        read = self.informed_system.inputs
        inputs = read(clip.name) if read else ()
        made = [clip.generated] if clip.generated else []
        return list(dict.fromkeys((*media, *inputs, *made, self.sample_path(clip))))

    def recalled(self, clips: Iterable[Clip]) -> Iterator[Clip]:
        """Yield the clips; what is remembered of their files is looked up for many at once."""
        remaining = iter(clips)
        while group := list(islice(remaining, CLIPS_AT_ONCE)):
            recall_digests([path for clip in group for path in self.files_of(clip)])
            yield from group

    @property
    def identity(self) -> Identity:
        """What the results are about."""
        split, is_anchor = self.split, self.system.is_anchor
        condition = self.condition_name
        return Identity(
            self.system.name, split.name, condition, self.seed, split.is_mini, is_anchor
        )

    def configuration(self) -> dict[str, object]:
        """Return the part of ``run.json`` that may not change between calls for one run."""
        drawn = {"reference_from": self.split.references} if self.split.references else {}
        return {**asdict(self.identity), "model": self.system_name, **drawn}


def slug(system_name: str) -> str:
    """Return a directory name for a system: ``oracle-shift-0.2`` for ``oracle-shift:0.2``."""
    name, _, argument = system_name.partition(":")
    if not argument:
        return name
    if re.fullmatch(r"[A-Za-z0-9.+-]{1,40}", argument):
        return f"{name}-{argument}"
    # The hash tells folders of one name in several places apart.
    return f"{name}-{Path(argument).name or 'root'}-{fingerprint(argument)[:6]}"


def scoring_fingerprint(plan: RunPlan, clip: Clip) -> str:
    """Return a hash of all that a clip is scored from; its row names columns and extractors."""
    return fingerprint_scored(plan.judge.profile, clip, plan.sample_path(clip))


def fingerprint_scored(profile: str, clip: Clip, sample: Path) -> str:
    """Return the same of a sample at any path."""
    excerpts = (clip.audio, clip.reference, clip.video)
    return fingerprint(
        SUITE_VERSION,
        PREPARATION,
        profile,
        [excerpt and _facts(excerpt) for excerpt in excerpts],
        (clip.seconds, clip.prompt, dict(clip.truth).get("hits")),
        file_identity(sample),
    )


def _facts(excerpt: Excerpt) -> tuple[str | None, float, float | None]:
    """The bytes of an excerpt's file, and its window; not the path, so that data can be moved."""
    return file_identity(excerpt.path), excerpt.start_s, excerpt.seconds
