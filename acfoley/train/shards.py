"""Features of clips on disk: a folder of shards to which more can be added.

<folder>/store.json              what made the features, and how: compared when writing goes on
<folder>/empty.safetensors       the features of the empty text
<folder>/0of1-00000.safetensors  a column is one array ``[M, ...]`` over the clips that have it
<folder>/0of1-00000.json         clips, clips of each column, SHA-256, sums of latents
<folder>/0of1-failures.jsonl     clips that could not be encoded: clip, error, traceback

The JSON of a shard is written last, and a shard without it does not count: after ``kill -9`` the
clips of the unfinished shard are encoded again, and the folder ends with the same files. Parts are
written by different processes under different file names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from acfoley.train.clips import TrainingClip
from acfoley.train.recipe import find_differences
from bench.digests import read_checksums
from bench.engine import Failure
from bench.errors import BenchError, RunError
from bench.io import atomic_path, read_json, require_folder, write_json

STORE, EMPTY = "store.json", "empty.safetensors"
FORMAT = 1
#: The column whose mean and deviation normalise the latents of the flow.
NORMALISED = "target.mean"

Array = npt.NDArray[np.float32]
StoredType = Literal["float16", "float32"]


@dataclass(frozen=True)
class Store:
    """The content of ``store.json``: what all shards of a folder have in common."""

    identity: str
    seconds: float
    reference_seconds: float
    dtype: StoredType = "float16"
    format: int = FORMAT


@dataclass(frozen=True)
class Part:
    """The share of one of ``n_parts`` processes: every ``n_parts``-th clip from ``index`` on."""

    index: int = 0
    n_parts: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.n_parts:
            raise BenchError(
                f"no part {self.index} of {self.n_parts}: parts are counted from 0 to "
                f"{self.n_parts - 1}"
            )

    def __str__(self) -> str:
        return f"{self.index}of{self.n_parts}"


@dataclass
class _Pending:
    """Clips of the shard that is not yet written.

    ``holders`` are the positions in ``clips`` of those that have a column, ``arrays`` their values.
    """

    clips: list[dict[str, Any]] = field(default_factory=list)
    holders: dict[str, list[int]] = field(default_factory=dict)
    arrays: dict[str, list[Array]] = field(default_factory=dict)


def open_store(folder: Path, store: Store, empty_text: Array) -> None:
    """Create ``folder`` for features of this kind, or check that it has features of this kind.

    Raises:
        RunError: it has features of another kind.
    """
    from safetensors.numpy import save_file

    require_folder(folder)
    path = folder / STORE
    if path.exists():
        if found := find_differences(read_json(path), asdict(store)):
            raise RunError(f"{folder} has other features ({'; '.join(found)}): use another folder")
        return
    # The empty text first: a folder with a ``store.json`` is complete.
    with atomic_path(folder / EMPTY) as temporary:
        save_file({"text": np.ascontiguousarray(empty_text)}, temporary)
    write_json(path, asdict(store))


class ShardWriter:
    """Adds clips to ``folder``.

    ``done`` are the names of clips in finished shards of all parts; ``failed`` the failures of this
    part by name.
    """

    def __init__(self, folder: Path, part: Part, dtype: str, shard_clips: int) -> None:
        if shard_clips < 1:
            raise BenchError(f"a shard has 1 clip or more, not {shard_clips}")
        self._folder, self._part, self._shard_clips = folder, part, shard_clips
        self._dtype = np.dtype(dtype)
        self._pending = _Pending()
        finished = [read_json(path) for path in shard_tables(folder)]
        self._shapes: dict[str, list[int]] = {}
        for table in finished:
            self._shapes.update(table["shapes"])
        # Shards are never written again: more clips are a shard with the next number.
        own = f"{part}-"
        numbers = [int(p.stem.removeprefix(own)) for p in shard_tables(folder, f"{own}*")]
        self._number = max(numbers, default=-1) + 1
        self._failures = folder / f"{part}-failures.jsonl"
        self.failed = {
            row["clip"]: Failure(row["error"], row.get("traceback", ""))
            for row in _read_rows(self._failures)
        }
        self.done = {clip["name"] for table in finished for clip in table["clips"]}

    def add(self, clip: TrainingClip, arrays: Mapping[str, Array]) -> None:
        """Add the features of one clip to the unfinished shard.

        Raises:
            BenchError: a feature has another shape than in other clips, or is too large for the
                stored type.
        """
        # All features are checked before any is added: a refused clip leaves the shard as it was.
        stored = {name: self._cast(clip, name, array) for name, array in arrays.items()}
        for name, array in arrays.items():
            expected = self._shapes.setdefault(name, list(array.shape))
            if list(array.shape) != expected:
                raise BenchError(
                    f"the feature {name} of {clip.name} is {list(array.shape)}, those of other "
                    f"clips are {expected}"
                )
        index = len(self._pending.clips)
        self._pending.clips.append({"name": clip.name, "score": clip.score})
        for name, array in stored.items():
            self._pending.holders.setdefault(name, []).append(index)
            self._pending.arrays.setdefault(name, []).append(array)

    def _cast(self, clip: TrainingClip, name: str, array: Array) -> Array:
        with np.errstate(over="ignore"):
            # C order: safetensors writes the memory of an array and ignores its strides.
            cast = array.astype(self._dtype, order="C")
        if not np.isfinite(cast).all():
            raise BenchError(
                f"the feature {name} of {clip.name} reaches {np.abs(array).max():g}, more than "
                f"{self._dtype} can hold: store float32 (--full)"
            )
        return cast

    @property
    def is_full(self) -> bool:
        """Whether the unfinished shard has as many clips as a shard may have."""
        return len(self._pending.clips) >= self._shard_clips

    def fail(self, clip: str, failure: Failure) -> None:
        """Record a clip that could not be encoded."""
        with self._failures.open("a", encoding="utf-8") as file:
            file.write(_format_failure(clip, failure))
        self.failed[clip] = failure

    def forget_failures(self, clips: Iterable[str]) -> None:
        """Remove the records of ``clips``, which are tried again; keep those of other clips."""
        for clip in clips:
            self.failed.pop(clip, None)
        if not self._failures.exists():
            return
        with atomic_path(self._failures) as temporary:
            rows = (_format_failure(clip, failure) for clip, failure in self.failed.items())
            temporary.write_text("".join(rows), encoding="utf-8")

    def flush(self) -> None:
        """Write the unfinished shard, however few clips it has."""
        from safetensors.numpy import save_file

        pending, self._pending = self._pending, _Pending()
        if not pending.clips:
            return
        path = self._folder / f"{self._part}-{self._number:05d}.safetensors"
        stacked = {name: np.stack(arrays) for name, arrays in sorted(pending.arrays.items())}
        with atomic_path(path) as temporary:
            save_file(stacked, temporary)
            # Of the file, not of the arrays: ``damaged_shards`` reads files.
            digest = read_checksums(temporary).sha256
        table = {
            "file": path.name,
            "sha256": digest,
            "shapes": {name: list(array.shape[1:]) for name, array in stacked.items()},
            "clips": pending.clips,
            "holders": dict(sorted(pending.holders.items())),
            "latents": _sum_latents(stacked.get(NORMALISED)),
        }
        write_json(path.with_suffix(".json"), table)
        self.done.update(clip["name"] for clip in pending.clips)
        self._number += 1


def shard_tables(folder: Path, pattern: str = "*of*-*") -> list[Path]:
    """Return the JSON files of all finished shards, sorted."""
    return sorted(folder.glob(f"{pattern}.json"))


def damaged_shards(folder: Path) -> list[Path]:
    """Return the shards whose file is missing or has another SHA-256 than was written."""
    tables = (read_json(path) for path in shard_tables(folder))
    files = [(folder / table["file"], table["sha256"]) for table in tables]
    # Every file is read. Remembered digests hold while size and times are the same, and bits that a
    # disk has changed leave both as they were.
    return [p for p, sha256 in files if not p.is_file() or read_checksums(p).sha256 != sha256]


def _sum_latents(latents: Array | None) -> dict[str, Any]:
    """Return count, sum and sum of squares of latents ``[M, L, D]`` by channel, in float64.

    Sums of shards add up, so mean and deviation of a folder need no second pass over its latents.
    """
    if latents is None:
        return {"count": 0, "sum": [], "squares": []}
    flat = latents.reshape(-1, latents.shape[-1]).astype(np.float64)
    total, squares = flat.sum(axis=0), np.square(flat).sum(axis=0)
    return {"count": len(flat), "sum": total.tolist(), "squares": squares.tolist()}


def _format_failure(clip: str, failure: Failure) -> str:
    row = {"clip": clip, "error": failure.message, "traceback": failure.traceback}
    return json.dumps(row) + "\n"


def _read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a JSON Lines file, without a last line that a killed process cut off."""
    if not path.exists():
        return []
    content = path.read_bytes()
    return [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]
