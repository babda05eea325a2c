"""Clips in folders of shards, read row by row through memory maps.

Clips are sorted by name, so the order does not depend on which process wrote which shard. Opening a
dataset reads the JSON files alone; features are read when they are asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from acfoley.train.clips import CropLayout
from acfoley.train.shards import EMPTY, FORMAT, STORE, Store, shard_tables
from bench.errors import BenchError, MissingError
from bench.io import read_json

Array = npt.NDArray[np.float32]
#: Shards held open at once: below the usual limit of 1,024 open files per process.
N_OPEN = 256


@dataclass(frozen=True)
class DatasetClip:
    """One clip: its shard, and for each column that it has, its row in that column's array."""

    name: str
    shard: Path
    column_index: dict[str, int]
    score: float | None

    @property
    def has_video(self) -> bool:
        """Whether the clip has features of a video."""
        return "video" in self.column_index


@dataclass(frozen=True)
class LatentStatistics:
    """Mean and standard deviation ``[D]`` of the posterior means of all targets, by channel."""

    mean: Array
    std: Array


class FeatureDataset:
    """The clips of one or more folders of features; the first folder decides ``latents``.

    Raises:
        MissingError: no folder is named, or one has no features.
        BenchError: folders have features of different kinds or shapes, or a clip twice.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        if not folders:
            raise MissingError("no folder of features is named: make one with `acfoley precompute`")
        self.folders = tuple(folders)
        self.store = _common_store(self.folders)
        tables = [(path, read_json(path)) for f in self.folders for path in shard_tables(f)]
        clips = [clip for path, table in tables for clip in _read_clips(path, table)]
        self.clips = tuple(sorted(clips, key=lambda clip: clip.name))
        self.shapes = _common_shapes(tables)
        self._open: OrderedDict[Path, Any] = OrderedDict()
        if not self.clips:
            raise MissingError(f"{self.folders[0]} has no features: run `acfoley precompute`")
        names = [clip.name for clip in self.clips]
        for name, following in zip(names, names[1:], strict=False):
            if name == following:
                raise BenchError(f"the clip {name!r} is in more than one folder of features")

    @property
    def layout(self) -> CropLayout:
        """How targets and references were cut."""
        return CropLayout(self.store.seconds, self.store.reference_seconds)

    def read(self, clip: DatasetClip, column: str, number: int | None = None) -> Array:
        """Return the feature ``column`` of a clip as float32; with ``number``, one of its K."""
        row = clip.column_index[column]
        # A slice of the memory map: of a shard of 128 clips only this row is read from disk.
        index = (row,) if number is None else (row, number)
        array: Array = self._open_shard(clip.shard).get_slice(column)[index].astype(np.float32)
        return array

    def empty_text(self) -> Array:
        """Return the features ``[77, D]`` of the empty text."""
        from safetensors.numpy import load_file

        array: Array = load_file(self.folders[0] / EMPTY)["text"].astype(np.float32)
        return array

    def latents(self) -> LatentStatistics:
        """Return the statistics over all clips and times of the first folder.

        Raises:
            BenchError: the folder has no targets, or a channel is constant.
        """
        sums = [read_json(path)["latents"] for path in shard_tables(self.folders[0])]
        sums = [each for each in sums if each["count"]]
        if not sums:
            raise BenchError(f"{self.folders[0]} has no targets: it cannot be trained on")
        # Var(x) = E[x^2] - E[x]^2, of sums that each shard has stored in float64.
        count = sum(each["count"] for each in sums)
        mean = np.sum([each["sum"] for each in sums], axis=0) / count
        variance = np.sum([each["squares"] for each in sums], axis=0) / count - mean**2
        if not (variance > 0).all():
            raise BenchError(f"a channel of the latents in {self.folders[0]} never changes")
        return LatentStatistics(mean.astype(np.float32), np.sqrt(variance).astype(np.float32))

    def _open_shard(self, shard: Path) -> Any:
        """Return the memory map of a shard; the least recently used ones beyond 256 are closed."""
        from safetensors import SafetensorError, safe_open

        if shard not in self._open:
            try:
                file: Any = safe_open(shard, framework="numpy")
                self._open[shard] = file.__enter__()
            except (OSError, SafetensorError) as error:
                raise BenchError(f"cannot read the shard {shard}: {error}") from error
        self._open.move_to_end(shard)
        while len(self._open) > N_OPEN:
            self._open.popitem(last=False)[1].__exit__(None, None, None)
        return self._open[shard]


def _common_store(folders: Sequence[Path]) -> Store:
    """Return the ``store.json`` of the first folder, and check that the others agree with it."""
    stores = []
    for folder in folders:
        if not (folder / STORE).is_file():
            raise MissingError(f"{folder} has no features: make them with `acfoley precompute`")
        found = read_json(folder / STORE)
        if found.get("format") != FORMAT or set(found) != {f.name for f in fields(Store)}:
            raise BenchError(
                f"{folder} has features of another format: run `acfoley precompute` into a new "
                "folder"
            )
        stores.append(Store(**found))
    # Folders of float16 and of float32 may be mixed: reading casts both to float32.
    kinds = [(store.identity, store.seconds, store.reference_seconds) for store in stores]
    for folder, kind in zip(folders, kinds, strict=True):
        if kind != kinds[0]:
            raise BenchError(
                f"{folders[0]} and {folder} have features of different kinds: {kinds[0]} and {kind}"
            )
    return stores[0]


def _read_clips(path: Path, table: dict[str, Any]) -> list[DatasetClip]:
    """Return the clips of a shard, given its JSON file and that file's content."""
    shard = path.parent / table["file"]
    indices: list[dict[str, int]] = [{} for _ in table["clips"]]
    for column, holders in table["holders"].items():
        for row, clip in enumerate(holders):
            indices[clip][column] = row
    return [
        DatasetClip(clip["name"], shard, index, clip["score"])
        for clip, index in zip(table["clips"], indices, strict=True)
    ]


def _common_shapes(tables: Sequence[tuple[Path, dict[str, Any]]]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each column, and check that all shards agree about it."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path, table in tables:
        for name, shape in table["shapes"].items():
            if shapes.setdefault(name, tuple(shape)) != tuple(shape):
                raise BenchError(
                    f"{path.parent} has {name} of {shape}, other folders of {list(shapes[name])}"
                )
    return shapes
