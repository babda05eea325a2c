"""``bench study serve``: the survey for raters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    study: Annotated[Path, typer.Argument(help="The folder of the study.")],
    host: Annotated[
        str, typer.Option(help="The address to listen at; 0.0.0.0 for other machines.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = (
        8000
    ),
    contact: Annotated[
        str, typer.Option(help="Whom raters may ask, as they are shown it before they agree.")
    ] = "",
    retention: Annotated[
        str | None,
        typer.Option(
            help="How long answers are kept, as raters are shown it.",
            show_default="without a time limit",
        ),
    ] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Take answers of simulated raters alone.")
    ] = False,
) -> None:
    """Serve the survey to raters until Ctrl-C; what is confirmed to them is on the disk."""
    from bench.cli.console import notify, stop_cleanly
    from bench.study.server.app import Survey
    from bench.study.server.serve import serve_study
    from bench.terminal import print_line

    survey = Survey(contact, retention or Survey.retention, simulated)

    def announce(url: str) -> None:
        print_line(url)
        if not contact:
            notify("note: raters are shown no contact; name one by --contact")

    with stop_cleanly():
        serve_study(study, host, port, survey, announce)
