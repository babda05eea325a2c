"""What a run would still do and cost, without doing it: measured in earlier runs, or guessed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.io import read_json
from bench.pipeline.plan import RunPlan, slug

#: Estimates for a dry run where no earlier run has measured it: seconds per clip on one core of a
#: laptop, by stage. The system and the judge's networks have guesses of their own.
DEFAULT_SECONDS = {"extract": 1.2, "score": 0.05}

#: Bytes on disk per second of audio: 24-bit FLAC at 44.1 kHz, and the features of one clip.
SAMPLE_BYTES_PER_SECOND = 90_000
FEATURE_BYTES_PER_SECOND = 55_000


@dataclass(frozen=True)
class StageTime:
    """How long a stage will take, and whether earlier runs measured that or it is a guess."""

    seconds: float
    is_measured: bool


@dataclass(frozen=True)
class Estimate:
    """What a run would still do, and what it would cost; ``times`` are by stage.

    ``stale`` says which samples are made again although they are there, and why.
    """

    clips: int
    to_generate: int
    to_score: int
    times: Mapping[str, StageTime]
    bytes_needed: int
    bytes_free: int
    stale: str = ""

    @property
    def seconds(self) -> float:
        """The time of all stages."""
        return sum(each.seconds for each in self.times.values())


def estimate(plan: RunPlan, *, to_generate: int, to_score: int) -> Estimate:
    """Time and disk for what is left, from this system's earlier timings where there are any."""
    counts = {"generate": to_generate, "extract": to_score, "score": to_score}
    measured, at_once = _measured_seconds(plan), _clips_at_once(plan)
    rates = {stage: each / at_once[stage] for stage, each in measured.items()}
    rates = _guessed_seconds(plan, at_once) | rates
    seconds_of_sound = sum(clip.seconds for clip in plan.clips) / max(1, len(plan.clips))
    per_clip = seconds_of_sound * (SAMPLE_BYTES_PER_SECOND + 2 * FEATURE_BYTES_PER_SECOND)
    there = next(folder for folder in (plan.root, *plan.root.parents) if folder.exists())
    return Estimate(
        clips=len(plan.clips),
        to_generate=to_generate,
        to_score=to_score,
        times={
            stage: StageTime(counts[stage] * rates[stage], stage in measured) for stage in counts
        },
        bytes_needed=round(to_generate * per_clip),
        bytes_free=shutil.disk_usage(there).free,
    )


def _clips_at_once(plan: RunPlan) -> dict[str, int]:
    """How many clips are in work at a time, by stage: workers share one GPU, and one pass."""
    workers = max(1, plan.workers)
    return {
        "generate": workers if plan.device == "cpu" else 1,
        "extract": 1 if plan.scoring.networks() else workers,
        "score": workers,
    }


def _guessed_seconds(plan: RunPlan, at_once: Mapping[str, int]) -> dict[str, float]:
    """Seconds that each stage takes per clip, where nothing like it has run."""
    workers = max(1, plan.workers)
    networks_s = plan.judge.network_seconds if plan.scoring.networks() else 0.0
    return {
        "generate": plan.system.seconds_per_clip.on(plan.device) / at_once["generate"],
        "extract": DEFAULT_SECONDS["extract"] / workers + networks_s,
        "score": DEFAULT_SECONDS["score"] / workers,
    }


def _measured_seconds(plan: RunPlan) -> dict[str, float]:
    """Seconds per clip and stage, from the newest run of this system that did the stage alike."""
    found: dict[str, float] = {}
    files = (plan.root / slug(plan.system_name)).glob("*/*/run.json")
    for path in sorted(files, key=lambda p: p.stat().st_mtime, reverse=True):
        about = read_json(path)
        for stage, seconds in (about.get("seconds_per_clip") or {}).items():
            if seconds and _is_alike(stage, about, plan):
                found.setdefault(stage, float(seconds))
    return found


def _is_alike(stage: str, about: Mapping[str, Any], plan: RunPlan) -> bool:
    """Whether a run did a stage as this one will: on the same device, for the same columns."""
    facts = about.get("provenance", {})
    if stage == "generate":
        return bool(facts.get("device") == plan.device)
    judge = facts.get("judge"), facts.get("judge_device"), about.get("metrics")
    names = [metric.name for metric in plan.metrics]
    return judge == (plan.judge.name, plan.judge.device, names)
