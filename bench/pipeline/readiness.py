"""What a run has to do on this machine and what is missing, found before anything is run.

Several runs are examined as a whole (``bench reproduce``), so that nothing is refused here: what
is missing is listed, with the command that fixes it, and the cost is estimated all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bench.errors import BenchError, MissingError
from bench.io import expand_user
from bench.pipeline.columns import JudgeOptions
from bench.pipeline.estimate import Estimate, estimate, estimate_gpu_seconds
from bench.pipeline.outcome import refusals
from bench.pipeline.plan import RunPlan, slug
from bench.pipeline.prepare import RunOptions, plan_run
from bench.pipeline.run import look_ahead
from bench.plugins import open_system, read_declarations
from bench.results import Results, load_results
from bench.splits import Split, open_split, require_files
from bench.splits.split import (
    BASE_METRICS,
    NETWORK_METRICS,
    PROTOCOL_VERSION,
    TARGET_SECONDS,
    pick_clips,
)
from bench.suite import SUITE_VERSION
from bench.types import Clip, Excerpt, parse_condition

#: What is missing: the system itself, the clips of a split, what the system needs to generate, a
#: decision on samples that were made otherwise, or anything else that refuses the run. Without
#: what is of ``columns`` the run goes ahead and leaves columns out.
PieceKind = Literal["system", "clips", "needs", "samples", "refused", "columns"]

UNKNOWN_SYSTEM = "no system of this name here"


@dataclass(frozen=True)
class MissingPiece:
    """One missing piece, in words that have the command; ``of`` is the system or split."""

    kind: PieceKind
    of: str
    text: str


@dataclass(frozen=True)
class FoundClips:
    """The clips of a split as far as they are here.

    Where they are not, ``missing`` says why and ``split`` has one clip in their place, for plans.
    ``n_clips`` are asked for, which may be a part of the split. ``n_to_render`` is how many mini
    clips have to be rendered first.
    """

    split: Split
    n_clips: int
    are_part: bool
    missing: tuple[MissingPiece, ...] = ()
    n_to_render: int = 0

    @property
    def are_here(self) -> bool:
        """Whether every file is here."""
        return not self.missing and not self.n_to_render


@dataclass(frozen=True)
class Readiness:
    """A run before it starts: its results if it is ``finished``, else what is missing and its cost.

    ``gpu_seconds`` is how long one GPU would be busy with what is left. Both costs are None where
    the system is not here.
    """

    missing: tuple[MissingPiece, ...] = ()
    finished: Results | None = None
    plan: RunPlan | None = None
    ahead: Estimate | None = None
    gpu_seconds: float | None = None

    @property
    def obstacles(self) -> tuple[MissingPiece, ...]:
        """What has to be fixed before the run can start."""
        return tuple(each for each in self.missing if each.kind != "columns")

    @property
    def can_run(self) -> bool:
        """Whether the run is still to be done, and can be done here."""
        return self.finished is None and not self.obstacles


def find_clips(
    name: str, columns: Sequence[str], n_clips: int, *, limit: int | None = None, targets: str = ""
) -> FoundClips:
    """Return the clips of a split, the first ``limit`` of them, or what is missing of them.

    Of the split's columns those that need a network stay only if they are among ``columns``.
    ``n_clips`` is the number of clips that the split has if it is not here, and ``targets`` another
    split that it is made of.
    """
    try:
        split = open_split(name)
    except (BenchError, OSError) as error:
        missing = [MissingPiece("clips", name, str(error))]
        if targets:
            missing += find_clips(targets, (), n_clips).missing
        is_part, asked = limit is not None and limit < n_clips, min(limit or n_clips, n_clips)
        return FoundClips(_stand_in(name, columns), asked, is_part, tuple(missing))
    clips = pick_clips(split, limit=limit)
    counts = len(clips), clips != split.clips
    kept = tuple(m for m in split.metrics if m not in NETWORK_METRICS or m in columns)
    # Without the command that prepares them, clips that are not here can be planned.
    planned = replace(split, metrics=kept, preparation="")
    if split.is_mini:
        from bench.splits.mini import count_to_render

        return FoundClips(planned, *counts, n_to_render=count_to_render(clips))
    try:
        require_files(split, clips)
    except MissingError as error:
        return FoundClips(planned, *counts, (MissingPiece("clips", name, str(error)),))
    return FoundClips(replace(split, metrics=kept), *counts)


def _stand_in(name: str, columns: Sequence[str]) -> Split:
    """A split of one clip with everything that a system may use."""
    nowhere = Excerpt(Path(name), 0.0, TARGET_SECONDS)
    clip = Clip("any", nowhere, TARGET_SECONDS, nowhere, nowhere)
    return Split(name, (clip,), tuple(dict.fromkeys((*columns, *BASE_METRICS))))


def examine_run(options: RunOptions, judging: JudgeOptions, clips: FoundClips) -> Readiness:
    """Return whether a run is finished, what is missing, and what is left of it costs.

    ``options`` name a model, and no clips but by a limit.
    """
    if not clips.are_here and (known := _find_results(options, clips)):
        return known  # what is finished stays so without the clips
    model, missing = str(options.model), list(clips.missing)
    try:
        if ":" not in model and read_declarations("system").find(model) is None:
            return Readiness((*missing, MissingPiece("system", model, UNKNOWN_SYSTEM)))
        system, notes = open_system(model), list[str]()
        if system.lacks and (needs := system.lacks()):
            missing.append(MissingPiece("needs", model, needs))
        plan = plan_run(replace(options, split=clips.split), judging, notes.append)
    except BenchError as error:
        return Readiness((*missing, MissingPiece("refused", model, str(error))))
    missing += [MissingPiece("columns", clips.split.name, note) for note in notes]
    if not clips.are_here:
        counts = {"to_generate": clips.n_clips, "to_score": clips.n_clips}
        cost = estimate_gpu_seconds(plan, **counts)
        return Readiness(tuple(missing), None, plan, estimate(plan, **counts), cost)
    return _look_ahead(plan, missing)


def _look_ahead(plan: RunPlan, missing: Sequence[MissingPiece]) -> Readiness:
    """Return what is left of a run whose clips are here."""
    try:
        ahead = look_ahead(plan)
    except BenchError as error:
        return Readiness(
            (*missing, MissingPiece("samples", plan.system_name, str(error))), plan=plan
        )
    if not ahead.to_generate:  # nothing is missed where nothing is generated
        missing = [each for each in missing if each.kind != "needs"]
    if not ahead.to_generate and not ahead.to_score and (results := _load_complete(plan)):
        return Readiness(tuple(missing), results, plan, ahead, 0.0)
    cost = estimate_gpu_seconds(plan, to_generate=ahead.to_generate, to_score=ahead.to_score)
    return Readiness(tuple(missing), None, plan, ahead, cost)


def _load_complete(plan: RunPlan) -> Results | None:
    """Return the results of a plan if they are of this version and have all of its columns."""
    try:
        found = load_results(plan.results_directory)
    except BenchError:
        return None
    names = {column.name for column in found.columns}
    has_all = names >= {metric.name for metric in plan.metrics}
    # Not so where it was stopped after the last row and before the results.
    is_whole = found.expected == len(plan.clips) + len(refusals(plan))
    return found if _is_current(found) and has_all and is_whole else None


def _is_current(found: Results) -> bool:
    return (found.suite_version, found.protocol_version) == (SUITE_VERSION, PROTOCOL_VERSION)


def _find_results(options: RunOptions, clips: FoundClips) -> Readiness | None:
    """Return a run that was finished here or elsewhere, from the names of its folders alone.

    One that was scored by another version shares no table with new runs: it is not finished.
    """
    condition = parse_condition(str(options.mask) if options.mask else None)
    folder = slug(str(options.model)), clips.split.name, f"{condition.name}-{options.seed}"
    directory = expand_user(options.runs).absolute().joinpath(*folder)
    if clips.are_part:
        directory /= f"first-{clips.n_clips}"
    try:
        found = load_results(directory)
    except BenchError:
        return None
    return Readiness(finished=found) if _is_current(found) else None
