"""``acfoley precompute``, ``train`` and ``ema``. Heavy imports wait inside the commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from acfoley.train.presets import RECIPES
from bench.terminal import print_line, print_notice

NAMES = ", ".join(RECIPES)

Folders = Annotated[
    list[Path], typer.Option("--data", help="Folders of features; repeat for several.")
]


def add_commands(app: typer.Typer) -> None:
    """Make the commands of training part of ``app``."""
    app.command()(precompute)
    app.command()(train)
    app.command()(ema)


def precompute(
    out: Annotated[Path, typer.Option(help="The folder that features go to.")],
    list_: Annotated[
        Path | None,
        typer.Option("--list", help="CSV or TSV: file, and prompt, name, start_s, score."),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="vggsound-train:FOLDER or vggsound-test:FOLDER.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Length of targets, 2 to 30 s.")] = 8.0,
    crops: Annotated[int, typer.Option(help="References cut from inside each target.")] = 8,
    part: Annotated[
        str, typer.Option(help="0/4: the first quarter of the clips, for one of 4 processes.")
    ] = "0/1",
    half: Annotated[bool, typer.Option("--half/--full", help="Store float16, or float32.")] = True,
    clap: Annotated[
        bool, typer.Option("--clap", help="Also embed references, for the recipe clap-encoder.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read what is there and compare checksums.")
    ] = False,
    weights: Annotated[
        Path | None, typer.Option(help="Where they lie.", show_default="$BENCH_HOME/weights")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1.")] = "cpu",
) -> None:
    """Encode clips for training, once: latents, references, CLIP, sync and text features.

    The same command again encodes what is missing, failed clips included; exit 1 while some fail.
    """
    from acfoley.train.commands import Encoded, precompute_command, verify_command

    if verify:
        verify_command(out)
        return
    precompute_command(
        Encoded(list_, split, out, seconds, crops, part, half, weights, device, clap)
    )


def train(
    data: Folders,
    out: Annotated[Path, typer.Option(help="The folder of the run.")],
    preset: Annotated[str, typer.Option(help=f"The recipe: {NAMES}.")] = "acfoley",
    stage: Annotated[
        str | None, typer.Option(help="Train up to the end of: overlap, non-overlap, finetune.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the run in the folder is.")
    ] = False,
    held_out: Annotated[
        list[Path] | None, typer.Option(help="Features whose loss is only looked at.")
    ] = None,
    borders: Annotated[
        str | None, typer.Option(help="Ends of the stages: 100000,220000,260000.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Clips of one step, of all processes together.")
    ] = None,
    accumulate: Annotated[int, typer.Option(help="Parts that a batch is computed in.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Of weights, order and noise.")] = None,
    warm_start: Annotated[
        Path | None, typer.Option(help="A checkpoint of MMAudio of the same size to begin with.")
    ] = None,
    log_every: Annotated[int, typer.Option(help="Steps between rows of the curve.")] = 50,
    validate_every: Annotated[int, typer.Option(help="Steps between validations.")] = 1_000,
    checkpoint_every: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 1_000,
    keep: Annotated[int, typer.Option(help="Checkpoints that stay.")] = 3,
    snapshot_every: Annotated[
        int | None, typer.Option(help="Steps between snapshots of the averages.")
    ] = None,
    half_snapshots: Annotated[
        bool, typer.Option("--half-snapshots", help="Store averages as float16.")
    ] = False,
    compile_: Annotated[bool, typer.Option("--compile", help="Compile the network.")] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1.")] = "cpu",
) -> None:
    """Train the flow network; on many GPUs with `torchrun --nproc-per-node N -m acfoley train`."""
    from acfoley.train.commands import Changes, chosen_recipe, train_command
    from acfoley.train.settings import TrainingData, TrainingSettings

    recipe = chosen_recipe(preset, Changes(borders, batch_size, seed, snapshot_every))
    settings = TrainingSettings(
        until=stage,
        n_accumulated=accumulate,
        log_every=log_every,
        validate_every=validate_every,
        checkpoint_every=checkpoint_every,
        keep=keep,
        snapshot_dtype="float16" if half_snapshots else "float32",
        compile=compile_,
        resume=resume,
    )
    train_command(recipe, TrainingData(data, held_out or ()), out, settings, warm_start, device)


def ema(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    target: Annotated[float, typer.Option(help="Relative width of the average.")] = 0.05,
    step: Annotated[int | None, typer.Option(help="After how many steps; all.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .safetensors file; in RUN.")
    ] = None,
) -> None:
    """Make weights of the averages that a run kept, of any width."""
    from acfoley.train.snapshots import synthesise

    path = output or run / f"weights-{target:g}.safetensors"
    used = synthesise(run, target, path, step=step)
    for snapshot, weight in used:
        print_notice(f"{weight:+.6f}  {snapshot.path.name}")
    print_line(f"{path}: relative width {target:g}, use it with --checkpoint")
