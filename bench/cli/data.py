"""``bench data``: prepare clips, verify clips, draw them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import Workers, complete_split

PREPARED = ("mini",)

app = typer.Typer(help="Prepare or verify the clips of a split.", no_args_is_help=True)


@app.command()
def prepare(
    split: Annotated[
        str,
        typer.Argument(help="The split to prepare: mini.", autocompletion=complete_split),
    ],
    clips: Annotated[int | None, typer.Option(min=1, help="Only the first N clips.")] = None,
    workers: Workers = None,
) -> None:
    """Render the clips of a split; those that exist are kept."""
    from functools import partial

    from bench.cli.console import notices, progress_bars, stop_cleanly
    from bench.engine import core_count, open_engine
    from bench.errors import BenchError
    from bench.io import require_folder
    from bench.splits.mini import N_CLIPS, mini_directory, prepare_mini

    if split not in PREPARED:
        raise BenchError(
            f"there is nothing to prepare for {split!r}; there is: {', '.join(PREPARED)} "
            "(mini-hits and mini-references are made of its clips)"
        )
    engine = open_engine(core_count() if workers is None else workers)
    require_folder(mini_directory())
    preparation = prepare_mini(clips or N_CLIPS, engine)
    with stop_cleanly(), progress_bars() as progress:
        report = partial(progress, "render")
        report(0, preparation.total)
        for done, _ in enumerate(preparation.rows, 1):
            report(done, preparation.total)
    notices().print(f"{preparation.total} clips in {mini_directory()}")


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
    from bench.splits.split import verify_split

    opened = open_split(split)
    engine = open_engine(core_count())
    with progress_bars() as progress:
        problems = verify_split(opened, engine, partial(progress, "verify"))
    for problem in problems:
        console().print(problem)
    for note in opened.notes:
        notices().print(note)
    total = len(opened.clips) + len(opened.refused)
    notices().print(f"{split}: {total} clips, {len(problems)} problems")
    raise typer.Exit(1 if problems else 0)


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
