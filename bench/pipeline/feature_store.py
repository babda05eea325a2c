"""Features on disk, and the extractors that compute them.

A store keeps one safetensors file per extractor and input, ``<extractor>/<version>/<key>``. The key
is a hash of the extractor's input: the content of the media file, the window, and how it is
prepared. So a file never goes stale, a renamed or copied clip is not analysed twice, and any number
of processes may write at once (they would write the same bytes, and each file appears complete).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np

from bench.archives import is_file, open_binary
from bench.errors import BenchError
from bench.io import atomic_path, bench_home
from bench.judges import (
    ClipMedia,
    Extractor,
    Features,
    NetworkExtractor,
    Prepared,
    SignalExtractor,
)
from bench.judges.extractor import Embed, Extract
from bench.types import Excerpt

#: Version of decoding and preparation, a part of every key. Raise it when either changes.
PREPARATION = "version 3"


def shared_root(judge: str) -> Path:
    """Return the folder of the features of ground truth, which all runs of this machine share."""
    return bench_home() / "features" / judge


def excerpt_key(excerpt: Excerpt) -> str:
    """Return a hash of the file's content, the window and the preparation."""
    with open_binary(excerpt.path) as file:
        content = hashlib.file_digest(file, "sha256")
    content.update(f"|{excerpt.start_s!r}|{excerpt.seconds!r}|{PREPARATION}".encode())
    return content.hexdigest()


def joint_key(audio: str, video: str) -> str:
    """Return the key of features that are computed from audio and video together."""
    return hashlib.sha256(f"{audio}|{video}".encode()).hexdigest()


def prompt_key(prompt: str) -> str:
    """Return the key of features that are computed from a prompt."""
    return hashlib.sha256(f"{prompt}|{PREPARATION}".encode()).hexdigest()


@dataclass(frozen=True)
class FeatureStore:
    """Features below one directory, one file per extractor and input."""

    root: Path

    def path(self, extractor: Extractor, key: str) -> Path:
        """Return the file of the features of this key, whether it exists or not."""
        return self.folder(extractor) / key[:2] / f"{key}.safetensors"

    def folder(self, extractor: Extractor) -> Path:
        """Return the folder of all features of an extractor."""
        return self.root / extractor.name / extractor.version

    def has(self, extractor: Extractor, key: str) -> bool:
        """Return whether these features are stored."""
        return self.path(extractor, key).is_file()

    def load(self, extractor: Extractor, key: str) -> Features:
        """Read features that were stored before.

        Raises:
            BenchError: the file is missing or damaged.
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
        """Store features; the file appears complete or not at all."""
        from safetensors.numpy import save_file

        # safetensors writes the memory of an array as it is, and ignores its strides.
        arrays = {name: np.ascontiguousarray(array) for name, array in features.items()}
        with atomic_path(self.path(extractor, key)) as temporary:
            save_file(arrays, temporary)


@dataclass(frozen=True, eq=False)
class ExtractorCache:
    """The extractors of one worker: each is opened when it is first needed, and then kept."""

    _signal: dict[str, Extract] = field(default_factory=dict)
    _networks: dict[str, Embed] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def extract(self, extractor: SignalExtractor, media: ClipMedia) -> Features:
        """Compute the features of a signal extractor. Any thread may call this.

        Raises:
            BenchError: the features are not finite.
        """
        with self._lock:
            # Threads load clips side by side; one of them opens the extractor for all.
            if extractor.name not in self._signal:
                self._signal[extractor.name] = extractor.open()
        return require_finite(extractor, self._signal[extractor.name](media))

    def embed(self, extractor: NetworkExtractor, batch: Sequence[Prepared]) -> Sequence[Features]:
        """Compute the features of a batch with a network. Only one thread may call this."""
        if extractor.name not in self._networks:
            self._networks[extractor.name] = extractor.open()
        return self._networks[extractor.name](batch)


def merge_features(prepared: Prepared, features: Mapping[str, Features]) -> Prepared:
    """Return what was prepared, with other extractors' arrays added as ``<extractor>.<array>``."""
    return {**prepared} | {
        f"{extractor}.{name}": array
        for extractor, arrays in features.items()
        for name, array in arrays.items()
    }


def require_finite(extractor: Extractor, features: Features) -> Features:
    """Return the features. One clip's overflow would make every distance of its set NaN.

    Raises:
        BenchError: some values are NaN or infinite.
    """
    if all(np.isfinite(array).all() for array in features.values()):
        return features
    raise BenchError(f"{extractor.name} gave values that are not finite")


def require_file(excerpt: Excerpt) -> Excerpt:
    """Return the excerpt.

    Raises:
        BenchError: its file does not exist.
    """
    if not is_file(excerpt.path):
        raise BenchError(f"there is no file {excerpt.path}")
    return excerpt
