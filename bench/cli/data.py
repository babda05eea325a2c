"""``bench data``: make clips, check clips, draw them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import typer

from bench.cli.console import console, notices, progress_bars, worker_count
from bench.engine import open_engine
from bench.errors import BenchError
from bench.io import require_folder
from bench.splits import open_split
from bench.splits.verify import verify_split

PREPARED = ("mini",)


def prepare_command(split: str, clips: int | None, workers: int | None) -> None:
    """Render the mini clips."""
    from bench.splits.mini import N_CLIPS, mini_directory, prepare_mini

    if split not in PREPARED:
        raise BenchError(
            f"there is nothing to prepare for {split!r}; there is: {', '.join(PREPARED)} "
            "(mini-hits and mini-references are made of its clips)"
        )
    engine = open_engine(worker_count(workers))
    require_folder(mini_directory())
    preparation = prepare_mini(clips or N_CLIPS, engine)
    try:
        with progress_bars() as progress:
            _count(preparation.rows, partial(progress, "render"), preparation.total)
    except KeyboardInterrupt:
        notices().print("Stopped. The clips that are finished are kept.")
        raise typer.Exit(130) from None
    notices().print(f"{preparation.total} clips in {mini_directory()}")


def _count(rows: Iterable[object], progress: Callable[[int, int], None], total: int) -> None:
    progress(0, total)
    for done, _ in enumerate(rows, 1):
        progress(done, total)


def verify_command(spec: str) -> None:
    """Print what is wrong with the clips of a split; exit 1 if anything is."""
    split = open_split(spec)
    with progress_bars() as progress:
        problems = verify_split(split, open_engine(worker_count(None)), partial(progress, "verify"))
    for problem in problems:
        console().print(problem)
    for note in split.notes:
        notices().print(note)
    total = len(split.clips) + len(split.refused)
    notices().print(f"{spec}: {total} clips, {len(problems)} problems")
    raise typer.Exit(1 if problems else 0)


def sheet_command(out: Path) -> None:
    """Draw the two pages of the mini world."""
    from bench.synthetic.figures import plot_contact_sheet, plot_spectrogram_page

    plot_contact_sheet(out / "mini-frames.png")
    plot_spectrogram_page(out / "mini-sounds.png")
    notices().print(f"{out / 'mini-frames.png'}, {out / 'mini-sounds.png'}")
