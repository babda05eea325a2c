"""What a run still has to do, and the time and disk for it: measured in earlier runs or guessed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bench.archives import file_size, is_file
from bench.io import read_json
from bench.judges import NETWORK_SECONDS
from bench.pipeline.plan import RunPlan, slug
from bench.pipeline.workers import (
    EXTRACT_SECONDS,
    SCORE_SECONDS,
    are_networks_small,
    default_timeout_s,
    place_system,
)
from bench.splits.split import NETWORK_METRICS
from bench.system import INPUTS

#: Bytes on disk per second of audio: 24-bit FLAC at 44.1 kHz, and the features of one clip.
SAMPLE_BYTES_PER_SECOND = 90_000
FEATURE_BYTES_PER_SECOND = 55_000

#: What the process that gives out the clips needs for each, measured, and a guess of how long
#: processes and models take to start: docs/scale.md.
BOOKS_SECONDS = 0.002
START_SECONDS = 120.0
#: So many clips tell the size of the media.
MEASURED_CLIPS = 200
#: What systems use of a clip that is read from its files.
MEDIA_INPUTS = INPUTS - {"prompt"}


@dataclass(frozen=True)
class StageTime:
    """How long a stage takes, and whether earlier runs measured that or it is a guess."""

    seconds: float
    is_measured: bool


@dataclass(frozen=True)
class Estimate:
    """What a run still has to do, and what that needs; ``times`` are by stage.

    ``stale`` describes the samples that exist and are made again, with the reason.
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
        """The time of all stages together."""
        return sum(each.seconds for each in self.times.values())


@dataclass(frozen=True)
class GpuPrediction:
    """What is left of a run on several GPUs that share a file system.

    ``bytes_read`` is None where no media are here to be measured; ``is_measured`` says whether the
    rate of the system on a GPU is.
    """

    wall_seconds: float
    gpu_seconds: float
    is_measured: bool
    bytes_read: int | None
    bytes_written: int


def estimate(plan: RunPlan, *, to_generate: int, to_score: int) -> Estimate:
    """Return time and disk for what is left, by earlier timings of this system where there are."""
    counts = {"generate": to_generate, "extract": to_score, "score": to_score}
    measured, at_once = _measured_seconds(plan), _clips_at_once(plan)
    rates = {stage: each / at_once[stage] for stage, each in measured.items()}
    rates = _guessed_seconds(plan) | rates
    # Twice the features: those of the true clip and those of the sample.
    per_clip = _mean_seconds(plan) * (SAMPLE_BYTES_PER_SECOND + 2 * FEATURE_BYTES_PER_SECOND)
    # The folder of runs may not exist yet; its disk does.
    existing = next(folder for folder in (plan.root, *plan.root.parents) if folder.exists())
    return Estimate(
        clips=len(plan.clips),
        to_generate=to_generate,
        to_score=to_score,
        times={
            stage: StageTime(counts[stage] * rates[stage], stage in measured) for stage in counts
        },
        bytes_needed=round(to_generate * per_clip),
        bytes_free=shutil.disk_usage(existing).free,
    )


def estimate_gpu_seconds(plan: RunPlan, *, to_generate: int, to_score: int) -> float:
    """Return how long one GPU would be busy with this, wherever the plan runs: no GPU is needed.

    The judge counts with the columns of the split, whether their weights are here or not.
    """
    on_gpu = replace(plan, device="cuda", judge=replace(plan.judge, device="cuda"))
    system = plan.system
    generate_s = _measured_seconds(on_gpu).get("generate", system.expected_seconds().gpu)
    judge = plan.judge.name.partition(",")[0]  # without that its MCD is approximate
    has_networks = judge in NETWORK_SECONDS and not set(NETWORK_METRICS).isdisjoint(
        plan.split.metrics
    )
    network_s = NETWORK_SECONDS[judge].gpu if has_networks else 0.0
    return to_generate * generate_s * system.uses_device + to_score * network_s


