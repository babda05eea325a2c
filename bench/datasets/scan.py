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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

from bench.archives import Member, is_file, iterate_tar
from bench.datasets.disk import name_full_disk, require_space
from bench.datasets.index import Index
from bench.digests import file_state
from bench.errors import format_names
from bench.inputs import list_folder
from bench.io import SAFE_NAME, atomic_path
from bench.types import AUDIO_SUFFIXES, VIDEO_SUFFIXES

MEDIA_SUFFIXES = AUDIO_SUFFIXES | VIDEO_SUFFIXES
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
#: Suffixes of archives in other forms, which are named and not read.
UNREAD = frozenset({".zip", ".7z", ".rar", ".zst", ".tzst", ".lz4"})
#: Mean size of a clip of VGGSound, for the estimate of disk space: 340 GB of 199,467 clips.
MEAN_CLIP_BYTES = 1_700_000
BLOCK_BYTES = 2**20
ROWS_AT_ONCE = 16

#: Called with the MiB of archives that were read, and those of all.
Progress = Callable[[int, int], None]


@dataclass
class Scan:
    """The media that were found, and sentences on what could not be read."""

    videos: list[Path] = field(default_factory=list)
    audio: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

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
    _check_space(min(total, n_wanted * MEAN_CLIP_BYTES), len(packed), unpacked)
    here = {path.stem for path in found.videos}
    _unpack_all(
        packed,
        lambda stem: is_wanted(stem) and stem not in here,
        unpacked,
        index,
        found,
        progress,
    )
    found.problems += _explain_unread(path for path in others if path not in {*archives, *packed})
    return found


