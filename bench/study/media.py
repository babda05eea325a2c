"""The videos that raters are shown: one loudness per clip, one format, names that reveal nothing.

Every version of a clip (true audio, each system's, another clip's for checks) is put under the same
video, as mono AAC at 48 kHz, whatever its rate and channels were: the files differ in their audio
alone. Loudness is measured by ITU-R BS.1770-4 and made equal by a gain, never by a limiter: where
the peak of one version does not allow the target, all versions of that clip are quieter.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.digests import file_identity
from bench.errors import BenchError, MediaError, format_names
from bench.io import read_json
from bench.media import mux_audio, read_audio, resample
from bench.study.assignment import Trial
from bench.study.design import IDENTICAL, MAIN, OTHER, TRUE, Design, Loudness
from bench.types import MAX_SHORTFALL_S, Audio, Clip, Excerpt, Waveform

#: The folders of a study and its private files.
MEDIA, PRIVATE, KEY, MEDIA_LIST = "media", "private", "key", "media.json"

#: What a video is in a trial: the true one, a sample, or the second copy of a sample.
REFERENCE, SAMPLE, TWIN = "reference", "sample", "twin"


@dataclass(frozen=True)
class Version:
    """A video to prepare: ``clip`` with the audio of ``excerpt``, which is ``source`` in trials."""

    clip: Clip
    source: str
    role: str
    excerpt: Excerpt


def media_name(key: bytes, clip: str, source: str, role: str) -> str:
    """Return the name of a video: 32 hexadecimal digits that only the key connects with it."""
    text = "\x1f".join((clip, source, role))
    return hmac.new(key, text.encode("utf-8"), hashlib.sha256).hexdigest()[:32]


def name_trial_media(key: bytes, trial: Trial) -> dict[str, str]:
    """Return the names of the videos of a trial, by ``true``, ``a`` and ``b``."""
    # Two samples that are the same are two files: one name for both would reveal it.
    second = TWIN if trial.a == trial.b else SAMPLE
    return {
        "true": media_name(key, trial.clip, TRUE, REFERENCE),
        "a": media_name(key, trial.clip, trial.a, SAMPLE),
        "b": media_name(key, trial.clip, trial.b, second),
    }


def read_key(study: Path) -> bytes:
    """Return the key of the names of a study.

    Raises:
        BenchError: it is missing or damaged: without it no trial can be shown.
    """
    path = study / PRIVATE / KEY
    try:
        return bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise BenchError(f"cannot read the key of the study, {path}: {error}") from error


def read_media_list(study: Path) -> dict[str, Any]:
    """Return what each video of a study is, by its name.

    Raises:
        BenchError: the list is missing or damaged.
    """
    path = study / PRIVATE / MEDIA_LIST
    described = read_json(path)
    fields = ("clip", "source", "role", "sha256")
    if not isinstance(described, dict) or not all(
        isinstance(each, dict) and all(isinstance(each.get(field), str) for field in fields)
        for each in described.values()
    ):
        raise BenchError(
            f"{path} is no list of videos with their {', '.join(fields)}: it was edited or is "
            "damaged, restore a copy of it"
        )
    return described


def require_media(study: Path, design: Design) -> None:
    """Check that all videos of a study are there as they were prepared, before it is served.

    Raises:
        BenchError: one is missing or was changed; the message counts and names them. Or their key
            or their list is missing or damaged.
    """
    key, described = read_key(study), read_media_list(study)
    wanted = {
        name for trial in _list_trials(design) for name in name_trial_media(key, trial).values()
    }
    wrong = [
        name
        for name in sorted(wanted)
        if name not in described
        or file_identity(study / MEDIA / f"{name}.mp4") != described[name]["sha256"]
    ]
    if wrong:
        raise BenchError(
            f"{len(wrong)} of {len(wanted)} videos in {study / MEDIA} are missing or changed, "
            f"first {wrong[0]}.mp4: restore the folder, or create another study"
        )


def _list_trials(design: Design) -> list[Trial]:
    """Return trials that show every video of a study."""
    pairs = [(MAIN, clip.name, *pair) for clip in design.clips for pair in design.pairs]
    checks = [
        (each.kind, each.clip, each.system, each.system)
        if each.kind == IDENTICAL
        else (each.kind, each.clip, TRUE, OTHER)
        for each in design.checks
    ]
    return [Trial(0, *trial) for trial in (*pairs, *checks)]


def prepare_media(
    versions: Sequence[Version],
    loudness: Loudness,
    key: bytes,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Write ``<name>.mp4`` of every version to ``folder``; return what each file is, by its name.

    That is clip, source, role, the loudness before and after in LUFS (None for silence), the gain
    in dB, and the SHA-256 of the file.

    Raises:
        MediaError: a file is missing, cannot be read, or is too short for a measurement.
        OSError: as of a full disk.
    """
    by_clip: dict[str, list[Version]] = {}
    for version in versions:
        by_clip.setdefault(version.clip.name, []).append(version)
    described: dict[str, Any] = {}
    for done, group in enumerate(by_clip.values(), 1):
        described |= _prepare_clip(group, loudness, key, folder)
        progress(done, len(by_clip))
    return described