def predict_on_gpus(plan: RunPlan, ahead: Estimate, n_gpus: int) -> GpuPrediction:
    """Return what is left of a run on several GPUs, each with a worker of its own.

    Work on the processor beside the networks is left out: GPUs wait for it where they have fewer
    cores each than it needs (docs/scale.md).
    """
    to_generate, to_score = ahead.to_generate, ahead.to_score
    gpu_s = estimate_gpu_seconds(plan, to_generate=to_generate, to_score=to_score)
    n_left = max(to_generate, to_score)
    spread_s = max(gpu_s / n_gpus, BOOKS_SECONDS * n_left)
    on_gpu = replace(plan, device="cuda", judge=replace(plan.judge, device="cuda"))
    media, sample = _media_bytes(plan), SAMPLE_BYTES_PER_SECOND * _mean_seconds(plan)
    reads_media = not plan.system.uses.isdisjoint(MEDIA_INPUTS)
    return GpuPrediction(
        wall_seconds=spread_s + START_SECONDS if n_left else 0.0,
        gpu_seconds=gpu_s,
        is_measured="generate" in _measured_seconds(on_gpu),
        # To hash, to generate from and to score; a sample to hash and to score.
        bytes_read=None
        if media is None
        else round(media * (to_generate * reads_media + 2 * to_score) + 2 * sample * to_score),
        bytes_written=ahead.bytes_needed,
    )


def _media_bytes(plan: RunPlan) -> float | None:
    """Return the mean size of the media of a clip, of some of them; None where none is here."""
    some = plan.clips[:: max(1, len(plan.clips) // MEASURED_CLIPS)]
    sizes = []
    for clip in some:
        excerpts = (clip.video, clip.audio, clip.reference)
        paths = {excerpt.path for excerpt in excerpts if excerpt}
        if all(map(is_file, paths)):
            sizes.append(sum(map(file_size, paths)))
    return sum(sizes) / len(sizes) if sizes else None


def _mean_seconds(plan: RunPlan) -> float:
    return sum(clip.seconds for clip in plan.clips) / max(1, len(plan.clips))


def generate_timeout_s(plan: RunPlan) -> float:
    """Return how long one sample may take: as asked for, or by the measured or declared rate."""
    if plan.timeout_s is not None:
        return plan.timeout_s
    longest_s = max((clip.seconds for clip in plan.clips), default=0.0)
    declared = plan.system.expected_seconds().on(plan.device)
    return default_timeout_s(_measured_seconds(plan).get("generate", declared), longest_s)


def _clips_at_once(plan: RunPlan) -> dict[str, int]:
    """Return how many clips are in work at a time, by stage. With large networks it is one pass.

    Workers on one GPU share it.
    """
    workers = max(1, plan.workers)
    return {
        "generate": place_system(plan.system, plan.device, plan.workers).n_at_once,
        "extract": workers if are_networks_small(plan.scoring) else 1,
        "score": workers,
    }


def _guessed_seconds(plan: RunPlan) -> dict[str, float]:
    """Return the seconds that each stage takes per clip, where nothing like it has run.

    Guesses for a CPU are for one core: a worker with several threads is as many times faster.
    """
    workers = max(1, plan.workers)
    networks_s = plan.judge.network_seconds if plan.scoring.networks() else 0.0
    if are_networks_small(plan.scoring):
        networks_s /= workers
    placement = place_system(plan.system, plan.device, plan.workers)
    threads = placement.threads if plan.device == "cpu" else 1
    return {
        "generate": plan.system.expected_seconds().on(plan.device)
        / (placement.n_at_once * threads),
        "extract": EXTRACT_SECONDS / workers + networks_s,
        "score": SCORE_SECONDS / workers,
    }


def _measured_seconds(plan: RunPlan) -> dict[str, float]:
    """Return seconds per clip and stage, from the newest run of this system that did it alike."""
    found: dict[str, float] = {}
    files = (plan.root / slug(plan.system_name)).glob("*/*/run.json")
    # The newest first; older runs add only stages that it has not measured.
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
