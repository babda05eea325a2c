"""``bench score``."""

from __future__ import annotations

from pathlib import Path

import typer

from bench.cli.console import (
    notices,
    print_failures,
    print_result,
    progress_bars,
    split_names,
    worker_count,
)
from bench.cli.running import as_json
from bench.files import write_json
from bench.results import write_rows
from bench.runs import FolderPlan, score_folders
from bench.splits.split import BASE_METRICS
from bench.suite import select


def score_command(
    *,
    generated: Path,
    reference: Path,
    videos: Path | None,
    metrics: str | None,
    seconds: float | None,
    profile: str,
    workers: int | None,
    json_file: Path | None,
    parquet: Path | None,
) -> None:
    """Compare two folders, print, write what was asked for; exit 1 where clips failed."""
    plan = FolderPlan(
        generated=generated,
        reference=reference,
        videos=videos,
        seconds=seconds,
        profile=profile,
        metrics=select(profile, split_names(metrics) or BASE_METRICS),
        workers=worker_count(workers),
    )
    if videos:
        notices().print("none of these columns looks at the picture: --videos is only checked")
    with progress_bars() as progress:
        result = score_folders(plan, progress)
    if json_file:
        write_json(json_file, as_json(result.results, result.failures, result.provenance))
    if parquet:
        write_rows(parquet, result.rows, plan.metrics)
    print_result(result.results)
    print_failures(result.failures, str(json_file) if json_file else "--json FILE keeps them")
    raise typer.Exit(1 if result.failures else 0)
