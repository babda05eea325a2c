"""``bench run``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.engine_options import with_engine
from bench.cli.options import (
    BatchSize,
    Bounds,
    Clap,
    ClipNames,
    Device,
    JudgeDevice,
    JudgeName,
    KeepSamples,
    Limit,
    Mask,
    MaskScope,
    Metrics,
    MinCoverage,
    Models,
    Only,
    Profile,
    ReferenceFrom,
    Runs,
    Seed,
    SplitName,
    Timeout,
    VerifyBytes,
    WeightsFolder,
    Workers,
    Yes,
)

if TYPE_CHECKING:
    from bench.engine.choice import EngineChoice
    from bench.pipeline.estimate import Estimate
    from bench.pipeline.plan import RunPlan


@with_engine
def run(
    split: SplitName = None,
    model: Models = None,
    limit: Limit = None,
    only: Only = None,
    clip: ClipNames = None,
    seed: Seed = 42,
    mask: Mask = None,
    mask_scope: MaskScope = "whole",
    reference_from: ReferenceFrom = None,
    metrics: Metrics = None,
    clap: Clap = False,
    profile: Profile = "av-benchmark",
    judge: JudgeName = None,
    weights: WeightsFolder = None,
    device: Device = "cpu",
    judge_device: JudgeDevice = None,
    batch_size: BatchSize = None,
    workers: Workers = None,
    timeout: Timeout = None,
    runs: Runs = Path("runs"),
    json: Annotated[Path | None, typer.Option(help="Also write the results to this file.")] = None,
    dry_run: Annotated[
        bool, typer.Option(help="Print what would be done, how long it takes, and do nothing.")
    ] = False,
    gpus: Annotated[
        int | None,
        typer.Option(min=1, help="With --dry-run: also how long it takes on so many GPUs."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option(help="Discard what this run made of these clips before.")
    ] = False,
    keep_samples: KeepSamples = False,
    yes: Yes = False,
    verify_bytes: VerifyBytes = False,
    bounds: Bounds = None,
    min_coverage: MinCoverage = 1.0,
    *,
    engine: EngineChoice,
) -> None:
    """Generate audio for the clips of a split, score it, and print a table.

    The same command again finishes an interrupted run. With several models, those that can run do,
    one after the other; each of the others has a line with what it needs.
    """
    from bench.cli.console import console, notify, progress_bars
    from bench.cli.run_models import Switches, print_plans, run_models, split_models
    from bench.errors import BenchError
    from bench.io import require_target
    from bench.pipeline.columns import JudgeOptions
    from bench.pipeline.prepare import RunOptions, plan_run
    from bench.pipeline.run import look_ahead, require_ready

    if gpus and not dry_run:
        raise BenchError(
            f"--gpus {gpus} predicts a run: add --dry-run (a run with --device cuda takes all GPUs "
            "that are visible)"
        )
    describe = partial(_describe_estimate, gpus=gpus)
    options = RunOptions(
        model=model,
        split=split,
        limit=limit,
        only=only,
        clips=clip or (),
        seed=seed,
        mask=mask,
        mask_scope=mask_scope,
        reference_from=reference_from,
        device=device,
        workers=workers,
        timeout=timeout,
        runs=runs,
        keep_samples=keep_samples,
        yes=yes,
        engine=engine,
    )
    judging = JudgeOptions(
        metrics=metrics,
        clap=clap,
        profile=profile,
        judge=judge,
        weights=weights,
        device=judge_device or device,
        batch_size=batch_size,
    )
    if models := split_models(model):
        if dry_run:
            print_plans(models, options, judging, fresh=fresh, describe=describe)
        else:
            switches = Switches(json, bounds, min_coverage, fresh, verify_bytes)
            run_models(models, options, judging, switches)
        return
    plan = plan_run(options, judging, notify)
    with progress_bars() as progress:
        ahead = look_ahead(plan, progress, fresh=fresh)
    if dry_run:
        for line in describe(plan, ahead):
            console().print(line)
        return
    if json:
        require_target(json)
    require_ready(plan, ahead, notify)
    _carry_out(plan, json, bounds, min_coverage, fresh=fresh, verify_bytes=verify_bytes)


def _carry_out(
    plan: RunPlan,
    json: Path | None,
    bounds: bool | None,
    min_coverage: float,
    *,
    fresh: bool,
    verify_bytes: bool,
) -> None:
    """Run a plan, print and write its results, and exit with 0 where enough clips are scored."""
    from bench.cli.console import (
        notices,
        notify,
        print_failures,
        print_result,
        progress_bars,
        stop_cleanly,
    )
    from bench.io import write_json
    from bench.pipeline.bounds import add_bounds
    from bench.pipeline.run import run as run_plan
    from reports.formats import as_json

    with stop_cleanly():
        with progress_bars() as progress:
            result = run_plan(plan, progress, fresh=fresh, verify_bytes=verify_bytes)
        with progress_bars() as progress:
            below = add_bounds(plan, bounds, progress, notify)
    print_result(result.results, below)
    print_failures(result.failures, str(result.directory / "failures.jsonl"))
    notices().print(f"Samples, scores and provenance: {result.directory}")
    if json:
        write_json(json, as_json(result.results, result.failures, result.provenance, below))
    raise typer.Exit(0 if result.results.coverage >= min_coverage else 1)


def _describe_estimate(plan: RunPlan, ahead: Estimate, gpus: int | None = None) -> list[str]:
    from bench.pipeline.run import GIBIBYTE, format_duration

    stages = ", ".join(
        f"{stage} {format_duration(each.seconds)} ({'measured' if each.is_measured else 'guessed'})"
        for stage, each in ahead.times.items()
    )
    need, free = ahead.bytes_needed / GIBIBYTE, ahead.bytes_free / GIBIBYTE
    lines = [
        f"{plan.system_name} on {plan.split.name}, seed {plan.seed}: {ahead.clips} clips",
        f"  generate  {ahead.to_generate} clips ({ahead.clips - ahead.to_generate} are made)",
        f"  score     {ahead.to_score} clips: {', '.join(each.name for each in plan.metrics)}",
        f"  time      about {format_duration(ahead.seconds)}: {stages}",
        f"  disk      about {need:.2f} GiB of {free:.0f} GiB free",
    ]
    if gpus:
        lines += _describe_gpus(plan, ahead, gpus)
    if ahead.stale:
        lines.append(f"  again     {ahead.stale}")
    if refused := plan.split.refused:
        lines.append(f"  refused   {len(refused)} clips, e.g. {refused[0].reason}")
    if ahead.to_generate and plan.system.lacks and (missing := plan.system.lacks()):
        lines.append(f"  missing   {missing}")
    return [*lines, f"  into      {plan.results_directory}"]


def _describe_gpus(plan: RunPlan, ahead: Estimate, gpus: int) -> list[str]:
    from bench.pipeline.estimate import predict_on_gpus
    from bench.pipeline.run import GIBIBYTE, format_duration

    found = predict_on_gpus(plan, ahead, gpus)
    how = "measured" if found.is_measured else "guessed"
    read = "unknown" if found.bytes_read is None else f"about {found.bytes_read / GIBIBYTE:.2f} GiB"
    return [
        f"  GPUs      {gpus}: about {format_duration(found.wall_seconds)}, "
        f"{found.gpu_seconds / 3600:.2f} GPU hours (rate of the system {how})",
        f"  traffic   {read} read and {found.bytes_written / GIBIBYTE:.2f} GiB written, "
        "where files are on a network",
    ]
