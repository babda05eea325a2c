"""``bench verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.completion import complete_split
from bench.cli.options import Device, WeightsFolder, Workers

if TYPE_CHECKING:
    from bench.verification import Verification

#: So many problems are printed; the file of --json has them all.
N_PRINTED = 20


def verify(
    run: Annotated[Path, typer.Argument(help="The folder with the scores.json of a run.")],
    sample: Annotated[
        int, typer.Option(min=0, help="Extract the features of so many clips again.")
    ] = 10,
    regenerate: Annotated[
        int,
        typer.Option(min=0, help="Make the samples of so many clips again, and compare the audio."),
    ] = 0,
    salt: Annotated[
        str | None,
        typer.Option(
            help="That of an earlier check chooses its clips again.", show_default="random"
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="The split of the run, where it needs an argument: folder:PATH.",
            show_default="by its name in the run",
            autocompletion=complete_split,
        ),
    ] = None,
    weights: WeightsFolder = None,
    device: Device = "cpu",
    workers: Workers = None,
    json: Annotated[
        Path | None,
        typer.Option(help="Also write the outcome to this file; a board reads RUN/verify.json."),
    ] = None,
) -> None:
    """Check that the scores of a run follow from its samples: exit 1 if they do not.

    Clips are chosen at random. Exit 2 if the run cannot be checked here. Who made
    the samples is not proved, unless they are made again by --regenerate.
    """
    from bench.cli.console import console, notices, progress_bars
    from bench.engine import core_count
    from bench.io import require_target
    from bench.pipeline.verify import VerifyOptions, verify_run
    from bench.verification import write_verification

    if json:
        require_target(json)
    options = VerifyOptions(
        run=run,
        sample=sample,
        regenerate=regenerate,
        salt=salt,
        split=split,
        weights=weights,
        device=device,
        workers=core_count() if workers is None else workers,
    )
    with progress_bars() as progress:
        found = verify_run(options, progress)
    if json:
        write_verification(json, found)
    for problem in found.problems[:N_PRINTED]:
        notices().print(problem, style="red", markup=False)
    if (more := len(found.problems) - N_PRINTED) > 0:
        notices().print(f"and {more} more; --json FILE has them all")
    console().print(_summarise(found), markup=False)
    raise typer.Exit(0 if found.is_verified else 1)


def _summarise(found: Verification) -> str:
    from bench.verification import MEANING

    about = f"{found.system} on {found.split}, {found.n_scored} clips"
    if not found.is_verified:
        n = len(found.problems)
        about = about if found.system else "the folder was not read"
        return f"not verified: {about}: {n} {'problem' if n == 1 else 'problems'}"
    again = f", the samples of {len(found.regenerated)} made again" if found.regenerated else ""
    return (
        f"verified: {about}; features of {len(found.sampled)} extracted again{again}\n"
        f"{MEANING[0].upper()}{MEANING[1:]}.\n"
        f"--salt {found.salt} chooses these clips again."
    )
