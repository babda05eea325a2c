"""``bench verify --regenerate``: samples of a submission, made again and compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bench.errors import BenchError, MissingError, RunError
from bench.media import read_audio
from bench.pipeline.generate import generate_samples
from bench.pipeline.plan import RunPlan
from bench.pipeline.samples import recorded_origin
from bench.pipeline.submission import Submission
from bench.plugins import canonical_spec
from bench.splits.references import ORIGINS
from bench.types import COMPONENTS, FULL, SCOPES, Clip, Condition, Excerpt

#: How far two samples may be apart, of full scale.
AUDIO_TOLERANCE = 1e-4


def compare_regenerated(
    submission: Submission, clips: Sequence[Clip], work: Path, device: str
) -> Iterator[str]:
    """Make the samples of these clips again below ``work``; yield a sentence for each that differs.

    Raises:
        BenchError: the system or its weights are not here, or it is none that installed packages
            declare: code of a submission is never run.
    """
    if not clips:
        return
    plan = _plan(submission, work / "again", device)
    for outcome in generate_samples(plan, clips):
        clip = outcome.item.clip
        if outcome.failure is not None:
            yield f"{clip.name} cannot be generated again: {outcome.failure.message}"
        elif reason := _describe_difference(submission.sample_path(clip), outcome.item.destination):
            entry = submission.journal.latest("sample", clip.name) or {}
            changes = recorded_origin(submission.journal, entry).describe_changes(plan.origin)
            since = f" (made otherwise: {'; '.join(changes)})" if changes else ""
            yield f"samples/{clip.name}.flac is not what the system makes here: {reason}{since}"


def _plan(submission: Submission, root: Path, device: str) -> RunPlan:
    """The plan of the run, with samples below another root."""
    results = submission.results
    model, system = submission.model, submission.declared
    if system is None:
        raise RunError(
            f"--regenerate makes samples by a system of bench list models, and the run is of "
            f"{model!r}: leave it out"
        )
    if system.lacks and (missing := system.lacks()):
        raise MissingError(f"{system.name} cannot generate, it needs {missing}")
    return RunPlan(
        system=system,
        system_name=canonical_spec(model),
        split=submission.split,
        clips=submission.asked,
        judge=submission.judge,
        metrics=submission.metrics,
        seed=results.seed,
        root=root,
        # In a process of its own, as bench run does: what was loaded here may have set threads or
        # precision, and samples follow the last digits.
        workers=1,
        device=device,
        condition=find_condition(results.condition),
    )


def find_condition(name: str) -> Condition:
    """Return the condition of this name: ``no-text``, ``no-video-vector+reference-same-class``.

    Raises:
        BenchError: there is none.
    """
    if name in (FULL.name, *(f"reference-{each}" for each in ORIGINS)):
        return FULL
    drawn = next((each for each in ORIGINS if name.endswith(f"+reference-{each}")), "")
    masked = name.removesuffix(f"+reference-{drawn}")
    for scope in SCOPES:
        named = masked.removeprefix("no-").removesuffix(f"-{scope}").split("+")
        condition = Condition(frozenset(named), scope)
        if set(named) <= set(COMPONENTS) and condition.name == masked:
            return condition
    raise BenchError(f"there is no condition {name!r}")


def _describe_difference(stored: Path, made: Path) -> str:
    found, expected = (read_audio(Excerpt(path)) for path in (stored, made))
    shapes = [(each.sample_rate_hz, *each.samples.shape) for each in (found, expected)]
    if shapes[0] != shapes[1]:
        return f"rate, channels and samples are {shapes[0]}, expected {shapes[1]}"
    gap = float(np.abs(found.samples - expected.samples).max(initial=0.0))
    return f"it differs by {gap:.2g} of full scale" if gap > AUDIO_TOLERANCE else ""
