"""The command tree. Everything heavy is imported inside the command that needs it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench import __version__
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
    Model,
    Names,
    Only,
    Profile,
    Runs,
    Seed,
    SplitName,
    Timeout,
    VerifyBytes,
    WeightsFolder,
    Workers,
    Yes,
)
from bench.terminal import print_line

app = typer.Typer(
    help="The reference benchmark for video-to-audio (Foley) generation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Make or check the clips of a split.", no_args_is_help=True)
app.add_typer(data_app, name="data")
weights_app = typer.Typer(help="The checkpoints of the judges' networks.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")


def _show_version(value: bool) -> None:
    if value:
        print_line(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Version.")
    ] = False,
) -> None:
    """The reference benchmark for video-to-audio (Foley) generation."""


@app.command()
def run(
    split: SplitName = None,
    model: Model = None,
    limit: Limit = None,
    only: Only = None,
    clip: ClipNames = None,
    seed: Seed = 42,
    mask: Mask = None,
    mask_scope: MaskScope = "whole",
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
    json: Annotated[Path | None, typer.Option(help="Also write the result here.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Say what would be done, and do nothing.")] = False,
    fresh: Annotated[
        bool, typer.Option(help="Discard what this run made of these clips before.")
    ] = False,
    keep_samples: KeepSamples = False,
    yes: Yes = False,
    verify_bytes: VerifyBytes = False,
    bounds: Bounds = None,
    min_coverage: MinCoverage = 1.0,
) -> None:
    """Generate, score and print a table. The same command again finishes an interrupted run."""
    from bench.cli.judge import Choice
    from bench.cli.plan import (
        Order,
        choose_split,
        choose_stale,
        default_model,
    )
    from bench.cli.run import run_command
    from bench.splits.pick import pick_clips
    from bench.types import parse_condition

    stale = choose_stale(keep_samples, yes)
    chosen = choose_split(split)
    clips = pick_clips(chosen, limit=limit, only=only, names=clip or ())
    condition = parse_condition(mask, mask_scope)
    name = model or default_model(chosen)
    run_command(
        Order(name, chosen, clips, seed, workers, runs, condition, device, stale, timeout),
        Choice(metrics, profile, judge, weights, judge_device or device, batch_size, clap),
        json_file=json,
        dry_run=dry_run,
        fresh=fresh,
        verify_bytes=verify_bytes,
        bounds=bounds,
        min_coverage=min_coverage,
    )


@app.command()
def ablate(
    split: SplitName = None,
    mask: Annotated[
        str | None,
        typer.Option(help="Table 6: components to mask, one run each: audio, sync, video, text."),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(
            help="Table 4: other ways to train it: overlap-only, non-overlap-only, two-stage."
        ),
    ] = None,
    pooling: Annotated[
        str | None,
        typer.Option(help="Table 5: how a reference becomes one vector: attention, average."),
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
    json: Annotated[Path | None, typer.Option(help="Also write all rows here.")] = None,
    keep_samples: KeepSamples = False,
    yes: Yes = False,
    bounds: Bounds = None,
    min_coverage: MinCoverage = 1.0,
) -> None:
    """A model beside itself masked, or trained otherwise: one of --mask, --stage and --pooling.

    Each takes names between commas, or all. Any system that declares masks can be masked; acfoley
    and acfoley-mini have variants that were trained otherwise.
    """
    from bench.cli.ablate import Ablation, ablate_command
    from bench.cli.judge import Choice
    from bench.cli.plan import Order, choose_split, choose_stale, default_model
    from bench.splits.pick import pick_clips

    stale = choose_stale(keep_samples, yes)
    chosen = choose_split(split)
    clips = pick_clips(chosen, limit=limit, only=only, names=clip or ())
    name = model or default_model(chosen)
    ablate_command(
        Order(
            name,
            chosen,
            clips,
            seed,
            workers,
            runs,
            device=device,
            stale=stale,
            timeout_s=timeout,
        ),
        Choice(metrics, profile, judge, weights, judge_device or device, batch_size),
        Ablation(mask, stage, pooling, mask_scope),
        json_file=json,
        bounds=bounds,
        min_coverage=min_coverage,
    )


@app.command()
def score(
    generated: Annotated[Path, typer.Option(help="Folder of generated audio (or videos).")],
    reference: Annotated[Path, typer.Option(help="Folder of true audio (or videos).")],
    videos: Annotated[Path | None, typer.Option(help="Folder of the videos.")] = None,
    unpaired: Annotated[
        bool, typer.Option("--unpaired", help="Compare two sets: no pairs, any names and numbers.")
    ] = False,
    match: Annotated[
        str,
        typer.Option(
            help="Pair files by name, or by order where samples are named by the row of a table."
        ),
    ] = "name",
    metrics: Metrics = None,
    clap: Clap = False,
    prompts: Annotated[
        Path | None,
        typer.Option(
            help="Names and prompts, for --clap.", show_default="labels.csv or .tsv in REFERENCE"
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.1, help="Compare exactly this much; shorter files then fail."),
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
    json: Annotated[Path | None, typer.Option(help="Write the result here.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write per-clip scores here.")] = None,
    bounds: Annotated[
        bool, typer.Option("--bounds", help="Also floor and ceiling: anchors on the same pairs.")
    ] = False,
    min_coverage: MinCoverage = 1.0,
) -> None:
    """Score any folder of audio against another: paired by file name, or set against set."""
    from bench.cli.judge import Choice
    from bench.cli.score import score_command

    score_command(
        generated=generated,
        reference=reference,
        videos=videos,
        prompts=prompts,
        is_paired=not unpaired,
        match=match,
        choice=Choice(metrics, profile, judge, weights, device, batch_size, clap),
        seconds=seconds,
        workers=workers,
        timeout_s=timeout,
        json_file=json,
        parquet=parquet,
        bounds=bounds,
        min_coverage=min_coverage,
    )


@app.command()
def table(
    runs: Annotated[list[Path], typer.Argument(help="Run directories, or folders of runs.")],
    format: Annotated[str, typer.Option(help="terminal, markdown, latex or csv.")] = "terminal",
    extras: Annotated[bool, typer.Option(help="Also the columns that the paper lacks.")] = False,
    bounds: Annotated[bool, typer.Option(help="Also floor and ceiling, where they are.")] = True,
    min_coverage: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Rank runs that scored this share of their clips."),
    ] = 1.0,
    out: Annotated[Path | None, typer.Option(help="Write here instead of printing.")] = None,
) -> None:
    """Make tables of finished runs: one per split, judge, profile and version of the suite."""
    from bench.cli.table import table_command

    table_command(runs, format, extras, out, bounds=bounds, min_coverage=min_coverage)


@app.command()
def compare(
    base: Annotated[Path, typer.Argument(help="Run directory to compare with.")],
    new: Annotated[Path, typer.Argument(help="Run directory that should not be worse.")],
    primary: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated columns that decide.", show_default="the paper's ten columns"
        ),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(help="TOML file of margins and levels by column, see docs/compare.md."),
    ] = None,
    require_equivalence: Annotated[
        bool,
        typer.Option("--require-equivalence", help="Fail unless every column is shown not worse."),
    ] = False,
    max_differ: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of clips that only one run may have scored."),
    ] = 0.01,
    format: Annotated[str, typer.Option(help="terminal or markdown.")] = "terminal",
    out: Annotated[
        Path | None, typer.Option(help="Write the Markdown here instead of printing it.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(help="Also write JUnit XML here, a test case per column.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Also write all numbers here.")] = None,
) -> None:
    """Regression gate: exit 1 if a primary column of NEW is worse than BASE beyond its margin.

    The test is paired by clip and adjusted for the number of columns. Exit 2 if the runs cannot be
    compared.
    """
    from bench.cli.compare import Targets, compare_command, gate_rules

    compare_command(
        base,
        new,
        gate_rules(rules, primary),
        Targets(format, out, junit, json),
        require_equivalence=require_equivalence,
        max_differ=max_differ,
    )


@app.command("list")
def list_things(
    what: Annotated[str, typer.Argument(help="models, splits or metrics.")],
) -> None:
    """What there is, what it needs, and what is missing on this machine."""
    from bench.cli.list import list_command

    list_command(what)


@app.command()
def doctor() -> None:
    """Versions, devices, memory, disk, data: exit 1 when the main job cannot run."""
    from bench.cli.doctor import doctor_command

    doctor_command()


@app.command()
def validate(
    out: Annotated[Path, typer.Option(help="Where the figure and the table go.")] = Path("docs"),
    clips: Annotated[int, typer.Option(min=2, help="How many mini clips.")] = 32,
    workers: Workers = None,
    runs: Runs = Path("runs"),
) -> None:
    """Known-truth curves: what each metric says of samples with a known fault, on mini clips."""
    from bench.cli.validate import validate_command

    validate_command(out, clips, workers, runs)


@app.command()
def effects(
    runs: Annotated[Path, typer.Argument(help="Folder of finished runs.")] = Path("runs"),
    seed: Seed = 42,
    out: Annotated[Path, typer.Option(help="Where the page goes.")] = Path("docs/effects.md"),
) -> None:
    """The paper's claims, asked of the runs of the mini AC-Foley: a table with verdicts."""
    from bench.cli.effects import effects_command

    effects_command(runs, seed, out)


