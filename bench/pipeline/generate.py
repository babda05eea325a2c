"""The first stage: one sample per clip, of exactly the protocol's length, at its native rate."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.engine import Failure, Outcome, Work, attempt, failure_of, open_engine
from bench.errors import BenchError
from bench.pipeline.estimate import generate_timeout_s
from bench.pipeline.plan import RunPlan
from bench.pipeline.workers import limit_time, place_remote_system, place_system
from bench.system import Generate, System
from bench.types import FULL, MAX_SHORTFALL_S, Audio, Clip, Condition, Request

#: What was changed in a sample to fit it to the protocol, see ``fit``.
Notes = Mapping[str, float]


@dataclass(frozen=True)
class GenerateJob:
    """One clip to make a sample for.

    ``made_from`` is a hash of all that the system is given for it, where the outcome may be taken
    by a later process: an input that has changed since makes it another job.
    """

    clip: Clip
    other: Clip | None
    seed: int
    destination: Path
    condition: Condition = FULL
    made_from: str = ""


def generate_samples(plan: RunPlan, clips: Sequence[Clip]) -> Iterator[Outcome[GenerateJob, Notes]]:
    """Make a sample for each of these clips; the value of an outcome is for the journal."""
    needs_other = "other" in plan.system.uses
    jobs = (  # each is made when a worker has room for it: a list would take 1 KB a clip
        GenerateJob(
            clip,
            plan.other(clip) if needs_other else None,
            plan.clip_seed(clip),
            plan.sample_path(clip),
            plan.condition,
            plan.sample_fingerprint(clip),
        )
        # Clips of one length are neighbours, since only they can share a batch.
        for clip in plan.recalled(sorted(clips, key=lambda clip: clip.seconds))
    )
    batch_size = plan.system.batch_size_on(plan.device)
    settings = replace(
        limit_time(plan.timeout_s, generate_timeout_s(plan)),
        batch_size=batch_size,
        ahead=2 * batch_size if _looks_ahead(plan.system, plan.device) else batch_size,
    )
    factory = partial(_open_generator, plan.informed_system, batch_size)
    if plan.engine.is_remote:
        settings = place_remote_system(plan.system, plan.device, settings)
        settings = replace(settings, key=plan.origin.key)
        return plan.open_engine(len(clips)).stream(factory, list(jobs), settings)
    placement = place_system(plan.system, plan.device, plan.workers)
    settings = replace(settings, threads=placement.threads, devices=placement.devices)
    return open_engine(placement.n_workers).stream(factory, jobs, settings)


def _open_generator(system: System, batch_size: int, device: str) -> Work[GenerateJob, Notes]:
    import bench.media  # noqa: F401 - decoders load here, where no time limit counts

    generate = system.open(device)
    read = partial(_read_requests, system)
    looks_ahead = _looks_ahead(system, device)

    def work(jobs: Iterator[GenerateJob]) -> Iterator[Outcome[GenerateJob, Notes]]:
        batches = _batches(jobs, batch_size)
        # The method is a part of what such systems open, not of the type of all functions.
        prepare: Any = getattr(generate, "prepare", None)
        requested = _look_ahead(read, prepare, batches) if looks_ahead else map(read, batches)
        for batch in requested:
            yield from _generate_batch(system, generate, batch)

    return work


def _looks_ahead(system: System, device: str) -> bool:
    # On a CPU the next batch would only take cores from this one.
    return system.looks_ahead and device != "cpu"


@dataclass(frozen=True)
class Requested:
    """A batch of clips with their requests, or failures where there is none.

    ``seconds`` is for how long it was waited for.
    """

    requests: Sequence[Outcome[GenerateJob, Request]]
    seconds: float

    @property
    def ready(self) -> list[tuple[GenerateJob, Request]]:
        """The clips that have a request."""
        return [(each.item, each.value) for each in self.requests if each.value is not None]


def _read_requests(system: System, jobs: Sequence[GenerateJob]) -> Requested:
    started = time.perf_counter()
    requests = [
        attempt(lambda job: make_request(system, job.clip, job.other, job.seed, job.condition), job)
        for job in jobs
    ]
    return Requested(requests, time.perf_counter() - started)


def _look_ahead(
    read: Callable[[list[GenerateJob]], Requested],
    prepare: Callable[[Sequence[Request]], object],
    batches: Iterable[list[GenerateJob]],
) -> Iterator[Requested]:
    """Yield the requests of each batch, while a thread reads and prepares those of the next one."""

    def read_and_prepare(jobs: list[GenerateJob]) -> Requested:
        batch = read(jobs)
        if batch.ready:
            # Whatever it raises, generating raises again, for the clip that is the cause.
            attempt(prepare, [request for _, request in batch.ready])
        return batch

    def wait(future: Future[Requested]) -> Requested:
        started = time.perf_counter()
        return replace(future.result(), seconds=time.perf_counter() - started)

    begun: deque[Future[Requested]] = deque()
    with ThreadPoolExecutor(1) as thread:
        for jobs in batches:
            begun.append(thread.submit(read_and_prepare, jobs))
            if len(begun) == 2:
                yield wait(begun.popleft())
        while begun:
            yield wait(begun.popleft())


def _batches(jobs: Iterator[GenerateJob], size: int) -> Iterator[list[GenerateJob]]:
    """Yield batches of up to ``size`` clips of the same length, without asking for more jobs."""
    batch: list[GenerateJob] = []
    for job in jobs:
        if batch and job.clip.seconds != batch[0].clip.seconds:
            yield batch
            batch = []
        batch.append(job)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _generate_batch(
    system: System, generate: Generate, batch: Requested
) -> list[Outcome[GenerateJob, Notes]]:
    """Make the samples of one batch; each outcome has an equal share of the time."""
    started = time.perf_counter()
    # Where an input cannot be read there is no request: the rest of the batch goes without it.
    results = iter(call_system(generate, [request for _, request in batch.ready]))
    found: list[tuple[Notes | None, Failure | None]] = []
    for requested in batch.requests:
        result = requested.failure or next(results)
        if isinstance(result, Failure):
            found.append((None, result))
        else:
            written = attempt(partial(_write_sample, system, requested.item), result)
            found.append((written.value, written.failure))
    seconds = (batch.seconds + time.perf_counter() - started) / len(batch.requests)
    return [
        Outcome(requested.item, notes, failure, seconds)
        for requested, (notes, failure) in zip(batch.requests, found, strict=True)
    ]


def call_system(generate: Generate, requests: Sequence[Request]) -> list[Audio | Failure]:
    """Return the audio or the failure of each request.

    A batch that fails as a whole is tried again one by one, so that only the guilty ones fail.
    """
    if not requests:
        return []
    outcome = attempt(partial(_call, generate), requests)
    if outcome.value is not None:
        return [failure_of(e) if isinstance(e, Exception) else e for e in outcome.value]
    if len(requests) == 1:
        return [outcome.failure or Failure("the system returned nothing")]
    return [each for request in requests for each in call_system(generate, [request])]


def _call(generate: Generate, requests: Sequence[Request]) -> Sequence[Audio | Exception]:
    try:
        results = generate(requests)
    except AttributeError as error:
        if error.obj is not requests:
            raise
        # A function of one request looks for the fields of a request in the batch.
        raise BenchError(
            f"the system reads {error.name!r} of a batch of requests as if it were one request: "
            "adapt its function with bench.system.one_by_one"
        ) from error
    is_sequence = isinstance(results, Sequence) and len(results) == len(requests)
    if not is_sequence or not all(isinstance(each, Audio | Exception) for each in results):
        raise BenchError(
            f"the system returned {_describe(results)} for {len(requests)} requests; expected one "
            "Audio or exception for each (bench.system.one_by_one adapts a function of one request)"
        )
    return results


def _describe(results: object) -> str:
    if not isinstance(results, Sequence):
        return f"a {type(results).__name__}"
    types = ", ".join(sorted({type(each).__name__ for each in results}))
    return f"{len(results)} results ({types})" if results else "no results"


def _write_sample(system: System, job: GenerateJob, sample: Audio) -> Notes:
    from bench.media import write_audio

    fitted, notes = fit(sample, job.clip.seconds, system.name)
    write_audio(job.destination, fitted)
    return notes


def make_request(
    system: System, clip: Clip, other: Clip | None, seed: int, condition: Condition = FULL
) -> Request:
    """Return what this system is given for this clip: what it declares that it uses, no more.

    Raises:
        MediaError: the reference cannot be decoded.
    """
    from bench.media import probe, read_audio

    uses = system.uses
    reference, reference_video = None, None
    if "reference" in uses and clip.reference is not None:
        reference = read_audio(clip.reference, shortfall_s=MAX_SHORTFALL_S)
        if "reference-video" in uses and probe(clip.reference.path).video is not None:
            reference_video = clip.reference
    return Request(
        name=clip.name,
        seconds=clip.seconds,
        seed=seed,
        video=clip.video if "video" in uses else None,
        reference=reference,
        reference_video=reference_video,
        prompt=clip.prompt if "prompt" in uses else "",
        clip=clip if "truth" in uses else None,
        other=other if "other" in uses else None,
        condition=condition,
    )


def fit(sample: Audio, seconds: float, system: str) -> tuple[Audio, Notes]:
    """Cut a sample to exactly ``seconds``, and return it with notes of what was changed.

    A sample that is a little short is filled with silence (``padded_s``), one that exceeds full
    scale is limited as a file would limit it (``peak``).

    Raises:
        BenchError: it is shorter than that, empty, or holds values that are not numbers.
    """
    n_samples = round(seconds * sample.sample_rate_hz)
    n_missing = n_samples - sample.samples.shape[1]
    if n_missing > MAX_SHORTFALL_S * sample.sample_rate_hz:
        raise BenchError(
            f"{system} made {sample.seconds:.3f} s of audio where {seconds:g} s were asked for"
        )
    if not np.isfinite(sample.samples).all():
        raise BenchError(f"{system} made values that are not finite numbers")
    samples = sample.samples[:, :n_samples]
    notes: dict[str, float] = {}
    if n_missing > 0:
        samples = np.pad(samples, ((0, 0), (0, n_missing)))
        notes["padded_s"] = round(n_missing / sample.sample_rate_hz, 6)
    peak = float(np.abs(samples).max(initial=0.0))
    if peak > 1.0:
        samples = np.clip(samples, -1.0, 1.0)
        notes["peak"] = round(peak, 4)
    return Audio(samples, sample.sample_rate_hz), notes
