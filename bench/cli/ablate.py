"""``bench ablate``: components, stages of training and pooling (Tables 6, 4 and 5)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.options import (
    BatchSize,
    Bounds,
    ClipNames,
    Device,
    JudgeDevice,
    JudgeName,
    KeepSamples,
    Limit,
    MaskScope,
    Metrics,
    MinCoverage,
    Model,
    Only,
    Profile,
    Runs,
    Seed,
    SplitName,
    Timeout,
    WeightsFolder,
    Workers,
    Yes,
    complete_mask,
    complete_pooling,
    complete_stage,
)

if TYPE_CHECKING:
    from bench.pipeline.ablation import AblationRow
    from bench.pipeline.run import RunResult
    from bench.results import Results


def ablate(
    split: SplitName = None,
    mask: Annotated[
        str | None,
        typer.Option(
            help="Table 6: components to mask, one run each: audio, sync, video, text, or all.",
            autocompletion=complete_mask,
        ),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(
            help="Table 4: stages of training: overlap-only, non-overlap-only, two-stage, or all.",
            autocompletion=complete_stage,
        ),
    ] = None,
    pooling: Annotated[
        str | None,
        typer.Option(
            help="Table 5: how a reference becomes one vector: attention, average, or all.",
            autocompletion=complete_pooling,
        ),
    ] = None,
    model: Model = None,
    mask_scope: MaskScope = "whole",
    limit: Limit = None,
    only: Only = None,
    clip: ClipNames = None,
    seed: Seed = 42,
    metrics: Metrics = None,
    profile: Profile = "av-benchmark",
    judge: JudgeName = None,
    weights: WeightsFolder = None,
    device: Device = "cpu",
    judge_device: JudgeDevice = None,
    batch_size: BatchSize = None,
    workers: Workers = None,
    timeout: Timeout = None,
    runs: Runs = Path("runs"),
    json: Annotated[Path | None, typer.Option(help="Also write all rows to this file.")] = None,
    keep_samples: KeepSamples = False,
    yes: Yes = False,
    bounds: Bounds = None,
    min_coverage: MinCoverage = 1.0,
) -> None:
    """Compare a model with itself masked or trained otherwise: --mask, --stage or --pooling.

    Each takes names between commas, or all. Any system that declares masks can be masked; acfoley
    and acfoley-mini have variants that were trained otherwise.
    """
    from bench.cli.console import notices, notify, progress_bars, stop_cleanly
    from bench.io import require_target, write_json
    from bench.pipeline.ablation import Ablation, plan_ablation
    from bench.pipeline.bounds import add_bounds
    from bench.pipeline.columns import JudgeOptions
    from bench.pipeline.prepare import RunOptions
    from bench.pipeline.run import look_ahead, require_ready
    from bench.pipeline.run import run as run_plan
    from reports.formats import as_json

    options = RunOptions(
        model=model,
        split=split,
        limit=limit,
        only=only,
        clips=clip or (),
        seed=seed,
        device=device,
        workers=workers,
        timeout=timeout,
        runs=runs,
        keep_samples=keep_samples,
        yes=yes,
    )
    judging = JudgeOptions(
        metrics=metrics,
        profile=profile,
        judge=judge,
        weights=weights,
        device=judge_device or device,
        batch_size=batch_size,
    )
    rows = plan_ablation(Ablation(mask, stage, pooling, mask_scope), options, judging, notify)
    if json:
        require_target(json)
    for row in rows:
        # All rows before the first runs: the last one must not be refused after hours.
        require_ready(row.plan, look_ahead(row.plan), notify)
    results: dict[str, RunResult] = {}
    with stop_cleanly():
        for row in rows:
            notices().print(f"{row.plan.system_name}: {row.name}", style="bold")
            with progress_bars() as progress:
                results[row.name] = run_plan(row.plan, progress)
        with progress_bars() as progress:
            below = add_bounds(rows[0].plan, bounds, progress, notify)
    _print(rows, results, below, min_coverage)
    if json:
        found = {
            name: as_json(each.results, each.failures, each.provenance)
            for name, each in results.items()
        }
        write_json(json, {"rows": found})
    is_covered = all(each.results.coverage >= min_coverage for each in results.values())
    raise typer.Exit(0 if is_covered else 1)


def _print(
    rows: list[AblationRow],
    results: dict[str, RunResult],
    bounds: tuple[Results, ...],
    min_coverage: float,
) -> None:
    """Print the table, and the failures of each run."""
    from dataclasses import replace

    from bench.cli.console import print_failures, print_table
    from reports.tables import build_table, with_bounds

    found = [
        replace(results[row.name].results, system=row.label)
        if row.label
        else results[row.name].results
        for row in rows
    ]
    print_table(build_table(with_bounds(found, bounds), min_coverage=min_coverage))
    for each in results.values():
        print_failures(each.failures, str(each.directory / "failures.jsonl"))
