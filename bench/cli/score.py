"""``bench score``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.completion import complete_match
from bench.cli.engine_options import with_engine
from bench.cli.options import (
    BatchSize,
    Clap,
    JudgeName,
    Metrics,
    MinCoverage,
    Profile,
    Timeout,
    WeightsFolder,
    Workers,
)

if TYPE_CHECKING:
    from bench.engine.choice import EngineChoice
    from bench.pipeline.folders import FolderPlan


@with_engine
def score(
    generated: Annotated[
        Path, typer.Option(help="The folder of generated audio, or of videos with it.")
    ],
    reference: Annotated[
        Path, typer.Option(help="The folder of true audio, or of videos with it.")
    ],
    videos: Annotated[
        Path | None, typer.Option(help="The folder of the videos, for the columns ib and desync.")
    ] = None,
    unpaired: Annotated[
        bool,
        typer.Option("--unpaired", help="Compare two whole sets: no pairs, any names and numbers."),
    ] = False,
    match: Annotated[
        str,
        typer.Option(
            help="Pair files by name, or by order where samples are named by their row in a table.",
            autocompletion=complete_match,
        ),
    ] = "name",
    metrics: Metrics = None,
    clap: Clap = False,
    prompts: Annotated[
        Path | None,
        typer.Option(
            help="A table of names and prompts, for --clap.",
            show_default="labels.csv or .tsv in REFERENCE",
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            help="Compare exactly this much; shorter files then fail.",
            show_default="the shorter file of each pair, up to 8",
        ),
    ] = None,
    profile: Profile = "av-benchmark",
    judge: JudgeName = None,
    weights: WeightsFolder = None,
    device: Annotated[
        str, typer.Option(help="Where the judge's networks run: cpu, cuda, cuda:1.")
    ] = "cpu",
    batch_size: BatchSize = None,
    workers: Workers = None,
    timeout: Timeout = None,
    json: Annotated[Path | None, typer.Option(help="Write the results to this file.")] = None,
    parquet: Annotated[
        Path | None, typer.Option(help="Write the scores by clip to this file.")
    ] = None,
    bounds: Annotated[
        bool,
        typer.Option("--bounds", help="Also print floor and ceiling: anchors on the same pairs."),
    ] = False,
    min_coverage: MinCoverage = 1.0,
    *,
    engine: EngineChoice,
) -> None:
    """Score any folder of audio against another: paired by file name, or set against set."""
    from bench.cli.console import notify
    from bench.pipeline.columns import JudgeOptions
    from bench.pipeline.prepare import FolderOptions, plan_folders

    options = FolderOptions(
        generated=generated,
        reference=reference,
        videos=videos,
        unpaired=unpaired,
        match=match,
        prompts=prompts,
        parquet=parquet,
        bounds=bounds,
        seconds=seconds,
        workers=workers,
        timeout=timeout,
        engine=engine,
    )
    judging = JudgeOptions(
        metrics=metrics,
        clap=clap,
        profile=profile,
        judge=judge,
        weights=weights,
        device=device,
        batch_size=batch_size,
    )
    plan = plan_folders(options, judging, notify)
    _carry_out(plan, json, parquet, bounds=bounds, min_coverage=min_coverage)


def _carry_out(
    plan: FolderPlan,
    json: Path | None,
    parquet: Path | None,
    *,
    bounds: bool,
    min_coverage: float,
) -> None:
    """Score the folders, write and print the results; exit with 0 where enough is scored."""
    from bench.cli.console import notify, print_failures, print_result, progress_bars, stop_cleanly
    from bench.io import require_target, write_json
    from bench.pipeline.bounds import add_folder_bounds
    from bench.pipeline.folders import score_folders
    from bench.results import write_rows
    from reports.formats import as_json

    for file in (json, parquet):
        if file:
            require_target(file)
    with stop_cleanly(is_resumed=False):
        with progress_bars() as progress:
            result = score_folders(plan, progress)
        if bounds:
            with progress_bars() as progress:
                result = add_folder_bounds(plan, result, progress, notify)
    if json:
        content = as_json(result.results, result.failures, result.provenance, result.bounds)
        write_json(json, content)
    if parquet:
        write_rows(parquet, result.rows, plan.metrics)
    print_result(result.results, result.bounds)
    print_failures(result.failures, str(json) if json else "--json FILE keeps them")
    raise typer.Exit(0 if result.results.coverage >= min_coverage else 1)
