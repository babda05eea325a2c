"""Find the media below a folder: files, members of .tar archives, and what has to be unpacked.

A .tar is indexed: its members are used where they are (``bench.archives``). A .tar.gz has no
positions, and a Parquet file holds its media in pages, so the clips that are wanted are written to
a folder once. An archive that is broken is named, and what was read before the damage counts.
"""

from __future__ import annotations

import io
import re
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from bench.archives import Member, is_file
from bench.datasets.index import Index
from bench.digests import file_state
from bench.errors import BenchError
from bench.inputs import list_folder
from bench.io import SAFE_NAME, atomic_path
from bench.types import AUDIO_SUFFIXES, VIDEO_SUFFIXES

MEDIA_SUFFIXES = AUDIO_SUFFIXES | VIDEO_SUFFIXES
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
#: Mean size of a clip of VGGSound, for the estimate of disk space: 340 GB of 199,467 clips.
MEAN_CLIP_BYTES = 1_700_000
BLOCK_BYTES = 2**20
ROWS_AT_ONCE = 16

#: Called with the bytes of archives that were read, and that of all.
Progress = Callable[[int, int], None]


@dataclass
class Scan:
    """The media that were found, and sentences on what could not be read."""

    videos: list[Path] = field(default_factory=list)
    audio: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, path: Path) -> None:
        """Add a file by the kind that its suffix means."""
        is_video = path.suffix.lower() in VIDEO_SUFFIXES
        (self.videos if is_video else self.audio).append(path)


def scan(
    source: Path,
    is_wanted: Callable[[str], bool],
    n_wanted: int,
    unpacked: Path,
    index: Index,
    progress: Progress,
) -> Scan:
    """Return the media at ``source``, a folder or one archive.

    ``is_wanted`` tells by its stem whether a file that has to be unpacked is needed; such files are
    written to ``unpacked``. ``index`` remembers archives that were read.

    Raises:
        MissingError: ``source`` does not exist, or a folder below it cannot be listed.
        BenchError: the disk has not enough space for what has to be unpacked.
    """
    found = Scan()
    others: tuple[Path, ...] = (source.absolute(),)
    if not source.is_file():
        listing = list_folder(source)
        found.videos += listing.videos
        found.audio += listing.audio
        others = listing.other
    archives = [path for path in others if path.suffix.lower() == ".tar" and not _is_gzip(path)]
    packed = [path for path in others if _must_unpack(path) and path not in archives]
    total = sum(path.stat().st_size for path in packed)
    for path in archives:
        for member in _index_tar(path, index, found.problems):
            found.add(member)
    here = {path.stem for path in found.videos}
    _check_space(min(total, n_wanted * MEAN_CLIP_BYTES), len(packed), unpacked)
    done = 0
    for path in packed:
        progress(done, total)
        for file in _unpack(
            path, lambda stem: is_wanted(stem) and stem not in here, unpacked, index, found.problems
        ):
            found.add(file)
        done += path.stat().st_size
    if packed:
        progress(total, total)
    rest = [path for path in others if path not in {*archives, *packed}]
    if parts := [path for path in rest if re.fullmatch(r"\.z\d\d", path.suffix.lower())]:
        found.problems.append(
            f"{parts[0].name} is a part of a zip file, of which parts cannot be read: join them "
            f"by `zip -s- {parts[0].stem}.zip -O whole.zip`, then `unzip whole.zip`"
        )
    return found


