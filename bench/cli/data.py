"""``bench data``: prepare clips, verify clips, filter clips, draw them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.completion import complete_split
from bench.cli.options import BatchSize, Device, MinCoverage, Profile, WeightsFolder, Workers

if TYPE_CHECKING:
    from bench.engine import Engine
    from bench.pipeline.ib_filter import ScoredClip
    from bench.pipeline.ib_list import FilterReport

PREPARED = (
    "mini",
    "vggsound",
    "greatesthits",
    "wavcaps",
    "foleybench",
    "moviegen",
    "audiocaps",
    "tvc",
)

app = typer.Typer(help="Prepare, verify or filter the clips of a split.", no_args_is_help=True)


def _complete_dataset(incomplete: str) -> list[str]:
    return [name for name in PREPARED if name.startswith(incomplete)]


@app.command()
def prepare(
    dataset: Annotated[
        str,
        typer.Argument(
            help="mini, or a dataset of yours: " + ", ".join(PREPARED[1:]) + ".",
            autocompletion=_complete_dataset,
        ),
    ],
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Your copy: a folder in any form, or one archive."),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            help="vggsound.csv or train.csv of AudioCaps, for clips to train on; AMT_test_set.json "
            "of CondFoley's pairs; the blacklist of wavcaps; the prompts of moviegen.",
            show_default="(in --from)",
        ),
    ] = None,
    purpose: Annotated[
        str | None,
        typer.Option("--for", help="training: all pieces of wavcaps, instead of five references."),
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
    if purpose is not None and (dataset, purpose) != ("wavcaps", "training"):
        raise BenchError(
            f"--for {purpose} is not known for {dataset}; there is: wavcaps --for training"
        )
    engine = open_engine(core_count() if workers is None else workers)
    if dataset == "mini":
        _prepare_mini(clips, engine)
        return
    if source is None:
        raise BenchError(
            f"name your copy of {dataset} by --from PATH: a folder in any form, or one archive"
        )
    if purpose is not None:
        _prepare_copy("wavcaps_training", source, engine, {"table": table})
        return
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
    lists: Annotated[
        list[Path] | None,
        typer.Option(
            "--list",
            help="Also count the clips of this list of VGGSound (MMAudio's, V-AURA's, ...).",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write every clip of VGGSound, its reason and its lists as CSV."),
    ] = None,
) -> None:
    """Check that every clip of a split exists, decodes and is long enough; exit 1 if not.

    For VGGSound it also counts how many clips of each list are here, and why others are not.
    """
    from functools import partial

    from bench.cli.console import console, notices, progress_bars, stop_cleanly
    from bench.cli.coverage import find_lists, print_coverage
    from bench.engine import core_count, open_engine
    from bench.errors import BenchError
    from bench.io import require_target
    from bench.splits import open_split
    from bench.splits.verify import verify_split

    is_vggsound = split.startswith(("vggsound", "wavcaps"))
    if (lists or out) and not is_vggsound:
        raise BenchError(f"--list and --out are for splits of VGGSound, not {split}")
    if out is not None:
        require_target(out)
    opened = open_split(split)
    counted = find_lists(split, lists or ()) if is_vggsound else None
    engine = open_engine(core_count())
    with stop_cleanly(), progress_bars() as progress:
        found = verify_split(opened, engine, partial(progress, "verify"))
    if counted is not None:
        print_coverage(counted, found, split, out)
    else:
        for sentence in (*found.problems, *found.remarks):
            console().print(sentence)
    for note in opened.notes:
        notices().print(note)
    total = len(opened.clips) + len(opened.refused)
    notices().print(f"{split}: {total} clips, {len(found.problems)} problems")
    raise typer.Exit(1 if found.problems else 0)


@app.command(name="filter")
def filter_clips(
    dataset: Annotated[str, typer.Argument(help="vggsound.")],
    list_name: Annotated[
        str, typer.Option("--list", help="The clips of the manifest: test, or train.")
    ] = "test",
    min_ib: Annotated[
        float, typer.Option(min=-1.0, max=1.0, help="Keep clips with at least this cosine.")
    ] = 0.3,
    profile: Profile = "av-benchmark",
    device: Device = "cpu",
    weights: WeightsFolder = None,
    batch_size: BatchSize = None,
    workers: Workers = None,
    part: Annotated[
        str | None,
        typer.Option(help="Only score the share of one of several processes: 0/8 to 7/8."),
    ] = None,
    compare: Annotated[
        Path | None, typer.Option(help="Another list of names, such as V-AURA's: the overlap.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a list that was not computed here.")
    ] = False,
    min_coverage: MinCoverage = 1.0,
) -> None:
    """Score the clips of a list by ImageBind, and write the names of those that reach a threshold.

    The same command again finishes an interrupted one; without --part it merges the parts.
    """
    from acfoley.train.cli import parse_part
    from bench.cli.console import notices, notify, progress_bars, stop_cleanly
    from bench.engine import core_count
    from bench.errors import BenchError
    from bench.pipeline import ib_filter, ib_list
    from bench.pipeline.columns import JudgeOptions

    if dataset != "vggsound":
        raise BenchError(f"there is no filter for {dataset!r}; there is: vggsound")
    judging = JudgeOptions(profile=profile, weights=weights, device=device, batch_size=batch_size)
    chosen = parse_part(part) if part else None
    share = (chosen.index, chosen.n_parts) if chosen else None
    if share and (compare or force):
        raise BenchError("--part only scores: give --compare and --force without it, at the end")
    n_workers = core_count() if workers is None else workers
    plan = ib_filter.plan_filter(list_name, min_ib, judging, n_workers, notify, share)
    if share is None and not force:
        ib_list.require_own_list(plan)
    other = ib_list.read_other_list(plan, compare) if compare else None
    with stop_cleanly(), _naming_leftovers(plan.work), progress_bars() as progress:
        rows = ib_filter.score_list(plan, progress)
    _print_unscored(rows, plan.path)
    n_scored = sum(row.score is not None for row in rows)
    if share is None:
        report = ib_list.write_list(plan, rows, other)
        _print_filter(report, ib_list.describe_report(report))
    else:
        notices().print(f"{n_scored} of {len(rows)} clips have a score: {plan.path}")
    raise typer.Exit(0 if n_scored >= min_coverage * len(rows) else 1)


@contextmanager
def _naming_leftovers(work: Path) -> Iterator[None]:
    """Tell where samples are if the block is stopped: a filter may never go on."""
    from bench.cli.console import notices

    try:
        yield
    except KeyboardInterrupt:
        if work.is_dir():
            text = f"{work} has the samples of up to 1,000 clips: delete it if you will not go on."
            notices().print(text, soft_wrap=True)  # so that the path can be copied
        raise


def _print_unscored(rows: Sequence[ScoredClip], path: Path) -> None:
    from bench.cli.console import print_failures
    from bench.results import Failure

    unscored = [row for row in rows if row.score is None]
    print_failures([Failure(row.clip, "filter", row.reason) for row in unscored], str(path))


def _print_filter(report: FilterReport, lines: Sequence[tuple[str, str]]) -> None:
    from bench.cli.console import new_table, notices, print_titled

    drawn = new_table()
    drawn.add_column("clips")
    drawn.add_column("n", justify="right")
    for line in lines:
        drawn.add_row(*line)
    title = f"ImageBind of at least {report.min_ib:g}, profile {report.profile}"
    print_titled(title, drawn, notes=(f"{report.file}: SHA-256 {report.sha256}",))
    notices().print(f"Only clips within {report.windows.within:g} are scored in other windows too.")


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