def _unpack_all(
    packed: Sequence[Path],
    is_wanted: Callable[[str], bool],
    folder: Path,
    index: Index,
    found: Scan,
    progress: Progress,
) -> None:
    """Add to ``found`` what is unpacked from each archive; of clips that are twice, the first."""
    total, done = sum(path.stat().st_size for path in packed), 0
    archive_of: dict[Path, Path] = {}
    twice: list[str] = []
    for path in packed:
        progress(done // 2**20, total // 2**20)
        for file in _unpack(path, is_wanted, folder, index, found.problems):
            if file in archive_of:
                twice.append(f"{archive_of[file].name}/{file.name} and {path.name}/{file.name}")
                continue
            archive_of[file] = path
            found.add(file)
        done += path.stat().st_size
    if packed:
        progress(total // 2**20, total // 2**20)
    if twice:
        what = "clips are in compressed archives twice, and the first of each counts"
        found.problems.append(f"{len(twice)} {what}: {format_names(twice)}")


def _explain_unread(files: Iterable[Path]) -> Iterator[str]:
    """Yield sentences on archives in forms that are not read."""
    files = list(files)
    parts = [path for path in files if re.fullmatch(r"\.z\d\d", path.suffix.lower())]
    if parts:
        yield (
            f"{parts[0].name} is a part of a zip file, of which parts cannot be read: join them "
            f"by `zip -s- {parts[0].stem}.zip -O whole.zip`, then `unzip whole.zip`"
        )
    in_parts = {path.with_suffix("") for path in parts}
    unread = [
        path
        for path in files
        if path.suffix.lower() in UNREAD and path.with_suffix("") not in in_parts
    ]
    if unread:
        kinds = ", ".join(sorted({path.suffix.lower() for path in unread}))
        yield (
            f"{len(unread)} archives ({kinds}) are not read: unpack them, and name that folder by "
            f"--from ({format_names(path.name for path in unread)})"
        )


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
    if folder.is_dir():  # what an earlier call unpacked is not written again
        needed -= sum(path.stat().st_size for path in folder.iterdir())
    require_space(folder, needed, f"the clips of {n_archives} archives")


def _index_tar(path: Path, index: Index, problems: list[str]) -> Iterator[Path]:
    """Yield the media in a .tar, as paths that go on into it."""
    state = file_state(path)
    remembered = index.recall_archive(state)
    if remembered is None:
        members: list[tuple[int, int, str]] = []
        links: list[str] = []
        damage, is_read = "", True
        try:
            with tarfile.open(path, "r:") as tar:
                for info in _iterate(tar, links):
                    name = Path(info.name).name
                    if info.sparse is None:
                        members.append((info.offset_data, info.size, name))
                    else:
                        links.append(name)
        except (tarfile.TarError, OSError, EOFError) as error:
            damage = f"{path.name} is damaged after {len(members)} media files: {error}"
            # Of the system, such as a server that does not answer: the next call may read it.
            is_read = not isinstance(error, OSError)
        found = [*filter(None, [damage]), *_describe_links(path, links)]
        remembered = {"members": members, "problems": found}
        if is_read:
            index.remember_archive(state, remembered)
    problems += remembered["problems"]
    for offset, size, name in remembered["members"]:
        member = Member(path, offset, size).path(name)
        if is_file(member):
            yield member


def _describe_links(path: Path, links: list[str]) -> list[str]:
    """Return a sentence on the media of an archive that have no bytes of their own in it."""
    if not links:
        return []
    what = "media files that are links or sparse, which are not read: unpack it"
    return [f"{path.name} has {len(links)} {what} ({format_names(links)})"]


def _iterate(tar: tarfile.TarFile, links: list[str]) -> Iterator[tarfile.TarInfo]:
    """Yield the media of an archive, and add the names of links to them to ``links``."""
    for info in iterate_tar(tar):
        name = Path(info.name).name
        if Path(name).suffix.lower() not in MEDIA_SUFFIXES:
            continue
        if info.isfile():
            yield info
        elif info.islnk() or info.issym():
            links.append(name)


def _unpack(
    path: Path, is_wanted: Callable[[str], bool], folder: Path, index: Index, problems: list[str]
) -> Iterator[Path]:
    """Write the wanted media of a compressed archive or a Parquet file to ``folder``."""

    def find_wanted(names: list[str]) -> list[str]:
        return [name for name in names if is_wanted(Path(name).stem)]

    state = file_state(path)
    # Remembered by the names of all that it holds: another call may want others of them.
    content = index.recall_archive(state)
    if content is None or not all(
        (folder / name).is_file() for name in find_wanted(content["names"]) if _is_safe(name)
    ):
        content = _write_wanted(path, is_wanted, folder)
        if not content["damage"]:
            index.remember_archive(state, content)
    wanted = find_wanted(content["names"])
    if unsafe := [name for name in wanted if not _is_safe(name)]:
        what = "wanted clips whose names have other characters than letters, digits and ._+@=,-"
        problems.append(f"{path.name} has {len(unsafe)} {what}: {format_names(unsafe)}")
    if content.get("unread"):  # files that an earlier version read have no such entry
        problems.append(f"{path.name} is not read: {content['unread']}")
    if content["damage"]:
        problems.append(
            f"{path.name} is damaged after {len(wanted)} wanted clips: {content['damage']}"
        )
    problems += _describe_links(path, content["links"])
    yield from (folder / name for name in wanted if _is_safe(name))


def _is_safe(name: str) -> bool:
    return SAFE_NAME.fullmatch(name) is not None


def _write_wanted(path: Path, is_wanted: Callable[[str], bool], folder: Path) -> dict[str, Any]:
    """Write what is missing; return the names of all media and links, and the damage if any."""
    names: list[str] = []
    links: list[str] = []
    damage = unread = ""
    is_table = path.suffix.lower() == ".parquet"
    try:
        for name, write in _read_rows(path) if is_table else _read_packed(path, links):
            destination = folder / name
            # An unfinished file has another name, so what is there is whole.
            if is_wanted(Path(name).stem) and _is_safe(name) and not destination.is_file():
                with (
                    name_full_disk(folder),
                    atomic_path(destination) as temporary,
                    temporary.open("wb") as file,
                ):
                    write(file)
            names.append(name)
    except _NoMediaError as error:
        unread = str(error)
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        damage = str(error) or type(error).__name__
    return {"names": names, "links": links, "damage": damage, "unread": unread}


Write = Callable[[IO[bytes]], None]


class _NoMediaError(Exception):
    """A Parquet file that holds something else, such as a list of clips."""


def _read_packed(path: Path, links: list[str]) -> Iterator[tuple[str, Write]]:
    """Yield name and content of the media in a compressed archive, in its order."""
    # "|": a stream, since going back in a compressed file means reading it from its start.
    with tarfile.open(path, "r|*", bufsize=BLOCK_BYTES) as tar:
        for info in _iterate(tar, links):
            content = tar.extractfile(info)
            if content is not None:
                yield Path(info.name).name, partial(shutil.copyfileobj, content)


def _read_rows(path: Path) -> Iterator[tuple[str, Write]]:
    """Yield name and content of the media in the rows of a Parquet file.

    A row has a name and a column of bytes, or of ``{bytes, path}`` as ``datasets`` writes them.

    Raises:
        _NoMediaError: it has no such columns.
    """
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    try:
        schema = file.schema_arrow
        media = next((each for each in schema if holds_bytes(each.type)), None)
        names = ("video_id", "clip", "clip_id", "id", "key", "__key__", "name", "file_name", "path")
        key = next((each for each in names if each in schema.names), None)
        if media is None or key is None:
            raise _NoMediaError(
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


def holds_bytes(kind: Any) -> bool:
    """Whether a column of this type of Arrow holds files: bytes, or ``{bytes, path}``."""
    import pyarrow as pa

    if kind is None:
        return False
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" for field in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
