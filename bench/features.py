"""Features on disk, and how a stretch of sound becomes features.

A store keeps one safetensors file per extractor and sound: ``<root>/<extractor>/v<version>/<key>``.
The key is a hash of what the extractor hears: the content of the media file, the window, and how
it is prepared. So a file never goes stale, a renamed or copied clip is not analysed twice, and any
number of processes may write at once (they would write the same bytes, and each file appears
whole).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.files import atomic_path, bench_home
from bench.judges import Extractor, Features
from bench.types import Audio, Excerpt, Waveform

#: How a sound reaches an extractor; part of every key. Raise it when decoding or resampling change.
PREPARATION = "mono mean, soxr_hq, version 1"

#: A file may end this much before its window (codecs round to frames); the rest is silence.
MAX_SHORTFALL_S = 0.1


def shared_root(judge: str) -> Path:
    """Where the features of ground truth lie, for all runs of this machine."""
    return bench_home() / "features" / judge


def sound_key(excerpt: Excerpt) -> str:
    """Hash of the file's content, the window and the preparation; names this sound's features."""
    with excerpt.path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256")
    content.update(f"|{excerpt.start_s!r}|{excerpt.seconds!r}|{PREPARATION}".encode())
    return content.hexdigest()


@dataclass(frozen=True)
class FeatureStore:
    """Features below one directory, one file per extractor and sound."""

    root: Path

    def path(self, extractor: Extractor, key: str) -> Path:
        """Where the features of this sound lie, or will lie."""
        folder = self.root / extractor.name / f"v{extractor.version}" / key[:2]
        return folder / f"{key}.safetensors"

    def load(self, extractor: Extractor, key: str) -> Features:
        """Read features that were stored before.

        Raises:
            BenchError: they are not there, or the file is damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = self.path(extractor, key)
        try:
            return load_file(path)
        except (OSError, SafetensorError) as error:
            raise BenchError(
                f"cannot read the features {path}: {error}; delete it, run again"
            ) from error

    def save(self, extractor: Extractor, key: str, features: Features) -> None:
        """Store features; the file appears whole or not at all."""
        from safetensors.numpy import save_file

        with atomic_path(self.path(extractor, key)) as temporary:
            save_file(dict(features), temporary)


def extract(excerpt: Excerpt, wanted: Sequence[Extractor], store: FeatureStore) -> str:
    """Make sure that the store holds these features of this sound; return their key.

    The file is decoded once, and only if something is missing.

    Raises:
        MediaError: the sound cannot be read, or ends before its window.
    """
    from bench.media import read_audio

    if not excerpt.path.is_file():
        raise BenchError(f"there is no file {excerpt.path}")
    key = sound_key(excerpt)
    missing = [extractor for extractor in wanted if not store.path(extractor, key).is_file()]
    if missing:
        audio = read_audio(excerpt, shortfall_s=MAX_SHORTFALL_S)
        waveforms = {
            rate: waveform_at(audio, rate) for rate in {each.sample_rate_hz for each in missing}
        }
        for extractor in missing:
            store.save(extractor, key, extractor.extract(waveforms[extractor.sample_rate_hz]))
    return key


def waveform_at(audio: Audio, sample_rate_hz: int) -> Waveform:
    """Mono mean at this rate, ``[T]``: what the signal extractors hear."""
    from bench.media import resample

    return resample(audio.mono(), audio.sample_rate_hz, sample_rate_hz, method="soxr_hq")
