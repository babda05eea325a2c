"""``bench weights``: list, fetch and verify the official files."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.options import Names, WeightsFolder

app = typer.Typer(help="The checkpoints of the judges' networks.", no_args_is_help=True)


@app.command("list")
def list_files(weights: WeightsFolder = None) -> None:
    """List every file: official name, size, checksum, licence, columns, whether it is here."""
    from bench.checkpoints.commands import print_files
    from bench.checkpoints.registry import OFFICIAL_FILES, weights_directory

    print_files(OFFICIAL_FILES.values(), weights or weights_directory())


@app.command()
def fetch(
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
    from bench.checkpoints.commands import fetch_files
    from bench.checkpoints.fetch import Origin
    from bench.checkpoints.registry import select_weights, weights_directory

    rows = select_weights(names or [])
    fetch_files(rows, weights or weights_directory(), Origin(mirror, offline))


@app.command()
def verify(names: Names = None, weights: WeightsFolder = None) -> None:
    """Compare the checksums of the files that are here; exit 1 if one is not the official one."""
    from bench.checkpoints.commands import find_bad_files
    from bench.checkpoints.registry import OFFICIAL_FILES, select_weights, weights_directory
    from bench.checkpoints.verify import fetch_command
    from bench.cli.console import notices

    directory = weights or weights_directory()
    rows = select_weights(names or OFFICIAL_FILES)
    if not names:
        rows = tuple(row for row in rows if (directory / row.file).is_file())
    bad = find_bad_files(rows, directory)
    if not rows:
        notices().print(f"No weights in {directory}: run `bench weights fetch`")
    if bad:
        notices().print(f"To fix: {fetch_command(bad, directory)}")
    raise typer.Exit(1 if bad or not rows else 0)
