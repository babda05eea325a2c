"""``bench ablate``: components, stages, pooling (Tables 6, 4 and 5), and inputs in conflict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.completion import (
    complete_ablated,
    complete_conflict,
    complete_pooling,
    complete_stage,
)
from bench.cli.engine_options import with_engine
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
    ReferenceFrom,
    Runs,
    Seed,
    SplitName,
    Timeout,
    WeightsFolder,
    Workers,
    Yes,
)

if TYPE_CHECKING:
    from bench.engine.choice import EngineChoice
    from bench.pipeline.ablation import AblationRow
    from bench.pipeline.plan import RunPlan
    from bench.pipeline.run import RunResult
    from bench.results import Results


@with_engine
def ablate(
    split: SplitName = None,
    mask: Annotated[
        str | None,
        typer.Option(
            help="Table 6: components to mask, one run each: audio, sync, video, text, or all.",
            autocompletion=complete_ablated,
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
    conflict: Annotated[
        str | None,
        typer.Option(
            help="An input against the video, from true to unrelated: text (five prompts), or "
            "reference (from the same clip, the same class, another class).",
            autocompletion=complete_conflict,
        ),
    ] = None,
    model: Model = None,
    mask_scope: MaskScope = "whole",
    reference_from: ReferenceFrom = None,
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
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the columns over the levels of --conflict, as .png, .svg or .pdf."),
    ] = None,
    keep_samples: KeepSamples = False,
    yes: Yes = False,
    bounds: Bounds = None,
    min_coverage: MinCoverage = 1.0,
    *,
    engine: EngineChoice,
) -> None:
    """Compare a model with itself: --mask, --stage, --pooling, or inputs in --conflict.

    The first three take names between commas, or all. Any system that declares masks can be masked;
    acfoley and acfoley-mini have variants that were trained otherwise. Any system that takes text
    or a reference can be put under conflict.
    """
    from bench.cli.console import notify
    from bench.pipeline.ablation import Ablation, plan_ablation
    from bench.pipeline.columns import JudgeOptions
    from bench.pipeline.prepare import RunOptions

    options = RunOptions(
        model=model,
        split=split,
        limit=limit,
        only=only,
        clips=clip or (),
        seed=seed,
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
        profile=profile,
        judge=judge,
        weights=weights,
        device=judge_device or device,
        batch_size=batch_size,
    )
    ablation = Ablation(mask, stage, pooling, mask_scope, conflict)
    if plot:
        _require_plot(conflict, plot)
    rows = plan_ablation(ablation, options, judging, notify)
    _run_all(rows, conflict, json, plot, bounds=bounds, min_coverage=min_coverage)


def _run_all(
    rows: list[AblationRow],
    conflict: str | None,
    json: Path | None,
    plot: Path | None,
    *,
    bounds: bool | None,
    min_coverage: float,
) -> None:
    """Run every row, print the table, write the files, and exit with 0 where all are covered."""
    from bench.cli.console import notices, notify, print_failures, progress_bars, stop_cleanly
    from bench.io import require_target
    from bench.pipeline.bounds import add_bounds
    from bench.pipeline.run import look_ahead, require_ready
    from bench.pipeline.run import run as run_plan

    for path in filter(None, (json, plot)):
        require_target(path)
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
    runs_made = list(results.values())
    if conflict == "text":
        results, below = _split_text(rows[0].plan, results["text"], below)
    _print(rows, results, below, conflict, min_coverage)
    for made in runs_made:
        print_failures(made.failures, str(made.directory / "failures.jsonl"))
    _write(results, conflict, json, plot)
    is_covered = all(made.results.coverage >= min_coverage for made in runs_made)
    raise typer.Exit(0 if is_covered else 1)


def _require_plot(conflict: str | None, plot: Path) -> None:
    """Refuse a figure of nothing, or one that could not be drawn after all runs."""
    from bench.errors import BenchError
    from bench.extras import describe_missing_module, has_module
    from bench.figures import figure_format

    if not conflict:
        raise BenchError("--plot draws the curves of --conflict, which was not given")
    figure_format(plot)
    if not has_module("matplotlib"):
        raise BenchError(describe_missing_module("matplotlib", "--plot"))


def _split_text(
    plan: RunPlan, made: RunResult, bounds: tuple[Results, ...]
) -> tuple[dict[str, RunResult], tuple[Results, ...]]:
    """The results of each prompt's level; the bounds are those of the first, the true one."""
    from dataclasses import replace

    from bench.errors import BenchError
    from bench.synthetic.protocols import CONFLICT_LEVELS
    from reports.conflict import split_levels

    clips = {
        level: [clip.name for clip in plan.clips if clip.group == level]
        for level in CONFLICT_LEVELS
    }
    levels = split_levels(made.results, made.failures, clips)
    if not levels:
        raise BenchError(f"no clip was scored; {made.directory / 'failures.jsonl'} has the reasons")
    results = {
        level: replace(
            made,
            results=found,
            failures=tuple(each for each in made.failures if each.clip.endswith(f"_{level}")),
        )
        for level, found in levels.items()
    }
    first = next(iter(levels))
    below = (split_levels(each, (), {first: clips[first]}) for each in bounds)
    return results, tuple(each[first] for each in below if each)


def _print(
    rows: list[AblationRow],
    results: dict[str, RunResult],
    bounds: tuple[Results, ...],
    conflict: str | None,
    min_coverage: float,
) -> None:
    """Print the table."""
    from dataclasses import replace

    from bench.cli.console import print_table
    from reports.conflict import build_conflict_table
    from reports.tables import build_table, with_bounds

    if conflict:
        levels = {name: made.results for name, made in results.items()}
        below = with_bounds(list(levels.values()), bounds)[len(levels) :]
        print_table(build_conflict_table(levels, below, conflict, min_coverage))
        return
    found = [
        replace(results[row.name].results, system=row.label)
        if row.label
        else results[row.name].results
        for row in rows
    ]
    print_table(build_table(with_bounds(found, bounds), min_coverage=min_coverage))


def _write(
    results: dict[str, RunResult], conflict: str | None, json: Path | None, plot: Path | None
) -> None:
    """Write all rows, and the figure of their curves, where they were asked for."""
    from bench.io import write_json
    from reports.conflict import plot_conflict
    from reports.formats import as_json

    if json:
        rows = {
            name: as_json(made.results, made.failures, made.provenance)
            for name, made in results.items()
        }
        write_json(json, {"rows": rows})
    if plot and conflict:
        plot_conflict({name: made.results for name, made in results.items()}, conflict, plot)
