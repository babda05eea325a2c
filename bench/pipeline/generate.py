"""The first stage: one sample per clip, of exactly the protocol's length, at its native rate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.engine import Engine, Outcome
from bench.errors import BenchError
from bench.pipeline.plan import RunPlan
from bench.system import System
from bench.types import FULL, MAX_SHORTFALL_S, Audio, Clip, Condition, Request


@dataclass(frozen=True)
class GenerateJob:
    """One clip to make a sample for."""

    clip: Clip
    other: Clip | None
    seed: int
    destination: Path
    condition: Condition = FULL


def generate_samples(
    plan: RunPlan, clips: list[Clip], engine: Engine
) -> Iterator[Outcome[GenerateJob, dict[str, Any]]]:
    """Make a sample for each of these clips; the value of an outcome is what to remember of it."""
    needs_other = "other" in plan.system.uses
    jobs = [
        GenerateJob(
            clip,
            plan.other(clip) if needs_other else None,
            plan.clip_seed(clip),
            plan.sample_path(clip),
            plan.condition,
        )
        for clip in clips
    ]
    return engine.map(partial(_open_generator, plan.informed_system, plan.device), jobs)


def _open_generator(system: System, device: str) -> Callable[[GenerateJob], dict[str, Any]]:
    from bench.media import write_audio

    generate = system.open(device)

    def work(job: GenerateJob) -> dict[str, Any]:
        started = time.perf_counter()
        request = make_request(system, job.clip, job.other, job.seed, job.condition)
        sample = generate(request)
        fitted, notes = fit(sample, job.clip.seconds, system.name)
        write_audio(job.destination, fitted)
        return {"seconds_spent": round(time.perf_counter() - started, 4), **notes}

    return work


def make_request(
    system: System, clip: Clip, other: Clip | None, seed: int, condition: Condition = FULL
) -> Request:
    """What this system is given for this clip: what it declares that it uses, and nothing else."""
    from bench.media import read_audio

    uses = system.uses
    reference = None
    if "reference" in uses and clip.reference is not None:
        reference = read_audio(clip.reference, shortfall_s=MAX_SHORTFALL_S)
    return Request(
        name=clip.name,
        seconds=clip.seconds,
        seed=seed,
        video=clip.video if "video" in uses else None,
        reference=reference,
        prompt=clip.prompt if "prompt" in uses else "",
        clip=clip if "truth" in uses else None,
        other=other if "other" in uses else None,
        condition=condition,
    )


def fit(sample: Audio, seconds: float, system: str) -> tuple[Audio, dict[str, float]]:
    """Cut a sample to exactly ``seconds``, and say what had to be done to it.

    A sample that is a little short is filled with silence (``padded_s``), one that exceeds full
    scale is limited as a file would limit it (``peak``): both are remembered.

    Raises:
        BenchError: it is shorter than that, empty, or holds values that are not numbers.
    """
    wanted = round(seconds * sample.sample_rate_hz)
    missing = wanted - sample.samples.shape[1]
    if missing > MAX_SHORTFALL_S * sample.sample_rate_hz:
        raise BenchError(
            f"{system} made {sample.seconds:.3f} s of sound where {seconds:g} s were asked for"
        )
    if not np.isfinite(sample.samples).all():
        raise BenchError(f"{system} made values that are not finite numbers")
    samples = sample.samples[:, :wanted]
    notes: dict[str, float] = {}
    if missing > 0:
        samples = np.pad(samples, ((0, 0), (0, missing)))
        notes["padded_s"] = round(missing / sample.sample_rate_hz, 6)
    peak = float(np.abs(samples).max(initial=0.0))
    if peak > 1.0:
        samples = np.clip(samples, -1.0, 1.0)
        notes["peak"] = round(peak, 4)
    return Audio(samples, sample.sample_rate_hz), notes