@app.command()
def samples(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    clips: Annotated[int, typer.Option(min=1, max=16, help="How many, of different prompts.")] = 8,
    out: Annotated[Path, typer.Option(help="The picture to draw.")] = Path("samples.png"),
) -> None:
    """Draw spectrograms of a run: target, reference and sample of some clips, with true events."""
    from bench.cli.samples import samples_command

    samples_command(run, clips, out)


@data_app.command("prepare")
def data_prepare(
    split: Annotated[str, typer.Argument(help="mini.")],
    clips: Annotated[int | None, typer.Option(min=1, help="Only the first N clips.")] = None,
    workers: Workers = None,
) -> None:
    """Make the clips of a split; those that are there are kept."""
    from bench.cli.data import prepare_command

    prepare_command(split, clips, workers)


@data_app.command("verify")
def data_verify(split: Annotated[str, typer.Argument(help="A split.")]) -> None:
    """Check every clip of a split: there, whole, decodable, long enough; exit 1 if one is not."""
    from bench.cli.data import verify_command

    verify_command(split)


@data_app.command("sheet")
def data_sheet(
    out: Annotated[Path, typer.Option(help="Where the two pictures go.")] = Path("docs"),
) -> None:
    """Draw the mini world: a contact sheet of frames and a page of spectrograms."""
    from bench.cli.data import sheet_command

    sheet_command(out)


@weights_app.command("list")
def weights_list(weights: WeightsFolder = None) -> None:
    """Every file: its official name, size, checksum, licence, what needs it, whether it is here."""
    from bench.cli.weights import list_command

    list_command(weights)


@weights_app.command("fetch")
def weights_fetch(
    names: Names = None,
    weights: WeightsFolder = None,
    mirror: Annotated[
        str | None, typer.Option(help="A folder, or the URL of one, with the official file names.")
    ] = None,
    offline: Annotated[
        bool, typer.Option(envvar="BENCH_OFFLINE", help="Never touch the network.")
    ] = False,
) -> None:
    """Download what is missing, check it, put it in place; goes on where it was interrupted."""
    from bench.cli.weights import fetch_weights_command

    fetch_weights_command(names or [], weights, mirror, offline)


@weights_app.command("verify")
def weights_verify(names: Names = None, weights: WeightsFolder = None) -> None:
    """Read the files that are here and compare checksums; exit 1 if one is not the official one."""
    from bench.cli.weights import verify_command

    verify_command(names or [], weights)
