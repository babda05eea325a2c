"""Clips in folders of shards, read row by row through memory maps.

Clips are sorted by name, so that it does not matter which process wrote which shard. Nothing but
tables is read until features are asked for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from acfoley.train.crops import CropLayout
from acfoley.train.shards import EMPTY, FORMAT, STORE, Store, shard_tables
from bench.errors import BenchError, MissingError
from bench.io import read_json

Array = npt.NDArray[np.float32]
#: Files that are held open.
N_OPEN = 256


@dataclass(frozen=True)
class DatasetClip:
    """A clip: its shard, and its place in each column that it has."""

    name: str
    shard: Path
    column_index: dict[str, int]
    score: float | None

    @property
    def has_video(self) -> bool:
        """Whether the network is shown anything."""
        return "video" in self.column_index


@dataclass(frozen=True)
class LatentStatistics:
    """Mean and deviation ``[D]`` of the posterior means of targets, by channel."""

    mean: Array
    std: Array


class FeatureDataset:
    """The clips of one or more folders; the first says how latents are normalised."""

    def __init__(self, folders: Sequence[Path]) -> None:
        if not folders:
            raise MissingError("no folder of features is named: make one with `acfoley precompute`")
        self.folders = tuple(folders)
        self.store = _common_store(self.folders)
        tables = [(path, read_json(path)) for f in self.folders for path in shard_tables(f)]
        self.rows = tuple(sorted((r for t in tables for r in _rows(*t)), key=lambda r: r.name))
        self.shapes = _common_shapes(tables)
        self._open: OrderedDict[Path, Any] = OrderedDict()
        if not self.rows:
            raise MissingError(f"{self.folders[0]} holds no features: run `acfoley precompute`")
        names = [row.name for row in self.rows]
        for name, following in zip(names, names[1:], strict=False):
            if name == following:
                raise BenchError(f"the clip {name!r} is in more than one folder of features")

    @property
    def layout(self) -> CropLayout:
        """How targets and references were cut."""
        return CropLayout(self.store.seconds, self.store.reference_seconds)

    def read(self, row: DatasetClip, column: str, number: int | None = None) -> Array:
        """The feature ``column`` of a clip, float32; of several the ``number``-th."""
        place = (
            (row.column_index[column],) if number is None else (row.column_index[column], number)
        )
        array: Array = self._opened(row.shard).get_slice(column)[place].astype(np.float32)
        return array

    def empty_text(self) -> Array:
        """The features ``[77, D]`` of the empty text."""
        from safetensors.numpy import load_file

        array: Array = load_file(self.folders[0] / EMPTY)["text"].astype(np.float32)
        return array

    def latents(self) -> LatentStatistics:
        """Statistics over all clips and times of the first folder.

        Raises:
            BenchError: a channel never changes.
        """
        sums = [read_json(path)["latents"] for path in shard_tables(self.folders[0])]
        sums = [each for each in sums if each["count"]]
        if not sums:
            raise BenchError(f"{self.folders[0]} has no targets: it cannot be trained on")
        count = sum(each["count"] for each in sums)
        mean = np.sum([each["sum"] for each in sums], axis=0) / count
        variance = np.sum([each["squares"] for each in sums], axis=0) / count - mean**2
        if not (variance > 0).all():
            raise BenchError(f"a channel of the latents in {self.folders[0]} never changes")
        return LatentStatistics(mean.astype(np.float32), np.sqrt(variance).astype(np.float32))

    def _opened(self, shard: Path) -> Any:
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
    """What the folders agree on.

    Raises:
        MissingError: a folder holds no features.
        BenchError: folders were made by different encoders, or for other lengths.
    """
    stores = []
    for folder in folders:
        if not (folder / STORE).is_file():
            raise MissingError(f"{folder} holds no features: make them with `acfoley precompute`")
        found = read_json(folder / STORE)
        if found.get("format") != FORMAT or set(found) != {f.name for f in fields(Store)}:
            raise BenchError(f"{folder} has features of another format: compute them anew")
        stores.append(Store(**found))
    for folder, store in zip(folders, stores, strict=True):
        one = (store.identity, store.seconds, store.reference_seconds)
        other = (stores[0].identity, stores[0].seconds, stores[0].reference_seconds)
        if one != other:
            raise BenchError(
                f"{folders[0]} and {folder} hold features that differ in kind: {other} and {one}"
            )
    return stores[0]


def _rows(path: Path, table: dict[str, Any]) -> list[DatasetClip]:
    shard = path.parent / table["file"]
    column_index: list[dict[str, int]] = [{} for _ in table["clips"]]
    for column, holders in table["holders"].items():
        for place, clip in enumerate(holders):
            column_index[clip][column] = place
    return [
        DatasetClip(clip["name"], shard, column_index[index], clip["score"])
        for index, clip in enumerate(table["clips"])
    ]


def _common_shapes(tables: Sequence[tuple[Path, dict[str, Any]]]) -> dict[str, tuple[int, ...]]:
    """The shape of each column in all shards.

    Raises:
        BenchError: they differ.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for path, table in tables:
        for name, shape in table["shapes"].items():
            if shapes.setdefault(name, tuple(shape)) != tuple(shape):
                raise BenchError(
                    f"{path.parent} has {name} of {shape}, other folders of {list(shapes[name])}"
                )
    return shapes
