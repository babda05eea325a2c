"""Which features of a run are stored: for many clips by listing folders, not file by file."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from bench.judges import Extractor
from bench.pipeline.roles import Keys, Role, Scoring, feature_key
from bench.types import Clip

#: With more clips, an extractor's folders (at most 256) are listed: a look at every single file
#: would take 10 of them a clip, each a request to the server of a network file system.
LISTED_FROM_CLIPS = 1_000


class StoredFeatures:
    """The features that are read after all clips are scored, as they are at the first question."""

    def __init__(self, scoring: Scoring, n_clips: int) -> None:
        self._scoring = scoring
        self._is_listed = n_clips >= LISTED_FROM_CLIPS
        self._late: dict[tuple[float, frozenset[Role]], list[tuple[Role, Extractor]]] = {}
        self._names: dict[tuple[Role, str], array[int]] = {}

    def hold(self, clip: Clip, keys: Keys) -> bool:
        """Return whether all of these features of a clip are stored."""
        alike = clip.seconds, frozenset(keys)
        if alike not in self._late:
            self._late[alike] = self._scoring.late_extractors(*alike)
        return all(
            self._has(role, extractor, feature_key(extractor, role, keys))
            for role, extractor in self._late[alike]
        )

    def _has(self, role: Role, extractor: Extractor, key: str) -> bool:
        if not self._is_listed:
            return self._scoring.store(role).has(extractor, key)
        if (role, extractor.name) not in self._names:
            folder = self._scoring.store(role).folder(extractor)
            # 8 bytes a file, sorted where they are: the names themselves would take 100.
            hashes = array("q", map(hash, list_features(folder)))
            np.frombuffer(hashes, np.int64).sort()
            self._names[role, extractor.name] = hashes
        names = self._names[role, extractor.name]
        wanted = hash(f"{key}.safetensors")
        position = bisect_left(names, wanted)
        return position < len(names) and names[position] == wanted


def list_features(folder: Path) -> Iterator[str]:
    """Yield the names of the files of one extractor, without a look at any of them."""
    with suppress(FileNotFoundError):
        for shard in sorted(os.listdir(folder)):  # noqa: PTH208 - a path object a file takes longest
            with suppress(NotADirectoryError):
                yield from os.listdir(folder / shard)  # noqa: PTH208
