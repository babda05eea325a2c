"""The ``acfoley`` command. Everything heavy is imported inside the command that needs it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from acfoley.params import sequence_lengths
from acfoley.train.cli import add_commands
from bench import __version__
from bench.terminal import print_line, run_app

app = typer.Typer(
    help="AC-Foley: sound for a silent video, guided by a reference sound.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

WeightsFolder = Annotated[
    Path | None,
    typer.Option("--weights", help="Where they lie.", show_default="$BENCH_HOME/weights"),
]
PUBLISHED = "acfoley, small_44k, medium_44k, large_44k or large_44k_v2"
Preset = Annotated[str, typer.Option(help=f"{PUBLISHED}.")]


@app.callback()
def _root() -> None:
    """AC-Foley: sound for a silent video, guided by a reference sound."""


@app.command()
def version() -> None:
    """Print the version."""
    print_line(__version__)


@app.command()
def lengths(
    seconds: Annotated[float, typer.Option(help="Length of the video, 1 to 30 s.")] = 8.0,
) -> None:
    """How many tokens each stream of the model has for a video of this length."""
    for name, count in asdict(sequence_lengths(seconds)).items():
        print_line(f"{name:<12} {count:>9,}")


@app.command()
def generate(
    video: Annotated[Path, typer.Option(help="The video; its sound is not read.")],
    reference: Annotated[
        Path | None, typer.Option(help="A sound (or video) with the timbre to aim for.")
    ] = None,
    prompt: Annotated[str, typer.Option(help="What is to be heard, in words.")] = "",
    negative: Annotated[str, typer.Option(help="What is not to be heard.")] = "",
    mask: Annotated[str, typer.Option(help="Hide audio, sync, video, text (by commas).")] = "",
    mask_scope: Annotated[str, typer.Option(help="whole, or vector: only what is pooled.")] = (
        "whole"
    ),
    seconds: Annotated[float, typer.Option(help="Length, 1 to 30 s, from the start.")] = 8.0,
    steps: Annotated[int, typer.Option(help="Steps from noise to sound.")] = 25,
    cfg: Annotated[
        float | None, typer.Option(help="Guidance; 1 is none.  [default: 4.5; mini: 1.5]")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed makes the same sound.")] = 42,
    preset: Annotated[
        str,
        typer.Option(
            help=f"{PUBLISHED}; mini, mini_attention or mini_clap come with this package."
        ),
    ] = "acfoley",
    checkpoint: Annotated[
        Path | None, typer.Option(help="Other weights of the flow network, of the same preset.")
    ] = None,
    weights: WeightsFolder = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16: the flow network's.")] = (
        "float32"
    ),
    low_memory: Annotated[
        bool, typer.Option("--low-memory", help="On a GPU: networks take turns there.")
    ] = False,
    compile_: Annotated[bool, typer.Option("--compile", help="Compile the flow network.")] = False,
    whole_reference: Annotated[
        bool,
        typer.Option("--whole-reference", help="Hear up to 30 s of it, not its first 2.02 s."),
    ] = False,
    parity: Annotated[
        str, typer.Option(help="own, or official: noise in the order of the published inference.")
    ] = "own",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .mp4, .mov, .wav or .flac file."),
    ] = None,
) -> None:
    """Make sound for a video."""
    from acfoley.command import Order, generate_command
    from acfoley.generate import Loading, checked_settings

    sequence_lengths(seconds)
    settings = checked_settings(
        steps, cfg, mask, mask_scope, parity, "whole" if whole_reference else "published"
    )
    generate_command(
        Order(video, reference, prompt, negative, seconds, seed, preset, weights, output),
        settings,
        Loading(device, dtype, checkpoint, low_memory, compile_),
    )


@app.command()
def fetch(
    preset: Preset = "acfoley",
    weights: WeightsFolder = None,
    mirror: Annotated[
        str | None, typer.Option(help="A folder, or the URL of one, with the official file names.")
    ] = None,
    offline: Annotated[
        bool, typer.Option(envvar="BENCH_OFFLINE", help="Never touch the network.")
    ] = False,
) -> None:
    """Download the official files that a preset lacks; go on where it stopped."""
    from acfoley.command import fetch_command

    fetch_command(preset, weights, mirror, offline)


@app.command(name="weights")
def list_weights(weights: WeightsFolder = None) -> None:
    """List the official files, and which are here."""
    from acfoley.command import list_command

    list_command(weights)


add_commands(app)


def main() -> None:
    """Run the command line; refusals and bad values become one line and exit code 2."""
    run_app(app, ValueError)
