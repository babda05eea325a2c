"""What the report page plays and draws of a clip: video, audio, waveforms, onsets, spectrograms.

Every clip has a folder ``media/<key>`` and a script ``data/clips/<key>.js``, which is written last
and begins with a hash of what it was made from: a clip whose script has that hash is finished.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.digests import file_state
from bench.engine import WorkerSettings, open_engine
from bench.errors import BenchError
from bench.io import atomic_path, write_script
from bench.judges.extractor import ClipMedia
from bench.media import iterate_frames, write_aac, write_video
from bench.metrics.onset import ONSET_RATE_HZ, detect_onsets
from bench.pipeline.spectrograms import FLOOR, find_true_events
from bench.synthetic.audio import SAMPLE_RATE_HZ
from bench.synthetic.figures import compute_band_powers
from bench.types import MAX_SHORTFALL_S, Clip, Excerpt, FloatArray, Pixels, Waveform

#: Raised when what is written for a clip changes: clips of earlier versions are made again.
FORMAT = 1
N_PEAKS = 480
FPS, LONGEST_SIDE = 25, 426
DYNAMICS_DB = 80.0
#: Audio whose loudest point is below this is drawn as dark as it is: silence is black.
LEAST_TOP_DB = -40.0
#: Black, violet, red, orange, pale yellow: from quiet to loud, also without colour vision.
COLOURS = ((0, 0, 4), (81, 18, 124), (183, 55, 121), (252, 137, 97), (252, 253, 191))
#: Of one clip on disk: its video, and each audio with its spectrogram, as measured on mini clips.
VIDEO_BYTES, TRACK_BYTES = 250_000, 230_000
TIMEOUT_S = 300.0
NO_SPACE = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT))


@dataclass(frozen=True)
class PageClip:
    """A clip and its sample of each run of the page, None where a run has none."""

    clip: Clip
    samples: tuple[Path | None, ...]

    @property
    def sources(self) -> dict[str, Excerpt | None]:
        """The audio of the clip by the name of its file: ``true``, ``reference``, ``run0``, ..."""
        clip = self.clip
        made = {
            f"run{i}": None if path is None else Excerpt(path, 0.0, clip.seconds)
            for i, path in enumerate(self.samples)
        }
        return {"true": clip.audio, "reference": clip.reference, **made}


def clip_key(name: str) -> str:
    """Return the name of a clip's files: clip names may be long or differ in capitals alone."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:20]


def estimate_bytes(n_clips: int, n_runs: int) -> int:
    """Return about how much the media of so many clips of 8 s take."""
    return n_clips * (VIDEO_BYTES + (n_runs + 2) * TRACK_BYTES)


def is_finished(out: Path, each: PageClip) -> bool:
    """Whether the files of this clip are there, made from what it would be made from now."""
    try:
        with (out / script_path(each)).open(encoding="utf-8") as file:
            return file.readline() == f"// {_hash_sources(each)}\n"
    except OSError:
        return False


def script_path(each: PageClip) -> Path:
    """Return the script with the data of a clip, below the folder of the page."""
    return Path("data", "clips", f"{clip_key(each.clip.name)}.js")


def require_space(out: Path, n_bytes: int) -> None:
    """Check that the disk has room.

    Raises:
        BenchError: it has not.
    """
    free = shutil.disk_usage(out).free
    if n_bytes > free:
        needed, there = (f"{each / 1e6:,.0f} MB" for each in (n_bytes, free))
        raise BenchError(
            f"the media need about {needed} and {out} has {there} free: name another folder with "
            "--out, or fewer clips with --media"
        )


def export_media(
    out: Path,
    clips: Sequence[PageClip],
    workers: int,
    progress: Callable[[str, int, int], None],
) -> dict[str, str]:
    """Write the files of these clips below ``out``; return the clips that failed, and why.

    Raises:
        BenchError: the disk is full. What is finished stays, and the next call goes on from there.
    """
    failed: dict[str, str] = {}
    settings = WorkerSettings(timeout_s=TIMEOUT_S)
    with open_engine(min(workers, len(clips))) as engine:
        outcomes = engine.map(partial(_open_export, out), clips, settings)
        for done, outcome in enumerate(outcomes, 1):
            if outcome.failure is not None:
                message = outcome.failure.message
                if any(text in message for text in NO_SPACE):
                    raise BenchError(
                        f"the disk of {out} is full: free some space and give the same command "
                        "again, which goes on from here, or name fewer clips with --media"
                    )
                failed[outcome.item.clip.name] = message
            progress("media", done, len(clips))
    return failed


def _open_export(out: Path) -> Callable[[PageClip], str]:
    return partial(export_clip, out)


