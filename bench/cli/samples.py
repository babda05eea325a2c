"""``bench samples``: what a run made, to the eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.cli.console import notices
from bench.errors import RunError
from bench.io import require_target
from bench.media import read_audio, resample
from bench.pipeline.run_features import find_run_folder
from bench.results import Column, Results, load_results, load_rows
from bench.splits import SPLITS, open_split
from bench.synthetic.audio import SAMPLE_RATE_HZ
from bench.synthetic.figures import compute_band_powers
from bench.types import MAX_SHORTFALL_S, Clip, Excerpt
from reports.spectrograms import Part, Shown, Spectrogram, plot_spectrograms

#: The scores that stand beside a clip, where it has them.
SHOWN_SCORES = ("desync", "onset_acc", "mcd")

#: Keeps the level of silence finite: -120 dB.
FLOOR = 1e-12


def samples_command(run: Path, n_clips: int, out: Path) -> None:
    """Draw clips of a run whose prompts differ as much as they can."""
    require_target(out)
    results = load_results(run)
    clips = varied_clips(_clips(run, results), n_clips)
    if not clips:
        raise RunError(f"{run} has no scored clip to draw: failures.jsonl there says why")
    condition = "" if results.condition == "full" else f" ({results.condition})"
    rows = load_rows(run).set_index("clip")
    shown = [_shown(run, clip, results, rows.loc[clip.name]) for clip in clips]
    plot_spectrograms(f"{results.system}{condition} on {results.split}", shown, out)
    notices().print(f"{out}")


def varied_clips(clips: Sequence[Clip], n: int) -> list[Clip]:
    """``n`` clips: prompts that begin alike come late, and those that share many words."""
    chosen: list[Clip] = []
    left = list(clips)
    while left and len(chosen) < n:
        best = min(left, key=lambda clip: _likeness(clip, chosen))
        left.remove(best)
        chosen.append(best)
    return chosen


def _likeness(clip: Clip, others: Sequence[Clip]) -> tuple[int, int]:
    """How often the first word of a prompt, and all of its words, are in those of others."""
    seen = [word for other in others for word in other.prompt.split()]
    words = clip.prompt.split()
    return sum(map(seen.count, words[:1])), sum(map(seen.count, words))


def true_events(clip: Clip) -> tuple[float, ...]:
    """When something happens in a clip, in seconds from its start; nothing where nobody knows."""
    if "hits" in clip.truth:
        return tuple(clip.truth["hits"])
    times = (event["time_s"] - clip.audio.start_s for event in clip.truth.get("events", ()))
    return tuple(time for time in times if 0 <= time < clip.seconds)


def _clips(run: Path, results: Results) -> list[Clip]:
    """The clips that the run scored.

    Raises:
        RunError: the split cannot be opened by its name.
    """
    if results.split not in SPLITS:
        raise RunError(
            f"{run} is of {results.split}, expected a split that is opened by name: "
            f"{', '.join(name for name, entry in SPLITS.items() if not entry.argument)}"
        )
    scored = set(load_rows(run)["clip"])
    return [clip for clip in open_split(results.split).clips if clip.name in scored]


def _shown(run: Path, clip: Clip, results: Results, row: Any) -> Shown:
    sample = Excerpt(find_run_folder(run) / "samples" / f"{clip.name}.flac", 0.0, clip.seconds)
    parts: dict[Part, Spectrogram] = {
        "target": _spectrogram(clip.audio),
        "generated": _spectrogram(sample),
    }
    if clip.reference is not None:
        parts["reference"] = _spectrogram(clip.reference)
    columns = {column.name: column for column in results.columns}
    scores = tuple(
        _score(columns[name], row[name]) for name in SHOWN_SCORES if name in columns and name in row
    )
    return Shown(f"{clip.prompt}  ({clip.name})", clip.seconds, true_events(clip), parts, scores)


def _score(column: Column, value: float) -> str:
    unit = f" {column.unit}" if column.unit else ""
    return f"{column.label} {value:.{min(column.decimals, 2)}f}{unit}"


def _spectrogram(excerpt: Excerpt) -> Spectrogram:
    audio = read_audio(excerpt, mono=True, shortfall_s=MAX_SHORTFALL_S)
    waveform = resample(audio.samples[0], audio.sample_rate_hz, SAMPLE_RATE_HZ, "soxr_hq")
    frequencies_hz, times_s, power = compute_band_powers(waveform.astype(np.float64))
    return Spectrogram(frequencies_hz, times_s, 10.0 * np.log10(power + FLOOR))
