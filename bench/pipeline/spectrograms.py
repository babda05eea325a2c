"""What ``bench samples`` draws of a finished run: which clips, their events and spectrograms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from bench.errors import RunError
from bench.media import read_audio, resample
from bench.results import Results, load_rows
from bench.splits import find_splits, open_split
from bench.synthetic.audio import SAMPLE_RATE_HZ
from bench.synthetic.figures import compute_band_powers
from bench.types import MAX_SHORTFALL_S, Clip, Excerpt, FloatArray

#: Keeps the level of silence finite: -120 dB.
FLOOR = 1e-12


def find_scored_clips(run: Path, results: Results) -> list[Clip]:
    """Return the clips that a run scored.

    Raises:
        RunError: the split cannot be opened by its name.
    """
    splits = find_splits()
    if results.split not in splits:
        raise RunError(
            f"{run} is of {results.split}, expected a split that is opened by name: "
            f"{', '.join(row.name for row in splits if not row.argument)}"
        )
    scored = set(load_rows(run)["clip"])
    return [clip for clip in open_split(results.split).clips if clip.name in scored]


def choose_varied_clips(clips: Sequence[Clip], n: int) -> list[Clip]:
    """Return ``n`` clips whose prompts differ as much as they can."""
    chosen: list[Clip] = []
    left = list(clips)
    while left and len(chosen) < n:
        best = min(left, key=lambda clip: _count_likeness(clip, chosen))
        left.remove(best)
        chosen.append(best)
    return chosen


def group_by_video(clips: Iterable[Clip]) -> dict[Excerpt, list[Clip]]:
    """Return the clips of each video, one for each of its references, in the order given.

    Clips without video or reference are left out.
    """
    found: dict[Excerpt, dict[Excerpt, Clip]] = {}
    for clip in clips:
        if clip.video and clip.reference:
            found.setdefault(clip.video, {}).setdefault(clip.reference, clip)
    return {video: list(some.values()) for video, some in found.items()}


def _count_likeness(clip: Clip, others: Sequence[Clip]) -> tuple[int, int]:
    """How often the first word of a prompt, and all of its words, are in those of others."""
    used = [word for other in others for word in other.prompt.split()]
    words = clip.prompt.split()
    return sum(map(used.count, words[:1])), sum(map(used.count, words))


def find_true_events(clip: Clip) -> tuple[float, ...]:
    """Return when events happen in a clip, in seconds from its start; () where that is unknown."""
    if "hits" in clip.truth:
        return tuple(clip.truth["hits"])
    start_s = clip.audio.start_s if clip.audio else 0.0
    times = (event["time_s"] - start_s for event in clip.truth.get("events", ()))
    return tuple(time for time in times if 0 <= time < clip.seconds)


def compute_spectrogram(excerpt: Excerpt) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return frequencies ``[F]`` in Hz, times ``[T]`` in s, and levels ``[F, T]`` in dB."""
    audio = read_audio(excerpt, mono=True, shortfall_s=MAX_SHORTFALL_S)
    waveform = resample(audio.samples[0], audio.sample_rate_hz, SAMPLE_RATE_HZ, "soxr_hq")
    frequencies_hz, times_s, power = compute_band_powers(waveform.astype(np.float64))
    return frequencies_hz, times_s, 10.0 * np.log10(power + FLOOR)