def _prepare_clip(
    versions: Sequence[Version], loudness: Loudness, key: bytes, folder: Path
) -> dict[str, Any]:
    """Write all versions of one clip, at one loudness."""
    rate = loudness.sample_rate_hz
    waveforms = {each.excerpt: _read(each.excerpt, loudness) for each in versions}
    levels = {each: measure_loudness(waveform, rate) for each, waveform in waveforms.items()}
    peaks = [float(np.abs(waveform).max()) for waveform in waveforms.values()]
    target = find_common_target(list(zip(levels.values(), peaks, strict=True)), loudness)
    described = {}
    for version in versions:
        clip, level = version.clip, levels[version.excerpt]
        name = media_name(key, clip.name, version.source, version.role)
        path = folder / f"{name}.mp4"
        gain_db = 0.0 if level is None else target - level
        scaled = waveforms[version.excerpt] * np.float32(10 ** (gain_db / 20))
        assert clip.video is not None  # noqa: S101 - of all candidates
        mux_audio(clip.video.path, Audio(scaled, rate), path, start_s=clip.video.start_s)
        described[name] = {
            "clip": clip.name,
            "source": version.source,
            "role": version.role,
            "lufs_before": None if level is None else round(level, 2),
            "lufs_after": None if level is None else round(target, 2),
            "gain_db": round(gain_db, 2),
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        # Servers send this time, and it would show the order: true audio, first system, ...
        os.utime(path, (0, 0))
    return described


def measure_loudness(waveform: Waveform, sample_rate_hz: int) -> float | None:
    """Return the integrated loudness of ``waveform [C, T]`` in LUFS; None for silence.

    Raises:
        MediaError: it is shorter than one block of 0.4 s.
    """
    import pyloudnorm

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of silence, whose loudness is minus infinity
        try:
            level = float(
                pyloudnorm.Meter(sample_rate_hz).integrated_loudness(waveform.T.astype(np.float64))
            )
        except ValueError as error:
            raise MediaError(
                f"cannot measure the loudness of {waveform.shape[1] / sample_rate_hz:.2f} s of "
                f"audio: {error}"
            ) from error
    return level if math.isfinite(level) else None


def find_common_target(versions: Sequence[tuple[float | None, float]], loudness: Loudness) -> float:
    """Return the loudness in LUFS that all versions of a clip can have, the target at most.

    ``versions`` have loudness (None for silence) and peak, full scale 1.
    """
    reachable = [
        level + loudness.peak_dbfs - 20 * math.log10(peak)
        for level, peak in versions
        if level is not None
    ]
    return min([loudness.target_lufs, *reachable])


def describe_levels(described: Mapping[str, Any], loudness: Loudness) -> list[str]:
    """Return notes on clips that are silent or below the target."""
    rows = list(described.values())
    silent: dict[str, set[str]] = {}
    for row in rows:
        if row["lufs_after"] is None:
            silent.setdefault(row["source"], set()).add(row["clip"])
    quieter = {
        row["clip"]: row["lufs_after"]
        for row in rows
        if row["lufs_after"] is not None and row["lufs_after"] < loudness.target_lufs - 0.01
    }
    notes = [
        f"{source} is silent in {format_names(sorted(clips))}" for source, clips in silent.items()
    ]
    if quieter:
        lowest = min(quieter.values())
        notes.append(
            f"{len(quieter)} clips are below {loudness.target_lufs:g} LUFS, the quietest at "
            f"{lowest:g}: a peak of one of their versions allows no more"
        )
    return notes


def _read(excerpt: Excerpt, loudness: Loudness) -> Waveform:
    """Return mono audio ``[1, T]`` at the common rate, of exactly the length of the excerpt."""
    if not excerpt.path.is_file():
        raise MediaError(f"{excerpt.path} is missing: the same `bench run` again makes it")
    audio = read_audio(excerpt, mono=True, shortfall_s=MAX_SHORTFALL_S)
    rate = loudness.sample_rate_hz
    samples = resample(audio.samples, audio.sample_rate_hz, rate, "soxr_hq")
    return samples[:, : round((excerpt.seconds or audio.seconds) * rate)]