def _is_gzip(path: Path) -> bool:
    """Whether a file is compressed whatever its name says."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _must_unpack(path: Path) -> bool:
    name = path.name.lower()
    return name.endswith((*COMPRESSED, ".parquet")) or (name.endswith(".tar") and _is_gzip(path))


def _check_space(needed: int, n_archives: int, folder: Path) -> None:
    if not needed:
        return
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise BenchError(
            f"unpacking the clips of {n_archives} archives takes up to {needed / 2**30:.1f} GiB, "
            f"and {existing} has {free / 2**30:.1f} GiB free: set BENCH_HOME to a larger disk, or "
            "unpack them elsewhere and name that folder by --from"
        )


def _index_tar(path: Path, index: Index, problems: list[str]) -> Iterator[Path]:
    """Yield the media in a .tar, as paths that go on into it."""
    state = file_state(path)
    remembered = index.recall_archive(state)
    if remembered is None:
        members, damage = [], ""
        try:
            with tarfile.open(path, "r:") as tar:
                for info in _iterate(tar):
                    if info.sparse is None:
                        name = Path(info.name).name
                        members.append([info.offset_data, info.size, name])
        except (tarfile.TarError, OSError, EOFError) as error:
            damage = f"{path.name} is damaged after {len(members)} media files: {error}"
        remembered = {"members": members, "damage": damage}
        index.remember_archive(state, remembered)
    if remembered["damage"]:
        problems.append(remembered["damage"])
    for offset, size, name in remembered["members"]:
        member = Member(path, offset, size).path(name)
        if is_file(member):
            yield member


def _iterate(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the media of an archive; memory does not grow with their number."""
    while (info := tar.next()) is not None:
        tar.members.clear()  # type: ignore[attr-defined]
        name = Path(info.name).name
        # ``._x.mp4`` is AppleDouble: attributes that macOS packs beside a file of that name.
        is_hidden = name.startswith(".")
        if info.isfile() and not is_hidden and Path(name).suffix.lower() in MEDIA_SUFFIXES:
            yield info


def _unpack(
    path: Path, is_wanted: Callable[[str], bool], folder: Path, index: Index, problems: list[str]
) -> Iterator[Path]:
    """Write the wanted media of a compressed archive or a Parquet file to ``folder``."""
    state = file_state(path)
    remembered = index.recall_archive(state) or {"files": []}
    files = [folder / name for name in remembered["files"]]
    if files and all(file.is_file() for file in files):
        yield from files
        return
    files, damage = [], ""
    items = _read_rows(path) if path.suffix.lower() == ".parquet" else _read_packed(path)
    try:
        for name, write in items:
            if is_wanted(Path(name).stem) and SAFE_NAME.fullmatch(name):
                destination = folder / name
                # An unfinished file has another name, so what is there is whole.
                if not destination.is_file():
                    with atomic_path(destination) as temporary, temporary.open("wb") as file:
                        write(file)
                files.append(destination)
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        damage = f"{path.name} is damaged after {len(files)} wanted clips: {error}"
        problems.append(damage)
    if not damage:
        index.remember_archive(state, {"files": [file.name for file in files]})
    yield from files


Write = Callable[[IO[bytes]], None]


def _read_packed(path: Path) -> Iterator[tuple[str, Write]]:
    """Yield name and content of the media in a compressed archive, in its order."""
    # "|": a stream, since going back in a compressed file means reading it from its start.
    with tarfile.open(path, "r|*", bufsize=BLOCK_BYTES) as tar:
        for info in _iterate(tar):
            content = tar.extractfile(info)
            if content is not None:
                yield Path(info.name).name, partial(shutil.copyfileobj, content)


def _read_rows(path: Path) -> Iterator[tuple[str, Write]]:
    """Yield name and content of the media in the rows of a Parquet file.

    A row has a name and a column of bytes, or of ``{bytes, path}`` as ``datasets`` writes them.

    Raises:
        ValueError: it has no such columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    try:
        schema = file.schema_arrow
        media = next((each for each in schema if _holds_bytes(each.type, pa)), None)
        names = ("video_id", "clip", "clip_id", "id", "key", "__key__", "name", "file_name", "path")
        key = next((each for each in names if each in schema.names), None)
        if media is None or key is None:
            raise ValueError(
                f"its columns are {', '.join(schema.names)}: expected a name ({', '.join(names)}) "
                "and a column of bytes"
            )
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=[key, media.name]):
            for row in batch.to_pylist():
                held = row[media.name]
                data = held["bytes"] if isinstance(held, dict) else held
                if data:
                    stem = Path(str(row[key])).name.removesuffix(".mp4")
                    yield f"{stem}.mp4", partial(shutil.copyfileobj, io.BytesIO(data))
    finally:
        file.close()


def _holds_bytes(kind: Any, pa: Any) -> bool:
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" for field in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