def export_clip(out: Path, each: PageClip) -> str:
    """Write the files of one clip, its script last; return its name.

    What cannot be read is left out, and the script has the reason. Raises OSError or MediaError
    for what cannot be written.
    """
    clip, folder = each.clip, Path("media", clip_key(each.clip.name))
    (out / folder).mkdir(parents=True, exist_ok=True)
    tracks = {
        name: _export_track(out, folder / name, source) for name, source in each.sources.items()
    }
    value = {
        "seconds": clip.seconds,
        "events": [round(time, 3) for time in find_true_events(clip)],
        "video": _export_video(out, folder / "video.mp4", clip.video),
        "tracks": tracks,
    }
    write_script(out / script_path(each), f"clip {clip.name}", value, comment=_hash_sources(each))
    return clip.name


def _export_track(out: Path, stem: Path, source: Excerpt | None) -> dict[str, Any] | None:
    """Write one audio and its spectrogram; return what the page needs, or why there is nothing."""
    if source is None:
        return None
    media = ClipMedia(source)
    try:
        audio, signal = media.window(), media.signal(ONSET_RATE_HZ)
        onsets = _find_onsets(signal)
        image = draw_spectrogram(media.signal(SAMPLE_RATE_HZ))
    except (BenchError, OSError) as error:
        return {"error": _without_folder(error, source.path)}
    write_aac(out / stem.with_suffix(".m4a"), audio)
    image_path = stem.with_suffix(".png")
    with atomic_path(out / image_path) as temporary:
        Image.fromarray(image).quantize(64).save(temporary, optimize=True)
    return {
        "audio": stem.with_suffix(".m4a").as_posix(),
        "spectrogram": image_path.as_posix(),
        "peaks": find_peaks(audio.mono()),
        "onsets": onsets,
        "seconds": round(audio.seconds, 3),
    }


def _export_video(out: Path, path: Path, source: Excerpt | None) -> dict[str, Any] | None:
    """Write the window of a video, small and without its audio."""
    if source is None:
        return None
    try:
        found = iterate_frames(source, FPS, shortfall_s=MAX_SHORTFALL_S)
        # All at once: what is wrong with the file must show before anything is written.
        frames = list(_shrink(frame.pixels for frame in found))
    except (BenchError, OSError) as error:
        return {"error": _without_folder(error, source.path)}
    write_video(out / path, frames, FPS, crf=26)
    return {"file": path.as_posix()}


def _shrink(frames: Iterator[Pixels]) -> Iterator[Pixels]:
    """Yield frames of at most ``LONGEST_SIDE``, of even height and width as H.264 has them."""
    for pixels in frames:
        image = Image.fromarray(pixels)
        scale = min(1.0, LONGEST_SIDE / max(image.size))
        width, height = (max(2, round(side * scale / 2) * 2) for side in image.size)
        yield np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def find_peaks(waveform: Waveform) -> list[list[int]]:
    """Return the lowest and highest sample of ``N_PEAKS`` parts of ``[T]``, in percent."""
    edges = np.linspace(0, len(waveform), min(N_PEAKS, len(waveform)) + 1).astype(int)[:-1]
    extremes = (np.minimum.reduceat(waveform, edges), np.maximum.reduceat(waveform, edges))
    return [(each.clip(-1, 1) * 100).round().astype(int).tolist() for each in extremes]


def draw_spectrogram(waveform: Waveform) -> Pixels:
    """Return the levels of ``[T]`` at 44.1 kHz as an image ``[F, T', 3]``, low frequencies below.

    From ``DYNAMICS_DB`` below the loudest point to that.
    """
    power = compute_band_powers(waveform.astype(np.float64))[2]
    level_db: FloatArray = 10.0 * np.log10(power + FLOOR)
    top_db = max(float(level_db.max()), LEAST_TOP_DB)
    share = np.clip(1 + (level_db[::-1] - top_db) / DYNAMICS_DB, 0, 1)
    steps = np.linspace(0, 1, len(COLOURS))
    channels = [np.interp(share, steps, channel) for channel in zip(*COLOURS, strict=True)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _find_onsets(signal: Waveform) -> list[float]:
    try:
        positions = detect_onsets(signal)
    except ValueError:  # shorter than one analysis frame
        return []
    return [round(float(each) / ONSET_RATE_HZ, 3) for each in positions]


def _without_folder(error: Exception, path: Path) -> str:
    """Return the message of an error; a page that is given away names no folder of this machine."""
    return str(error).replace(str(path.parent) + os.sep, "")


def _hash_sources(each: PageClip) -> str:
    """Return a hash of all that the files of a clip depend on."""
    excerpts = (each.clip.video, *each.sources.values())
    states = [repr((FORMAT, each.clip.name, find_true_events(each.clip)))]
    for excerpt in excerpts:
        if excerpt is None:
            states.append("-")
            continue
        try:
            state = file_state(excerpt.path)
        except OSError:
            state = "missing"
        states.append(f"{excerpt.path} {excerpt.start_s} {excerpt.seconds} {state}")
    return hashlib.sha256("\n".join(states).encode("utf-8", "surrogatepass")).hexdigest()[:32]
