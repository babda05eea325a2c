"""``bench score``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import typer

from bench.cli.bounds import find_folder_bounds
from bench.cli.console import (
    notices,
    print_failures,
    print_result,
    progress_bars,
    worker_count,
)
from bench.cli.judge import Choice, choose, require_devices
from bench.cli.run import as_json
from bench.errors import BenchError
from bench.inputs import Labels, find_labels, read_labels
from bench.io import bench_home, require_folder, require_target, write_json
from bench.pipeline import FolderPlan, score_folders, score_unpaired
from bench.pipeline.folders import LONGEST_SECONDS
from bench.pipeline.pairing import MATCHES
from bench.results import write_rows
from bench.splits.split import BASE_METRICS, NETWORK_METRICS
from bench.suite import DEFAULT_PROFILE, Metric, select

WITHOUT_PICTURE = tuple(name for name in NETWORK_METRICS if name not in {"ib", "desync"})


def score_command(
    *,
    generated: Path,
    reference: Path,
    videos: Path | None,
    prompts: Path | None,
    is_paired: bool,
    match: str,
    choice: Choice,
    seconds: float | None,
    workers: int | None,
    timeout_s: float | None,
    json_file: Path | None,
    parquet: Path | None,
    bounds: bool,
    min_coverage: float,
) -> None:
    """Compare two folders, print, write what was asked for; exit 1 where clips lack a score."""
    _check_match(match)
    if not is_paired and (videos or parquet or prompts or choice.clap or bounds or match != "name"):
        raise BenchError(
            "--unpaired compares whole sets: it takes no --videos, --parquet, --clap, --prompts, "
            "--bounds or --match order"
        )
    wanted = _wanted(videos, is_paired)
    judge, metrics = choose(choice, wanted, seconds or LONGEST_SECONDS, is_mini=False)
    labels = _labels(metrics, reference, prompts)
    _check_sides(metrics, videos)
    plan = FolderPlan(
        generated=generated,
        reference=reference,
        videos=videos,
        seconds=seconds,
        judge=judge,
        metrics=metrics,
        workers=worker_count(workers),
        device=choice.device,
        labels=labels,
        match=match,
        timeout_s=timeout_s,
    )
    if is_paired and not videos and choice.metrics is None:
        notices().print("ib and desync compare with the video: name its folder with --videos")
    require_devices(choice.device)
    require_folder(bench_home())
    for file in (json_file, parquet):
        if file:
            require_target(file)
    with progress_bars() as progress:
        result = (score_folders if is_paired else score_unpaired)(plan, progress)
    below = find_folder_bounds(plan, result) if bounds else ()
    if json_file:
        write_json(json_file, as_json(result.results, result.failures, result.provenance, below))
    if parquet:
        write_rows(parquet, result.rows, plan.metrics)
    print_result(result.results, below)
    print_failures(result.failures, str(json_file) if json_file else "--json FILE keeps them")
    raise typer.Exit(0 if result.results.coverage >= min_coverage else 1)


def _check_match(match: str) -> None:
    if match not in MATCHES:
        raise BenchError(f"--match {match!r} is not known; there are: {', '.join(MATCHES)}")


def _wanted(videos: Path | None, is_paired: bool) -> tuple[str, ...]:
    """The columns that come by default."""
    if not is_paired:
        rows = select(DEFAULT_PROFILE)
        return tuple(metric.name for metric in rows if metric.score_set is not None)
    networks = NETWORK_METRICS if videos else WITHOUT_PICTURE
    return (*networks, *BASE_METRICS)


def _labels(metrics: Iterable[Metric], reference: Path, file: Path | None) -> Labels | None:
    """The prompts of the references, where a column reads them.

    Raises:
        BenchError: there are none, or there is a file of them and no column that reads it.
    """
    if not any(metric.against == "prompt" for metric in metrics):
        if file:
            raise BenchError("only the column clap reads --prompts: ask for it with --clap")
        return None
    if file is None and reference.is_dir():
        file = find_labels(reference)
    if file is None:
        raise BenchError(
            f"clap compares audio with prompts and {reference} holds no labels.csv or labels.tsv: "
            "give a .csv or .tsv of names and prompts with --prompts FILE"
        )
    return read_labels(file)


def _check_sides(metrics: Iterable[Metric], videos: Path | None) -> None:
    """Refuse columns that compare with what two folders do not hold."""
    there = {"target", "prompt", "picture"} if videos else {"target", "prompt"}
    for metric in metrics:
        if metric.against not in there:
            what = "a folder of --videos" if metric.against == "picture" else "a split: bench run"
            raise BenchError(f"{metric.name} compares with the {metric.against}: it needs {what}")
