"""The command tree. Each command is in the file of its name, and imports what it needs itself."""

from __future__ import annotations

from typing import Annotated

import typer

from bench import __version__
from bench.cli import data, study, systems, weights
from bench.cli.ablate import ablate
from bench.cli.compare import compare
from bench.cli.crosscheck import crosscheck
from bench.cli.leaderboard import leaderboard
from bench.cli.list import doctor, list_rows
from bench.cli.pages import effects, validate
from bench.cli.report import report
from bench.cli.reproduce import reproduce
from bench.cli.results import results
from bench.cli.run import run
from bench.cli.samples import samples
from bench.cli.score import score
from bench.cli.table import table
from bench.cli.verify import verify
from bench.terminal import print_line

app = typer.Typer(
    help="The reference benchmark for video-to-audio (Foley) generation.",
    no_args_is_help=True,
    # Those of typer print local variables, which are whole arrays here.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
app.command()(reproduce)
app.command()(score)
app.command()(table)
app.command()(results)
app.command()(compare)
app.command()(verify)
app.command()(leaderboard)
app.command()(crosscheck)
app.command("list")(list_rows)
app.command()(doctor)
app.command()(validate)
app.command()(effects)
app.command()(samples)
app.command()(report)
app.add_typer(data.app, name="data")
app.add_typer(weights.app, name="weights")
app.add_typer(systems.app, name="systems")
app.add_typer(study.app, name="study")
