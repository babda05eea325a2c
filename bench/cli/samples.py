"""``bench samples``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bench.results import Results
    from bench.types import Clip
    from reports.spectrograms import ClipPanel

#: The scores that are printed beside a clip, where it has them.
PRINTED_SCORES = ("desync", "onset_acc", "mcd")


def samples(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    clips: Annotated[
        int, typer.Option(min=1, max=16, help="How many clips, of different prompts.")
    ] = 8,
    out: Annotated[Path, typer.Option(help="The PNG to draw.")] = Path("samples.png"),
) -> None:
    """Draw spectrograms of a run: target, reference and sample of some clips, with true events."""
    from bench.cli.console import notices
    from bench.errors import RunError
    from bench.io import require_target
    from bench.pipeline.spectrograms import choose_varied_clips, find_scored_clips
    from bench.results import load_results, load_rows
    from reports.spectrograms import plot_spectrograms

    require_target(out)
    results = load_results(run)
    chosen = choose_varied_clips(find_scored_clips(run, results), clips)
    if not chosen:
        raise RunError(f"{run} has no scored clip to draw: failures.jsonl there says why")
    condition = "" if results.condition == "full" else f" ({results.condition})"
    rows = load_rows(run).set_index("clip")
    panels = [_describe_clip(run, clip, results, rows.loc[clip.name]) for clip in chosen]
    plot_spectrograms(f"{results.system}{condition} on {results.split}", panels, out)
    notices().print(f"{out}")


def _describe_clip(run: Path, clip: Clip, results: Results, row: Any) -> ClipPanel:
    """Spectrograms, true events and scores of one clip."""
    from bench.pipeline.compare import find_run_folder
    from bench.pipeline.spectrograms import compute_spectrogram, find_true_events
    from bench.types import Excerpt
    from reports.spectrograms import ClipPanel, Part, Spectrogram

    path = find_run_folder(run) / "samples" / f"{clip.name}.flac"
    excerpts: dict[Part, Excerpt | None] = {
        "target": clip.audio,
        "generated": Excerpt(path, 0.0, clip.seconds),
        "reference": clip.reference,
    }
    parts = {
        name: Spectrogram(*compute_spectrogram(excerpt))
        for name, excerpt in excerpts.items()
        if excerpt is not None
    }
    known = {column.name: column for column in results.columns}
    columns = {name: known[name] for name in PRINTED_SCORES if name in known and name in row}
    scores = tuple(
        f"{column.label} {row[name]:.{min(column.decimals, 2)}f} {column.unit}".rstrip()
        for name, column in columns.items()
    )
    title = f"{clip.prompt}  ({clip.name})"
    return ClipPanel(title, clip.seconds, find_true_events(clip), parts, scores)
