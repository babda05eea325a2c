"""``--engine`` and the options that belong to it, which every command with long work has."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from bench.cli.completion import complete_engine

#: The heading of these options in the help of a command.
PANEL = "Engine"


def with_engine(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of engines to a command, which takes an ``EngineChoice`` in their place.

    What its runs share, such as the connection to a Ray cluster, is kept until the command ends.
    """
    added = inspect.signature(_declare, eval_str=True).parameters
    # The name alone: importing the engines would make each start of the program slower.
    own = inspect.signature(command, eval_str=True, locals={"EngineChoice": object})
    kept = [each for each in own.parameters.values() if each.name != "engine"]
    signature = own.replace(parameters=[*kept, *added.values()])

    @wraps(command)
    def choose_and_call(**given: Any) -> None:
        from bench.engine.choice import choose_engine

        bound = signature.bind(**given)
        bound.apply_defaults()
        options = {name: bound.arguments.pop(name) for name in added}
        choice = choose_engine(options.pop("engine"), workers=bound.arguments["workers"], **options)
        with choice.session():
            command(**bound.arguments, engine=choice)

    # These are what typer reads.
    choose_and_call.__signature__ = signature  # type: ignore[attr-defined]
    choose_and_call.__annotations__ = {}
    return choose_and_call


def _declare(
    engine: Annotated[
        str,
        typer.Option(
            envvar="BENCH_ENGINE",
            help="Where workers run: local (this machine), slurm (its jobs), or ray (its actors; "
            "RAY_ADDRESS names the cluster, without it there is one of this machine).",
            autocompletion=complete_engine,
            rich_help_panel=PANEL,
        ),
    ] = "local",
    partition: Annotated[
        str | None,
        typer.Option(
            help="The partition of Slurm to submit to.",
            show_default="that of the cluster",
            rich_help_panel=PANEL,
        ),
    ] = None,
    gpus_per_node: Annotated[
        int | None,
        typer.Option(
            min=1, help="GPUs of each job of Slurm; a worker has one.", rich_help_panel=PANEL
        ),
    ] = None,
    nodes: Annotated[
        int | None,
        typer.Option(min=1, help="Jobs of Slurm at a time, each on a node.", rich_help_panel=PANEL),
    ] = None,
    slurm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="A further option of sbatch: account=LAB, qos=LONG, time=120, constraint=h100; "
            "may be given several times.",
            rich_help_panel=PANEL,
        ),
    ] = None,
) -> None:
    """Have no body: the parameters are the options."""
