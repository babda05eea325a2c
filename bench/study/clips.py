"""Which clips a study shows: one of each class, with clear onsets, or those of a list."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.errors import BenchError, format_names
from bench.results import Results, describe_mismatch, load_results, load_rows
from bench.seeds import stable_seed
from bench.splits import find_splits, open_split
from bench.splits.split import Split
from bench.types import MAX_SHORTFALL_S, Clip

#: Clips of a class whose onsets are measured; the clearest of them is taken.
CANDIDATES = 5
#: Below, a clip has no rhythm that sync could be judged by.
FEWEST_ONSETS = 2


@dataclass(frozen=True)
class StudyRun:
    """A finished run that takes part, under the name that results have for it."""

    label: str
    folder: Path
    results: Results

    def sample_path(self, clip: str) -> Path:
        """The file of the sample of this clip."""
        return self.folder / "samples" / f"{clip}.flac"


@dataclass(frozen=True)
class Candidates:
    """The clips that all runs scored, and how many each of the others left out."""

    split: Split
    clips: tuple[Clip, ...]
    n_left_out: int


def open_runs(directories: Sequence[Path]) -> tuple[StudyRun, ...]:
    """Return the runs to compare; a label is the system, with its condition where that is not full.

    Raises:
        BenchError: fewer than two, a run that is not finished, of another split or judge, or twice
            the same one.
    """
    from bench.pipeline.compare import find_run_folder

    if len(directories) < 2:
        raise BenchError("a study compares two or more runs: name their directories")
    found = [load_results(each) for each in directories]
    for other, directory in zip(found[1:], directories[1:], strict=True):
        if reason := describe_mismatch(found[0], other):
            raise BenchError(
                f"{directories[0]} and {directory} cannot be compared: they have {reason}"
            )
    labels = [
        each.system if each.condition == "full" else f"{each.system} {each.condition}"
        for each in found
    ]
    if len(set(labels)) < len(labels):
        labels = [f"{label} seed {each.seed}" for label, each in zip(labels, found, strict=True)]
    if len(set(labels)) < len(labels):
        raise BenchError(f"two of the runs are the same: {format_names(labels)}")
    rows = zip(labels, directories, found, strict=True)
    return tuple(StudyRun(label, find_run_folder(path), each) for label, path, each in rows)


def find_candidates(
    runs: Sequence[StudyRun], directories: Sequence[Path], spec: str | None = None
) -> Candidates:
    """Return the clips that all runs scored and that have a video with audio.

    Raises:
        BenchError: there is none, or the split cannot be opened by its name.
    """
    name = runs[0].results.split
    splits = find_splits()
    if spec is None and name not in splits:
        raise BenchError(
            f"the runs are of {name}, which is opened by no name: name it by --split, as "
            "--split folder:PATH"
        )
    split = open_split(spec or name)
    if split.name != name:
        raise BenchError(f"--split {spec} is {split.name}, the runs are of {name}")
    scored = [set(load_rows(each)["clip"]) for each in directories]
    common = set.intersection(*scored)
    clips = tuple(
        clip
        for clip in split.clips
        if clip.name in common and clip.audio is not None and clip.video is not None
    )
    if not clips:
        raise BenchError(
            f"the runs have no scored clip with video and audio in common ({split.name})"
        )
    return Candidates(split, clips, len(set.union(*scored)) - len(clips))


def choose_clips(
    clips: Sequence[Clip],
    n: int,
    seed: int,
    measure: Callable[[Clip], float],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[tuple[Clip, float]]:
    """Return ``n`` clips with their clarity: one of each class first, then a second one, and so on.

    Classes and the clips in them are shuffled by ``seed``; of the next five clips of a class the
    one with the clearest onsets is taken. Clips of one cluster (excerpts of one video, conditions
    of one target) never come together.

    Raises:
        BenchError: there are fewer.
    """
    generator = random.Random(stable_seed("study clips", seed))  # noqa: S311 - no secret
    classes: dict[str, list[Clip]] = {}
    for clip in clips:
        classes.setdefault(describe_class(clip), []).append(clip)
    names = sorted(classes)
    generator.shuffle(names)
    for name in names:
        generator.shuffle(classes[name])
    chosen: list[tuple[Clip, float]] = []
    used: set[str] = set()
    while len(chosen) < n and any(classes.values()):
        for name in names:
            free = [clip for clip in classes[name] if (clip.cluster or clip.name) not in used]
            rated = [(measure(clip), clip) for clip in free[:CANDIDATES]]
            classes[name] = free
            if rated and len(chosen) < n:
                clarity, best = max(rated, key=lambda each: each[0])
                chosen.append((best, clarity))
                used.add(best.cluster or best.name)
                progress(len(chosen), n)
    if len(chosen) < n:
        raise BenchError(
            f"the runs have {len(chosen)} different clips in common, the study needs {n}: take "
            "fewer by --videos"
        )
    return chosen


def read_clips(candidates: Candidates, path: Path) -> list[Clip]:
    """Return the clips that a file names, one a line.

    Raises:
        BenchError: the file names none, a clip that is not in the split, or one without a score.
    """
    from bench.splits.split import pick_clips

    chosen = pick_clips(candidates.split, only=path)
    known = {clip.name for clip in candidates.clips}
    if missing := [clip.name for clip in chosen if clip.name not in known]:
        raise BenchError(
            f"{path} names {format_names(missing)}, which not all runs scored, or which have no "
            "video with audio"
        )
    return list(chosen)


def describe_class(clip: Clip) -> str:
    """The class of a clip: its label, or its prompt; "" where it has neither."""
    return clip.label or clip.prompt


def measure_clarity(clip: Clip) -> float:
    """Return how sharp the onsets of the true audio are, 1 or more; 0 with fewer than two onsets.

    It is the mean square over the squared mean of librosa's onset strength: the inverse of the
    share of frames in which audio rises. Noise has about 2, separate blows have 5 and more.

    Raises:
        MediaError: the audio cannot be read.
    """
    from bench._numba import load_librosa
    from bench.media import read_audio, resample
    from bench.metrics.onset import FFT_SAMPLES, HOP_SAMPLES, ONSET_RATE_HZ, detect_onsets

    if clip.audio is None:
        return 0.0
    audio = read_audio(clip.audio, mono=True, shortfall_s=MAX_SHORTFALL_S)
    waveform = resample(audio.samples[0], audio.sample_rate_hz, ONSET_RATE_HZ, "soxr_hq")
    if len(waveform) < FFT_SAMPLES or len(detect_onsets(waveform)) < FEWEST_ONSETS:
        return 0.0
    strength = np.asarray(
        load_librosa().onset.onset_strength(y=waveform, sr=ONSET_RATE_HZ, hop_length=HOP_SAMPLES),
        dtype=np.float64,
    )
    return round(float(np.mean(strength**2) / np.mean(strength) ** 2), 2)
