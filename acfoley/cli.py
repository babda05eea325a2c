"""The ``acfoley`` command."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from acfoley.params import sequence_lengths
from bench import __version__

app = typer.Typer(
    help="AC-Foley: sound for a silent video, guided by a reference sound.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root() -> None:
    """AC-Foley: sound for a silent video, guided by a reference sound."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def lengths(
    seconds: Annotated[float, typer.Option(help="Length of the video, 1 to 30 s.")] = 8.0,
) -> None:
    """How many tokens each stream of the model has for a video of this length."""
    for name, count in asdict(sequence_lengths(seconds)).items():
        typer.echo(f"{name:<12} {count:>9,}")


def main() -> None:
    """Run the command line; bad values become one line and exit code 2."""
    try:
        app()
    except ValueError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
