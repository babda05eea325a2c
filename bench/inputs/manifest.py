"""The manifest of a prepared dataset: one row per clip, in Parquet, for scoring and for training.

``bench data prepare`` writes it, ``bench.splits`` and ``acfoley.train`` read it. Its metadata name
the dataset, the protocol's version and the lists that were applied, with their SHA-256, so that a
result can say which data it belongs to. Columns are the fields of ``MediaRow``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from bench.errors import BenchError, MissingError
from bench.io import atomic_path

MANIFEST = "manifest.parquet"
#: Raised when columns change their meaning: other versions are refused, not guessed at.
MANIFEST_VERSION = 1
_METADATA = b"foley-bench"


@dataclass(frozen=True)
class MediaRow:
    """One clip of a dataset: where its media are, and what their headers state.

    ``path`` may go on into an archive (``bench.archives``); ``audio_path`` is a file beside it that
    holds the audio, "" where the video has it. The clip is ``seconds`` from ``start_s``: a file
    that is longer than the clip is cut, not copied. Lengths and sizes are None where a header does
    not state them. ``problem`` is "" or the reason why the clip cannot be used.
    """

    clip: str
    label: str = ""
    split: str = ""
    path: str = ""
    audio_path: str = ""
    start_s: float = 0.0
    seconds: float = 10.0
    container: str = ""
    n_bytes: int = 0
    video_codec: str = ""
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    n_frames: int | None = None
    video_s: float | None = None
    audio_codec: str = ""
    audio_rate_hz: int | None = None
    audio_channels: int | None = None
    audio_s: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Manifest:
    """The rows of a dataset, sorted by clip, and what they were made of.

    ``lists`` are the SHA-256 of the lists of clips by name; ``notes`` are sentences on what was
    found beside the clips.
    """

    dataset: str
    rows: tuple[MediaRow, ...]
    licence: str = ""
    lists: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [row.clip for row in self.rows]
        if sorted(set(names)) != names:
            raise ValueError("rows of a manifest are sorted by clip, one each")


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write ``manifest`` atomically; equal rows give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    described = {
        "version": MANIFEST_VERSION,
        "dataset": manifest.dataset,
        "licence": manifest.licence,
        "lists": manifest.lists,
        "notes": list(manifest.notes),
    }
    columns = {
        each.name: pa.array([getattr(row, each.name) for row in manifest.rows], _arrow_type(each))
        for each in fields(MediaRow)
    }
    table = pa.table(columns).replace_schema_metadata({_METADATA: json.dumps(described)})
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_manifest(path: Path) -> Manifest:
    """Return the manifest in ``path``.

    Raises:
        MissingError: there is no such file.
        BenchError: it is not a manifest, or one of another version.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise MissingError(f"there is no manifest {path}; `bench data prepare` writes it")
    try:
        # The file, not its path: pyarrow takes a path with = in it for a partition.
        with path.open("rb") as file:
            table = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise BenchError(f"cannot read the manifest {path}: {error}") from error
    described = _describe(path, (table.schema.metadata or {}).get(_METADATA))
    rows = tuple(MediaRow(**row) for row in _iterate_rows(table))
    return Manifest(
        described["dataset"],
        rows,
        described["licence"],
        described["lists"],
        tuple(described["notes"]),
    )


def _describe(path: Path, metadata: bytes | None) -> dict[str, Any]:
    if metadata is None:
        raise BenchError(f"{path} is no manifest of this package: `bench data prepare` writes one")
    described: dict[str, Any] = json.loads(metadata)
    if described["version"] != MANIFEST_VERSION:
        raise BenchError(
            f"{path} is a manifest of version {described['version']}, expected "
            f"{MANIFEST_VERSION}: run `bench data prepare {described['dataset']}` again"
        )
    return described


def _iterate_rows(table: Any) -> Iterator[dict[str, Any]]:
    known = {each.name for each in fields(MediaRow)}
    # In batches: a list of 200,000 dictionaries takes more memory than the rows.
    for batch in table.to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            yield {name: value for name, value in row.items() if name in known}


def _arrow_type(each: Any) -> Any:
    import pyarrow as pa

    kinds = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}
    return kinds[str(each.type).partition(" ")[0]]


def sort_rows(rows: Iterable[MediaRow]) -> tuple[MediaRow, ...]:
    """Return ``rows`` in the order of a manifest."""
    return tuple(sorted(rows, key=lambda row: row.clip))
