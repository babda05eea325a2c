"""What a run is, before it runs: system x split x condition x seed, and where it lies."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from bench.errors import BenchError
from bench.features import PREPARATION
from bench.files import stable_seed
from bench.judges import Judge
from bench.runs.evaluate import Identity
from bench.runs.journal import file_identity, fingerprint
from bench.runs.score import Scoring
from bench.splits import Split
from bench.suite import DEFAULT_PROFILE, SUITE_VERSION, Metric
from bench.system import System
from bench.types import FULL, Clip, Condition


@dataclass(frozen=True)
class RunPlan:
    """A run, fully determined: the same plan writes the same scores.

    ``system_name`` is what the user typed (``oracle-shift:0.2``); ``clips`` may be the head of the
    split (``--limit``). ``workers`` is not part of what the run *is*: it changes nothing but time.
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

    @property
    def is_partial(self) -> bool:
        """Whether only the head of the split is run."""
        return len(self.clips) < len(self.split.clips)

    @property
    def results_directory(self) -> Path:
        """Where scores lie: the run's directory; for another judge or profile, a folder in it."""
        usual = "mini" if self.split.is_mini else "paper"
        if (self.judge.name, self.judge.profile) == (usual, DEFAULT_PROFILE):
            return self.directory
        return self.directory / slug(f"{self.judge.name}-{self.judge.profile}").replace(" ", "-")

    @property
    def scoring(self) -> Scoring:
        """What is computed of the samples, and where its features lie."""
        return Scoring(self.metrics, self.judge, self.directory)

    @property
    def directory(self) -> Path:
        """``runs/<system>/<split>/<condition>-<seed>``."""
        name = f"{self.condition.name}-{self.seed}"
        return self.root / slug(self.system_name) / self.split.name / name

    def sample_path(self, clip: Clip) -> Path:
        """Where the sample of this clip lies, or will lie."""
        return self.directory / "samples" / f"{clip.name}.flac"

    def clip_seed(self, clip: Clip) -> int:
        """Depends on the system, the clip and the run's seed: equal under every condition."""
        return stable_seed(self.system_name, clip.name, self.seed)

    def other(self, clip: Clip) -> Clip:
        """A clip of this run with another sound: the first one from a place that the seed decides.

        Raises:
            BenchError: all clips have the same sound.
        """
        start = self._positions[clip.name] + 1 + stable_seed("other", self.seed) % len(self.clips)
        turned = (self.clips[(start + i) % len(self.clips)] for i in range(len(self.clips)))
        for each in turned:
            if each.sound != clip.sound:  # several clips of a protocol share one target
                return each
        raise BenchError(
            f"{self.system_name} takes the sound of another clip, and this run has only one"
        )

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {clip.name: position for position, clip in enumerate(self.clips)}

    @cached_property
    def informed_system(self) -> System:
        """The system, told which clips the split holds where it has to tell them apart."""
        if self.system.with_clips is None:
            return self.system
        names = [clip.name for clip in self.split.clips]
        return self.system.with_clips((*names, *(refusal.clip for refusal in self.split.refused)))

    def sample_fingerprint(self, clip: Clip) -> str:
        """Everything a sample is made from."""
        files = [file_identity(e.path) for e in (clip.picture, clip.sound, clip.reference) if e]
        generated = file_identity(clip.generated) if clip.generated else None
        other = repr(self.other(clip)) if "other" in self.system.uses else None
        inputs = self.informed_system.inputs(clip.name) if self.informed_system.inputs else ()
        files += [file_identity(path) for path in inputs]
        facts = (self.system.sample_rate_hz, self.system.seconds, sorted(self.system.uses))
        made_from = [repr(clip), files, list(map(str, inputs)), generated, other]
        return fingerprint(self.system_name, facts, made_from, self.seed, self.condition.name)

    @property
    def identity(self) -> Identity:
        """What the result is about."""
        split, is_anchor = self.split, self.system.is_anchor
        condition = self.condition.name
        return Identity(
            self.system.name, split.name, condition, self.seed, split.is_mini, is_anchor
        )

    def configuration(self) -> dict[str, object]:
        """The frozen part of ``run.json``: what may not change between two sittings of one run."""
        return {**asdict(self.identity), "model": self.system_name}


def slug(system_name: str) -> str:
    """A directory name for what the user typed: ``oracle-shift-0.2`` for ``oracle-shift:0.2``."""
    name, _, argument = system_name.partition(":")
    if not argument:
        return name
    if re.fullmatch(r"[A-Za-z0-9.+-]{1,40}", argument):
        return f"{name}-{argument}"
    return f"{name}-{Path(argument).name or 'root'}-{fingerprint(argument)[:6]}"


def scoring_fingerprint(plan: RunPlan, clip: Clip) -> str:
    """Everything a row of scores is made from: sounds, picture, and what is computed how."""
    excerpts = [clip.sound, clip.reference, clip.picture]
    return fingerprint(
        SUITE_VERSION,
        PREPARATION,
        plan.judge.profile,
        [(each.name, each.version) for each in plan.judge.extractors],
        [metric.name for metric in plan.metrics],
        [(repr(each), file_identity(each.path)) for each in excerpts if each],
        dict(clip.truth).get("hits"),
        file_identity(plan.sample_path(clip)),
    )
