"""``bench data``: prepare clips, verify clips, draw them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.options import Workers, complete_split

if TYPE_CHECKING:
    from bench.engine import Engine

PREPARED = ("mini", "vggsound", "greatesthits", "wavcaps", "tvc")

app = typer.Typer(help="Prepare or verify the clips of a split.", no_args_is_help=True)


@app.command()
def prepare(
    dataset: Annotated[
        str,
        typer.Argument(
            help="mini, or a dataset of yours: vggsound, greatesthits, wavcaps, tvc.",
            autocompletion=complete_split,
        ),
    ],
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Your copy: a folder in any form, or one archive."),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            help="vggsound.csv, for clips to train on; AMT_test_set.json of CondFoley's pairs.",
            show_default="(in --from)",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws the references of wavcaps.")] = 0,
    clips: Annotated[int | None, typer.Option(min=1, help="Only the first N mini clips.")] = None,
    workers: Workers = None,
) -> None:
    """Render the mini clips, or find the clips of a dataset in your copy of it."""
    from bench.engine import core_count, open_engine
    from bench.errors import BenchError

    if dataset not in PREPARED:
        raise BenchError(
            f"there is nothing to prepare for {dataset!r}; there is: {', '.join(PREPARED)} "
            "(mini-hits, mini-references and mini-conflict are made of the clips of mini)"
        )
    engine = open_engine(core_count() if workers is None else workers)
    if dataset == "mini":
        _prepare_mini(clips, engine)
        return
    if source is None:
        raise BenchError(
            f"name your copy of {dataset} by --from PATH: a folder in any form, or one archive"
        )
    options = {"table": table} | ({"seed": seed} if dataset == "wavcaps" else {})
    _prepare_copy(dataset, source, engine, options)


def _prepare_mini(clips: int | None, engine: Engine) -> None:
    from functools import partial

    from bench.cli.console import notices, progress_bars, stop_cleanly
    from bench.io import require_folder
    from bench.splits.mini import N_CLIPS, mini_directory, prepare_mini

    require_folder(mini_directory())
    preparation = prepare_mini(clips or N_CLIPS, engine)
    with stop_cleanly(), progress_bars() as progress:
        report = partial(progress, "render")
        report(0, preparation.total)
        for done, _ in enumerate(preparation.rows, 1):
            report(done, preparation.total)
    notices().print(f"{preparation.total} clips in {mini_directory()}")


def _prepare_copy(dataset: str, source: Path, engine: Engine, options: dict[str, Any]) -> None:
    from importlib import import_module

    from bench.cli.console import console, notices, progress_bars, stop_cleanly

    module = import_module(f"bench.datasets.{dataset}")
    notices().print(module.LICENCE)
    with stop_cleanly(), progress_bars() as progress:
        manifest = module.prepare(source, engine, progress, **options)
    for note in manifest.notes:
        notices().print(f"Note: {note}")
    console().print(module.summarize(manifest))


@app.command()
def verify(
    split: Annotated[
        str,
        typer.Argument(help="A name of `bench list splits`.", autocompletion=complete_split),
    ],
) -> None:
    """Check that every clip of a split exists, decodes and is long enough; exit 1 if not."""
    from functools import partial

    from bench.cli.console import console, notices, progress_bars
    from bench.engine import core_count, open_engine
    from bench.splits import open_split
    from bench.splits.verify import verify_split

    opened = open_split(split)
    engine = open_engine(core_count())
    with progress_bars() as progress:
        found = verify_split(opened, engine, partial(progress, "verify"))
    for sentence in (*found.problems, *found.remarks):
        console().print(sentence)
    for note in opened.notes:
        notices().print(note)
    total = len(opened.clips) + len(opened.refused)
    notices().print(f"{split}: {total} clips, {len(found.problems)} problems")
    raise typer.Exit(1 if found.problems else 0)


@app.command()
def sheet(
    out: Annotated[Path, typer.Option(help="The folder of the two PNGs.")] = Path("docs"),
) -> None:
    """Draw the mini world: a contact sheet of frames and a page of spectrograms."""
    from bench.cli.console import notices
    from bench.synthetic.figures import plot_contact_sheet, plot_spectrogram_page

    plot_contact_sheet(out / "mini-frames.png")
    plot_spectrogram_page(out / "mini-sounds.png")
    notices().print(f"{out / 'mini-frames.png'}, {out / 'mini-sounds.png'}")
