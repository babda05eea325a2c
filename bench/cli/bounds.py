"""Floor and ceiling beside the columns of ``bench run``, ``bench ablate`` and ``bench score``."""

from __future__ import annotations

from baselines import open_system
from bench.cli.console import notices, progress_bars
from bench.errors import BenchError
from bench.pipeline import FolderPlan, FolderResult, RunPlan
from bench.pipeline.bounds import (
    BOUNDS,
    compute_bounds,
    describe_cost,
    estimate_bounds,
    is_affordable,
    plan_bounds,
    plan_folder_bounds,
)
from bench.results import Results, write_bounds
from bench.system import System


def add_bounds(plan: RunPlan, wanted: bool | None) -> tuple[Results, ...]:
    """Compute the bounds of a finished run and write them beside its scores; return them.

    ``wanted`` is None where the user did not say: then they are made if that is cheap, and else one
    line says what they cost. Bounds that cannot be made never fail the run that they are for.
    """
    if wanted is False:
        return ()
    bounds = _compute(plan, plan_bounds(plan, _systems()), wanted)
    if bounds:
        write_bounds(plan.results_directory, bounds)
    return bounds


def find_folder_bounds(plan: FolderPlan, result: FolderResult) -> tuple[Results, ...]:
    """Return the bounds of the pairs of ``bench score``; they are computed only when asked for."""
    plans = plan_folder_bounds(plan, result.clips, _systems())
    return _compute(plans[0], plans, True) if plans else ()


def _systems() -> list[System]:
    return [open_system(name) for name in BOUNDS]


def _compute(plan: RunPlan, plans: list[RunPlan], wanted: bool | None) -> tuple[Results, ...]:
    try:
        seconds = estimate_bounds(plans)
        if wanted is None and not is_affordable(plan, seconds):
            notices().print(describe_cost(plan, seconds))
            return ()
        if wanted and seconds > 60:
            notices().print(f"floor and ceiling: about {round(seconds / 60)} min")
        with progress_bars() as progress:
            return compute_bounds(plans, progress)
    except BenchError as error:
        notices().print(f"no floor and ceiling beside the columns: {error}")
        return ()
