"""Floor and ceiling of every column: what anchors score on the clips of a run.

A number means little without them. Bounds are ordinary runs of the anchors below
``$BENCH_HOME/bounds``, made once for a split and a judge and shared by all systems. Their features
are kept in the store of this machine, since anchors share samples: a shuffled sample is another
clip's ground truth, and all silence is alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from bench.engine.choice import LOCAL
from bench.errors import BenchError
from bench.io import bench_home
from bench.matching import make_hashed_name
from bench.pipeline.columns import Notify
from bench.pipeline.evaluate import Progress
from bench.pipeline.folders import FolderPlan, FolderResult
from bench.pipeline.plan import RunPlan
from bench.pipeline.run import look_ahead, run
from bench.plugins import open_system
from bench.results import Results, write_bounds
from bench.splits import Split
from bench.splits.split import slugify_path
from bench.types import FULL, Clip

#: The systems that are bounds, by name: ceiling, floors, and the reference that only repeats.
BOUNDS = ("ground-truth", "shuffled", "silence", "reference-loop")

#: Bounds of at most this many clips and seconds of work are computed without being asked for.
MOST_UNASKED_CLIPS = 500
LONGEST_UNASKED_S = 1_800.0

#: So few clips are done before worker processes would have started.
FEW_CLIPS = 8

#: All runs share the bounds of this seed.
SEED = 42


def add_bounds(
    plan: RunPlan, wanted: bool | None, progress: Progress, notify: Notify
) -> tuple[Results, ...]:
    """Compute the bounds of a finished run, write them beside its scores, and return them.

    Where ``wanted`` is None they are computed if that is cheap; otherwise ``notify`` is given their
    cost. Bounds that cannot be computed never fail the run that they are for.
    """
    if wanted is False:
        return ()
    bounds = _compute_wanted(plan, plan_bounds(plan), wanted, progress, notify)
    if bounds:
        write_bounds(plan.results_directory, bounds)
    return bounds


def add_folder_bounds(
    plan: FolderPlan, result: FolderResult, progress: Progress, notify: Notify
) -> FolderResult:
    """Return the result of a comparison with the bounds of its pairs."""
    plans = plan_folder_bounds(plan, result.clips)
    found = _compute_wanted(plans[0], plans, True, progress, notify) if plans else ()
    return replace(result, bounds=found)


def _compute_wanted(
    plan: RunPlan, plans: list[RunPlan], wanted: bool | None, progress: Progress, notify: Notify
) -> tuple[Results, ...]:
    try:
        seconds = estimate_bounds(plans)
        if wanted is None and not is_affordable(plan, seconds):
            notify(describe_cost(plan, seconds))
            return ()
        if wanted and seconds > 60:
            notify(f"floor and ceiling: about {round(seconds / 60)} min")
        return compute_bounds(plans, progress)
    except BenchError as error:
        notify(f"no floor and ceiling beside the columns: {error}")
        return ()


def plan_bounds(plan: RunPlan) -> list[RunPlan]:
    """Return the plans of the bounds of a run: of those anchors that its clips allow."""
    # An anchor that cannot run on these clips is left out, and the others are bounds nevertheless.
    has_references = any(clip.reference is not None for clip in plan.clips)
    has_truth = any(clip.audio is not None for clip in plan.clips)
    has_others = len({clip.audio for clip in plan.clips}) > 1
    return [
        replace(
            plan,
            system=system,
            system_name=system.name,
            # Whatever the run was asked for: an anchor has nothing to be masked, and bounds of one
            # seed are there for all others, except where the seed has drawn the references.
            condition=FULL,
            seed=plan.seed if plan.split.references else SEED,
            root=bench_home() / "bounds",
            stale="remake",  # cheap, and in no folder of the user's
            shares_features=True,
        )
        for system in map(open_system, BOUNDS)
        if (has_references or "reference" not in system.uses)
        and (has_others or "other" not in system.uses)
        and (has_truth or "truth" not in system.uses)
    ]


def plan_folder_bounds(plan: FolderPlan, clips: Sequence[Clip]) -> list[RunPlan]:
    """Return the plans of the bounds of the pairs that two folders made: their true sides."""
    if not clips:
        return []
    # The names of any files become the names of samples; one clip may have several pairs.
    named = tuple(replace(clip, name=make_hashed_name(clip.name)) for clip in clips)
    split = Split(f"folders-{slugify_path(plan.reference.absolute())}", named)
    first = RunPlan(
        system=open_system(BOUNDS[0]),
        system_name=BOUNDS[0],
        split=split,
        clips=named,
        judge=plan.judge,
        metrics=plan.metrics,
        seed=SEED,
        root=bench_home() / "bounds",
        workers=plan.workers,
        engine=plan.engine,
        timeout_s=plan.timeout_s,
    )
    return plan_bounds(first)


def estimate_bounds(plans: Sequence[RunPlan]) -> float:
    """Return the seconds that are left to compute these bounds; 0 where they are all there."""
    return sum(look_ahead(plan).seconds for plan in plans)


def compute_bounds(plans: Sequence[RunPlan], progress: Progress) -> tuple[Results, ...]:
    """Return the results of the bounds, as rows that are not ranked; what is there is not redone.

    Raises:
        BenchError: an anchor cannot be run on these clips.
    """
    results = []
    for plan in plans:
        if len(plan.clips) <= FEW_CLIPS:
            plan = replace(plan, workers=0, engine=LOCAL)
        results.append(run(plan, partial(_show, progress, plan.system.name)).results)
    return tuple(replace(each, is_anchor=True) for each in results)


def _show(progress: Progress, name: str, stage: str, done: int, total: int) -> None:
    """Show the longest stage of a bound under its name."""
    if stage == "extract":
        progress(name, done, total)


def describe_cost(plan: RunPlan, seconds: float) -> str:
    """Return the cost of bounds that are not computed unless they are asked for."""
    return (
        f"no floor and ceiling beside the columns: they take about {max(1, round(seconds / 60))} "
        f"min for {len(plan.clips)} clips; --bounds computes them, once for this split"
    )


def is_affordable(plan: RunPlan, seconds: float) -> bool:
    """Whether bounds are computed without being asked for."""
    return len(plan.clips) <= MOST_UNASKED_CLIPS and seconds <= LONGEST_UNASKED_S
