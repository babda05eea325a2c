"""The media in a zip archive: members that are stored as they are can be read where they are.

A member that is compressed has to be unpacked. An archive in parts (``.z01``, ..., ``.zip``) cannot
be read: Python opens one file, whose positions count within each part.
"""

from __future__ import annotations

import shutil
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from bench.datasets.disk import name_full_disk
from bench.errors import BenchError
from bench.io import atomic_path

_ENCRYPTED = 1
#: Of a member's own header, which the list at the end of the archive repeats but for its length.
_HEADER = struct.Struct("<4s22xHH")
_SIGNATURE = b"PK\x03\x04"


class ZipMember(NamedTuple):
    """A file in a zip: its path there, its size, and where its bytes are if they are stored."""

    name: str
    size: int
    offset: int | None


def find_zips(files: Iterable[Path]) -> list[Path]:
    """Return the zips among ``files``; of parts that were joined as advised, the whole alone."""
    zips = [path for path in files if path.suffix.lower() == ".zip"]
    return [path for path in zips if _whole_path(path) not in zips]


def _whole_path(path: Path) -> Path:
    """Return where the message of ``list_members`` has the parts of a zip joined."""
    return path.with_name(f"{path.stem}_whole.zip")


def list_members(path: Path, suffixes: Collection[str]) -> list[ZipMember]:
    """Return the visible files of these suffixes in a zip, in its order.

    Raises:
        BenchError: it is damaged, or the last of several parts; the message says how to join them.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            # Of parts, the list in the last one can be read, and nothing else.
            if path.with_suffix(".z01").exists() or any(info.volume for info in infos):
                raise zipfile.BadZipFile("its members are in several files")
            return [
                ZipMember(info.filename, info.file_size, _locate(info, file))
                for info in infos
                if Path(info.filename).suffix.lower() in suffixes
                and not Path(info.filename).name.startswith(".")
            ]
    except zipfile.BadZipFile as error:
        raise BenchError(
            f"cannot read {path} ({error}): if it is the last part of several ({path.stem}.z01, "
            f"...), join them by `zip -s- {path.name} -O {_whole_path(path).name}`, which is read"
        ) from error


def _locate(info: zipfile.ZipInfo, file: BinaryIO) -> int | None:
    """Return the position of a member's bytes, None where they have to be unpacked."""
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & _ENCRYPTED:
        return None
    file.seek(info.header_offset)
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size or not header.startswith(_SIGNATURE):
        raise zipfile.BadZipFile(f"{info.filename} is not where its list says")
    _, n_name, n_extra = _HEADER.unpack(header)
    return info.header_offset + _HEADER.size + int(n_name) + int(n_extra)


def unpack_members(path: Path, destinations: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    """Write members to their destinations; yield each name with "" or why it cannot be read.

    Raises:
        BenchError: the zip is damaged, or the disk is full.
    """
    try:
        # Once for all: the list of FreeSound's 262,300 files takes seconds to read.
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise BenchError(f"cannot read {path}: {error}") from error
    with archive:
        for name, destination in destinations.items():
            yield name, _unpack(archive, name, destination)


def _unpack(archive: zipfile.ZipFile, name: str, destination: Path) -> str:
    try:
        with (
            archive.open(name) as content,
            name_full_disk(destination.parent),
            atomic_path(destination) as temporary,
            temporary.open("wb") as file,
        ):
            shutil.copyfileobj(content, file)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        return f"{name} of {Path(archive.filename or '').name} cannot be unpacked: {error}"
    return ""
