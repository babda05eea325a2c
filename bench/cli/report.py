"""``bench report``: a page of finished runs to open in a browser, watch, listen and compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.completion import complete_split
from bench.cli.options import Workers

if TYPE_CHECKING:
    from bench.pipeline.page_media import PageClip
    from bench.types import Clip
    from reports.page import PageInputs, PageScores

#: What marks a folder as one of a page, which may be written again.
MARK = Path("data", "report.js")


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run directories, or folders of runs.")],
    out: Annotated[Path, typer.Option(help="The folder of the page.")] = Path("report"),
    media: Annotated[
        str,
        typer.Option(
            help="How many clips to write video and audio of: in turn the worst, the best, and "
            "those that systems differ on most; all, or 0 for none."
        ),
    ] = "200",
    split: Annotated[
        str | None,
        typer.Option(
            help="Where the videos are, for runs of clips of your own: folder:PATH.",
            show_default="the split of the runs, by its name",
            autocompletion=complete_split,
        ),
    ] = None,
    workers: Workers = None,
) -> None:
    """Write a page of finished runs: tables, figures, and every clip to watch and listen to.

    It opens from disk, without a server. The same command again writes only what has changed.
    """
    from bench.cli.console import notices, stop_cleanly
    from bench.results import find_finished_runs
    from reports.page import load_scores, write_page

    n_media = _parse_media(media)
    _require_page_folder(out)
    scores = load_scores([each for path in runs for each in find_finished_runs(path)])
    with stop_cleanly():
        inputs = _export(out, scores, n_media, split, workers)
        page = write_page(out, scores, inputs)
    notices().print(f"{page}")


def _parse_media(text: str) -> int | None:
    """Return the number of clips with media, None for all."""
    from bench.errors import BenchError

    if text == "all":
        return None
    if not text.isdecimal():
        raise BenchError(f"--media {text!r} is not understood: name a number of clips, or all")
    return int(text)


def _require_page_folder(out: Path) -> None:
    """Create the folder; refuse one with other files, which a page would be mixed with.

    Raises:
        BenchError: it is a file, not writable, or holds something else.
    """
    from bench.errors import BenchError
    from bench.io import require_folder, write_script

    if out.exists() and not out.is_dir():
        raise BenchError(f"--out {out} is a file: name a folder for the page")
    require_folder(out)
    if (out / MARK).is_file():
        return
    if others := [each.name for each in out.iterdir()]:
        raise BenchError(
            f"--out {out} holds other files, such as {min(others)}: name an empty folder, or that "
            "of an earlier page"
        )
    # First of all, so that a page that was interrupted goes on in its folder.
    write_script(out / MARK, "report", None)


def _export(
    out: Path, scores: PageScores, n_media: int | None, split: str | None, workers: int | None
) -> PageInputs:
    """Write the media of the clips that were asked for, or are there already from earlier."""
    from bench.cli.console import notify, progress_bars
    from bench.engine import core_count
    from bench.pipeline.page_media import (
        estimate_bytes,
        export_media,
        is_finished,
        require_space,
        script_path,
    )
    from reports.page import PageInputs, choose_clips

    clips = _find_clips(scores, split)
    if not clips:
        name = scores.runs[0].results.split
        why = f"the videos of {name} were not at hand when this page was written."
        return PageInputs({}, {}, {}, f"No clip has video and audio here: {why}")
    sources = _find_sources(scores, clips)
    n = len(scores.clips) if n_media is None else n_media
    chosen = [sources[name] for name in choose_clips(scores, n) if name in sources]
    finished = {name for name, each in sources.items() if is_finished(out, each)}
    missing = [each for each in chosen if each.clip.name not in finished]
    failed: dict[str, str] = {}
    if missing:
        size = estimate_bytes(len(missing), len(scores.runs))
        clips_in_words = f"{len(missing):,} clip{'' if len(missing) == 1 else 's'}"
        notify(f"media of {clips_in_words}, about {size / 1e6:,.0f} MB")
        require_space(out, size)
        with progress_bars() as progress:
            n_workers = core_count() if workers is None else workers
            failed = export_media(out, missing, n_workers, progress)
    names = finished | {each.clip.name for each in missing if each.clip.name not in failed}
    paths = {name: script_path(sources[name]).as_posix() for name in sources if name in names}
    if failed:
        notify(f"{len(failed)} clips have no media: {next(iter(failed.values()))}")
    note = (
        f"{len(paths):,} of {len(scores.clips):,} clips have video and audio here: in turn the "
        "worst, the best and those that systems differ on most, by their mean rank in the columns "
        "of the paper. More: bench report --media all."
    )
    if len(paths) == len(scores.clips):
        note = "All clips have video and audio here."
    prompts = {name: clip.prompt for name, clip in clips.items()}
    return PageInputs(prompts, paths, failed, note)


def _find_clips(scores: PageScores, split: str | None) -> dict[str, Clip]:
    """Return the clips of the runs by name; where there are none, print why.

    Raises:
        BenchError: the split that the user named cannot be opened, or is not that of the runs.
    """
    from bench.cli.console import notify
    from bench.errors import BenchError
    from bench.splits import open_split

    name = scores.runs[0].results.split
    try:
        opened = open_split(split or name)
    except BenchError as error:
        if split is not None:
            raise
        notify(
            f"no clip gets video and audio, since the split {name} cannot be opened: {error}; "
            "videos of your own are named by --split folder:PATH"
        )
        return {}
    if opened.name != name:
        raise BenchError(f"--split {split} is the split {opened.name}, and the runs are of {name}")
    wanted = set(scores.clips)
    clips = {clip.name: clip for clip in opened.clips if clip.name in wanted}
    if not clips:
        notify(f"no clip gets video and audio: {name} has none of the clips of these runs")
    return clips


def _find_sources(scores: PageScores, clips: dict[str, Clip]) -> dict[str, PageClip]:
    from bench.pipeline.compare import find_run_folder
    from bench.pipeline.page_media import PageClip

    folders = [find_run_folder(run.directory) / "samples" for run in scores.runs]
    return {name: PageClip(clip, _samples(folders, name)) for name, clip in clips.items()}


def _samples(folders: Sequence[Path], name: str) -> tuple[Path, ...]:
    return tuple(folder / f"{name}.flac" for folder in folders)
