"""``bench samples``: spectrograms of a run, as a page of clips or as the paper's Figure 4."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.options import FigureFormat, choose_figure

if TYPE_CHECKING:
    from bench.results import Results
    from bench.types import Clip, Excerpt
    from reports.conditions_figure import VideoPanel
    from reports.spectrograms import ClipPanel

#: The scores that are printed beside a clip, where it has them.
PRINTED_SCORES = ("desync", "onset_acc", "mcd")
#: Those beside a sample of Figure 4, which is about the reference.
CONDITION_SCORES = ("mcd_ref", "desync")
#: The one figure of the paper that shows samples.
FIGURE = 4
#: Figure 4: how many videos, and references of each.
N_VIDEOS, N_REFERENCES = 2, 3
FRAMES_PER_S, FRAME_SIDE = 1.0, 96


def samples(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    clips: Annotated[
        int, typer.Option(min=1, max=16, help="How many clips, of different prompts.")
    ] = 8,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The file to draw; its suffix is the format.", show_default="samples.png"
        ),
    ] = None,
    format: FigureFormat = None,
    figure: Annotated[
        int | None,
        typer.Option(help="4 draws the paper's Figure 4: two videos, each under three references."),
    ] = None,
) -> None:
    """Draw spectrograms of a run: target, reference and sample of some clips, with true events."""
    from bench.cli.console import notices
    from bench.errors import BenchError, RunError
    from bench.io import require_target
    from bench.pipeline.spectrograms import choose_varied_clips, find_scored_clips
    from bench.results import load_results, load_rows
    from reports.conditions_figure import plot_conditions
    from reports.spectrograms import plot_spectrograms

    if figure not in (None, FIGURE):
        raise BenchError(f"no figure {figure} of samples; there is {FIGURE}, as in the paper")
    destination = choose_figure(out, format, "samples" if figure is None else "figure-4")
    require_target(destination)
    results = load_results(run)
    scored = find_scored_clips(run, results)
    if not scored:
        raise RunError(f"{run} has no scored clip to draw: failures.jsonl there says why")
    condition = "" if results.condition == "full" else f" ({results.condition})"
    title = f"{results.system}{condition} on {results.split}"
    rows = load_rows(run).set_index("clip")
    if figure is None:
        chosen = choose_varied_clips(scored, clips)
        panels = [_describe_clip(run, clip, results, rows.loc[clip.name]) for clip in chosen]
        plot_spectrograms(title, panels, destination)
    else:
        chosen_videos = _choose_videos(run, scored)
        videos = [_describe_video(run, *each, results, rows) for each in chosen_videos]
        world = ", mini world" if results.is_mini else ""
        plot_conditions(f"{title}{world}", videos, destination)
    notices().print(f"{destination}")


def _describe_clip(run: Path, clip: Clip, results: Results, row: Any) -> ClipPanel:
    """Spectrograms, true events and scores of one clip."""
    from bench.pipeline.spectrograms import compute_spectrogram, find_true_events
    from reports.spectrograms import ClipPanel, Part, Spectrogram

    excerpts: dict[Part, Excerpt | None] = {
        "target": clip.audio,
        "generated": _sample(run, clip),
        "reference": clip.reference,
    }
    parts = {
        name: Spectrogram(*compute_spectrogram(excerpt))
        for name, excerpt in excerpts.items()
        if excerpt is not None
    }
    title = f"{clip.prompt}  ({clip.name})"
    scores = _print_scores(results, row, PRINTED_SCORES)
    return ClipPanel(title, clip.seconds, find_true_events(clip), parts, scores)


def _choose_videos(run: Path, scored: Sequence[Clip]) -> list[tuple[Excerpt, list[Clip]]]:
    """Two videos of different prompts, each with its clips under three references.

    Raises:
        RunError: there are not as many.
    """
    from bench.errors import RunError
    from bench.pipeline.spectrograms import choose_varied_clips, group_by_video

    found = group_by_video(scored).items()
    videos = {some[0].name: (video, some) for video, some in found if len(some) >= N_REFERENCES}
    if len(videos) < N_VIDEOS:
        raise RunError(
            f"{run} has {len(videos)} videos under {N_REFERENCES} references or more, Figure "
            f"{FIGURE} needs {N_VIDEOS}: draw it of a run on mini-references or mini-hits, "
            "wavcaps-references or greatesthits-pairs"
        )
    chosen = choose_varied_clips([some[0] for _, some in videos.values()], N_VIDEOS)
    # Of five references every other one: the same for both videos.
    step = 2 if all(len(some) >= 2 * N_REFERENCES - 1 for _, some in videos.values()) else 1
    return [
        (video, some[::step][:N_REFERENCES]) for video, some in (videos[c.name] for c in chosen)
    ]


def _describe_video(
    run: Path, video: Excerpt, clips: Sequence[Clip], results: Results, rows: Any
) -> VideoPanel:
    """Frames, true audio and events of one video, and what was generated under each reference."""
    from bench.media import read_frames
    from bench.pipeline.spectrograms import compute_spectrogram, find_true_events
    from bench.types import MAX_SHORTFALL_S
    from reports.conditions_figure import ConditionPanel, VideoPanel
    from reports.spectrograms import Spectrogram

    first = clips[0]
    frames = read_frames(video, FRAMES_PER_S, short_side=FRAME_SIDE, shortfall_s=MAX_SHORTFALL_S)
    conditions = [
        ConditionPanel(
            clip.group or clip.name.rpartition("_to_")[2],
            Spectrogram(*compute_spectrogram(clip.reference)),
            Spectrogram(*compute_spectrogram(_sample(run, clip))),
            ", ".join(_print_scores(results, rows.loc[clip.name], CONDITION_SCORES)),
        )
        for clip in clips
        if clip.reference
    ]
    target = Spectrogram(*compute_spectrogram(first.audio)) if first.audio else None
    title = f"{first.prompt}  ({first.name.partition('_to_')[0]})"
    events_s = find_true_events(first)
    return VideoPanel(title, first.seconds, frames.pixels, events_s, target, tuple(conditions))


def _sample(run: Path, clip: Clip) -> Excerpt:
    from bench.pipeline.compare import find_run_folder
    from bench.types import Excerpt

    return Excerpt(find_run_folder(run) / "samples" / f"{clip.name}.flac", 0.0, clip.seconds)


def _print_scores(results: Results, row: Any, names: Sequence[str]) -> tuple[str, ...]:
    """The scores of a clip with their labels and units, those that it has."""
    known = {column.name: column for column in results.columns}
    columns = {name: known[name] for name in names if name in known and name in row}
    return tuple(
        f"{column.label} {row[name]:.{min(column.decimals, 2)}f} {column.unit}".rstrip()
        for name, column in columns.items()
    )
