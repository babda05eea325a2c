"""Features on disk, and how a sound and its picture become features.

A store keeps one safetensors file per extractor and stimulus, ``<extractor>/<version>/<key>``. The
key is a hash of what the extractor hears and sees: the content of the media file, the window, and
how it is prepared. So a file never goes stale, a renamed or copied clip is not analysed twice, and
any number of processes may write at once (they would write the same bytes, and each file appears
whole).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np

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

#: How a stimulus reaches an extractor; part of every key. Raise it when decoding changes.
PREPARATION = "version 3"


def shared_root(judge: str) -> Path:
    """Where the features of ground truth lie, for all runs of this machine."""
    return bench_home() / "features" / judge


def excerpt_key(excerpt: Excerpt) -> str:
    """Hash of the file's content, the window and the preparation; names this stimulus' features."""
    with excerpt.path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256")
    content.update(f"|{excerpt.start_s!r}|{excerpt.seconds!r}|{PREPARATION}".encode())
    return content.hexdigest()


def joint_key(audio: str, video: str) -> str:
    """The key of features that come from a sound and a picture together."""
    return hashlib.sha256(f"{audio}|{video}".encode()).hexdigest()


def prompt_key(prompt: str) -> str:
    """The key of features that come from a prompt."""
    return hashlib.sha256(f"{prompt}|{PREPARATION}".encode()).hexdigest()


@dataclass(frozen=True)
class FeatureStore:
    """Features below one directory, one file per extractor and stimulus."""

    root: Path

    def path(self, extractor: Extractor, key: str) -> Path:
        """Where the features of this stimulus lie, or will lie."""
        folder = self.root / extractor.name / extractor.version / key[:2]
        return folder / f"{key}.safetensors"

    def has(self, extractor: Extractor, key: str) -> bool:
        """Whether they are there."""
        return self.path(extractor, key).is_file()

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

        # Row by row: safetensors writes the memory of an array, whatever its strides.
        whole = {name: np.ascontiguousarray(array) for name, array in features.items()}
        with atomic_path(self.path(extractor, key)) as temporary:
            save_file(whole, temporary)


@dataclass(frozen=True, eq=False)
class ExtractorCache:
    """Extractors on a worker's bench: each is opened when first needed, and then kept."""

    _signal: dict[str, Extract] = field(default_factory=dict)
    _networks: dict[str, Embed] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def extract(self, extractor: SignalExtractor, media: ClipMedia) -> Features:
        """What a signal extractor makes of a stimulus; any thread may ask."""
        with self._lock:
            if extractor.name not in self._signal:
                self._signal[extractor.name] = extractor.open()
        return finite(extractor, self._signal[extractor.name](media))

    def embed(self, extractor: NetworkExtractor, batch: Sequence[Prepared]) -> Sequence[Features]:
        """What a network answers to a batch; one thread asks."""
        if extractor.name not in self._networks:
            self._networks[extractor.name] = extractor.open()
        return self._networks[extractor.name](batch)


def joined(prepared: Prepared, seen: Mapping[str, Features]) -> Prepared:
    """What was prepared of a sound, with the features of its picture by extractor beside it."""
    return {**prepared} | {
        f"{name}.{feature}": array
        for name, features in seen.items()
        for feature, array in features.items()
    }


def finite(extractor: Extractor, features: Features) -> Features:
    """Features without NaN or infinity: one clip's overflow must not spoil a whole set.

    Raises:
        BenchError: some are not finite.
    """
    if all(np.isfinite(array).all() for array in features.values()):
        return features
    raise BenchError(f"{extractor.name} gave values that are not finite")


def checked(excerpt: Excerpt) -> Excerpt:
    """The excerpt, if its file is there.

    Raises:
        BenchError: there is no such file.
    """
    if not excerpt.path.is_file():
        raise BenchError(f"there is no file {excerpt.path}")
    return excerpt
