"""Floor and ceiling beside the columns of ``bench run`` and ``bench ablate``."""

from __future__ import annotations

from baselines import open_system
from bench.cli.console import notices, progress_bars
from bench.errors import BenchError
from bench.results import Results, write_bounds
from bench.runs import RunPlan
from bench.runs.bounds import (
    BOUNDS,
    compute_bounds,
    describe_cost,
    estimate_bounds,
    is_affordable,
    plan_bounds,
)


def add_bounds(plan: RunPlan, wanted: bool | None) -> tuple[Results, ...]:
    """Compute the bounds of a finished run and write them beside its scores; return them.

    ``wanted`` is None where the user did not say: then they are made if that is cheap, and else one
    line says what they cost. Bounds that cannot be made never fail the run that they are for.
    """
    if wanted is False:
        return ()
    try:
        plans = plan_bounds(plan, [open_system(name) for name in BOUNDS])
        seconds = estimate_bounds(plans)
        if wanted is None and not is_affordable(plan, seconds):
            notices().print(describe_cost(plan, seconds))
            return ()
        if wanted and seconds > 60:
            notices().print(f"floor and ceiling: about {round(seconds / 60)} min")
        with progress_bars() as progress:
            bounds = compute_bounds(plans, progress)
    except BenchError as error:
        notices().print(f"no floor and ceiling beside the columns: {error}")
        return ()
    write_bounds(plan.results_directory, bounds)
    return bounds
