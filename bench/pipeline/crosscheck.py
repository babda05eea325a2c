"""Score the samples of a run by the published evaluator too, and put both numbers side by side."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import RunError
from bench.isolation.adapter import VideoInput
from bench.isolation.av_benchmark import AV_BENCHMARK
from bench.isolation.generate import remove_abandoned
from bench.isolation.session import IsolatedSession
from bench.isolation.staging import stage_video
from bench.media import read_audio, write_audio
from bench.pipeline.spectrograms import find_scored_clips
from bench.results import Results
from bench.types import MAX_SHORTFALL_S, Audio, Clip

#: Our columns by the names of the evaluator, with the factor that brings its numbers to our unit.
COLUMNS: Mapping[str, tuple[str, float]] = {
    "FD-PASST": ("fd_passt", 1.0),
    "FD-PANN": ("fd_panns", 1.0),
    "FD-VGG": ("fd_vgg", 1.0),
    "KL-PASST-softmax": ("kl_passt", 1.0),
    "KL-PANNS-softmax": ("kl_panns", 1.0),
    "IB-Score": ("ib", 100.0),
    "DeSync": ("desync", 1.0),
}
#: The evaluator's own limits: it opens networks, then takes about a second a clip on a GPU.
FIXED_LIMIT_S, CLIP_LIMIT_S = 3_600.0, 60.0


@dataclass(frozen=True)
class CrossCheck:
    """One column by both tools; ``theirs`` in our unit, None where a tool has no number."""

    label: str
    decimals: int
    ours: float | None
    theirs: float | None

    @property
    def difference(self) -> float | None:
        """Ours minus theirs."""
        if self.ours is None or self.theirs is None:
            return None
        return self.ours - self.theirs


def crosscheck(run: Path, samples: Path, results: Results, device: str) -> list[CrossCheck]:
    """Run the evaluator on the samples that ``results`` scored; return the columns of both.

    Raises:
        RunError: the run was scored by another judge than the published networks, or its clips have
            different lengths, no true audio, or no samples in the folder of the run.
        MissingError: the evaluator is not set up; the message has the command.
        IsolatedProcessError: the evaluator failed.
    """
    if results.judge != "paper":
        raise RunError(
            f"{run} was scored by the judge {results.judge!r}: only numbers of the judge 'paper' "
            "mean the same as those of the published evaluator"
        )
    session = IsolatedSession(AV_BENCHMARK, device)
    session.start()
    clips = find_scored_clips(run, results)
    if len({clip.seconds for clip in clips}) != 1:
        raise RunError(f"the clips of {run} have several lengths, which the evaluator cannot batch")
    remove_abandoned(session.folder / "work")
    work = session.folder / "work" / f"{os.getpid()}-crosscheck"
    try:
        call = _stage(clips, samples, work)
        limit_s = FIXED_LIMIT_S + CLIP_LIMIT_S * len(clips)
        return compare_columns(results, session.call(call, "crosscheck", limit_s))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def compare_columns(results: Results, theirs: Mapping[str, float]) -> list[CrossCheck]:
    """Return a row for each column that either tool has a number of."""
    by_name = {column.name: column for column in results.columns}
    rows = []
    for name, (column, factor) in COLUMNS.items():
        score, value = results.metrics.get(column), theirs.get(name)
        if score is not None or value is not None:
            about = by_name.get(column)
            rows.append(
                CrossCheck(
                    about.label if about else name,
                    about.decimals if about else 3,
                    score.value if score else None,
                    None if value is None else factor * value,
                )
            )
    return rows


def _stage(clips: Sequence[Clip], samples: Path, work: Path) -> dict[str, object]:
    """Write both sides and the videos under names that the evaluator does not cut."""
    folders = {name: work / name for name in ("generated", "true", "videos", "work")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    for index, clip in enumerate(clips):
        name = f"clip{index:07d}"
        if clip.audio is None or clip.video is None:
            raise RunError(f"clip {clip.name!r} has no true audio or no video to compare with")
        sample = samples / f"{clip.name}.flac"
        if not sample.is_file():
            raise RunError(
                f"{samples} has no sample of {clip.name!r}: bench crosscheck needs the samples of "
                "bench run"
            )
        shutil.copyfile(sample, folders["generated"] / f"{name}.flac")
        truth = read_audio(clip.audio, shortfall_s=MAX_SHORTFALL_S)
        limited = Audio(truth.samples.clip(-1, 1), truth.sample_rate_hz)
        write_audio(folders["true"] / f"{name}.flac", limited)
        destination = folders["videos"] / f"{name}.mp4"
        path = clip.video.path
        if clip.video.start_s == 0 and path.suffix == ".mp4" and path.is_file():
            # As it is: encoding again would change the features.
            destination.symlink_to(path.resolve())
        else:
            stage_video(VideoInput(), clip.video, clip.seconds, destination)
    return {"seconds": clips[0].seconds} | {name: str(path) for name, path in folders.items()}
