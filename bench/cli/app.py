"""The command tree. Each command is in the file of its name, and imports what it needs itself."""

from __future__ import annotations

from typing import Annotated

import typer

from bench import __version__
from bench.cli import data
from bench.cli.ablate import ablate
from bench.cli.compare import compare
from bench.cli.effects import effects
from bench.cli.list import list_rows
from bench.cli.options import Names, WeightsFolder
from bench.cli.run import run
from bench.cli.samples import samples
from bench.cli.score import score
from bench.cli.table import table
from bench.cli.validate import validate
from bench.terminal import print_line

app = typer.Typer(
    help="The reference benchmark for video-to-audio (Foley) generation.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
weights_app = typer.Typer(help="The checkpoints of the judges' networks.", no_args_is_help=True)


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


app.command()(run)
app.command()(ablate)
app.command()(score)
app.command()(table)
app.command()(compare)
app.command("list")(list_rows)


@app.command()
def doctor() -> None:
    """Check versions, devices, memory, disk and data; exit 1 if the main job cannot run."""
    from bench.cli.doctor import doctor_command

    doctor_command()


app.command()(validate)
app.command()(effects)
app.command()(samples)
app.add_typer(data.app, name="data")
app.add_typer(weights_app, name="weights")


@weights_app.command("list")
def weights_list(weights: WeightsFolder = None) -> None:
    """List every file: official name, size, checksum, licence, columns, whether it is here."""
    from bench.cli.weights import list_command

    list_command(weights)


@weights_app.command("fetch")
def weights_fetch(
    names: Names = None,
    weights: WeightsFolder = None,
    mirror: Annotated[
        str | None,
        typer.Option(help="A folder, or the URL of one, that has the official file names."),
    ] = None,
    offline: Annotated[
        bool, typer.Option(envvar="BENCH_OFFLINE", help="Never use the network.")
    ] = False,
) -> None:
    """Download missing files and verify them; continues an interrupted download."""
    from bench.cli.weights import fetch_weights_command

    fetch_weights_command(names or [], weights, mirror, offline)


@weights_app.command("verify")
def weights_verify(names: Names = None, weights: WeightsFolder = None) -> None:
    """Compare the checksums of the files that are here; exit 1 if one is not the official one."""
    from bench.cli.weights import verify_command

    verify_command(names or [], weights)
