"""List the media of a folder or of archives as published: .zip, .tar, shards of WebDataset.

The files of a .zip or .tar are used where they are (``bench.archives``). A .tar that is compressed
as a whole has no positions: it is decompressed once, to ``$BENCH_HOME/unpacked``.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from bench.archives import Member, iterate_tar, without_range
from bench.digests import file_digest
from bench.errors import BenchError, format_names
from bench.inputs.folder import LEFT_BEHIND, Listing, list_folder
from bench.io import atomic_path, bench_home
from bench.types import AUDIO_SUFFIXES, VIDEO_SUFFIXES

#: How archives are named that a folder may hold.
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
#: The first bytes of what a .tar is compressed by, whatever its name is.
COMPRESSIONS: dict[bytes, Callable[[Path], IO[bytes]]] = {
    b"\x1f\x8b": gzip.open,  # type: ignore[dict-item]
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
BLOCK_BYTES = 2**20


def list_source(source: Path) -> Listing:
    """Return the media of a folder, of one archive, or of the archives in a folder without media.

    Archives in a folder that has media files itself are not read: they are among ``other``.

    Raises:
        MissingError: there is no such folder, or one below it cannot be read.
        BenchError: an archive is damaged, or of a form that cannot be read.
    """
    source = source.absolute()
    archives: tuple[Path, ...] = (source,)
    if not source.is_file():
        listing = list_folder(source)
        archives = tuple(path for path in listing.other if _is_archive(path))
        if listing.audio or listing.videos or not archives:
            return listing
    groups: dict[str, list[Path]] = {"audio": [], "video": [], "other": []}
    if not source.is_file():
        groups["other"] += sorted(set(listing.other) - set(archives))
    for archive in archives:
        for path in _list_members(archive):
            groups[_classify(path)].append(path)
    sorted_groups = (sorted(group, key=without_range) for group in groups.values())
    return Listing(source, *map(tuple, sorted_groups))


def _is_archive(path: Path) -> bool:
    return path.name.lower().endswith(ARCHIVE_SUFFIXES)


def _classify(path: Path) -> str:
    # By suffix alone: to probe 15,000 members of a .zip means to inflate them.
    suffix = path.suffix.lower()
    return "audio" if suffix in AUDIO_SUFFIXES else "video" if suffix in VIDEO_SUFFIXES else "other"


def _list_members(archive: Path) -> Iterator[Path]:
    """Yield the visible files of an archive as paths that go on into it.

    Raises:
        BenchError: it is damaged, or of a form that cannot be read.
    """
    try:
        with archive.open("rb") as file:
            start = file.read(8)
        if start.startswith(ZIP_MAGIC):
            yield from _list_zip(archive)
            return
        decompress = next(
            (COMPRESSIONS[each] for each in COMPRESSIONS if start.startswith(each)), None
        )
        yield from _list_tar(_decompress(archive, decompress) if decompress else archive)
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        OSError,
    ) as error:
        raise BenchError(
            f"cannot read the archive {archive}: {error}; those that can be read are "
            f"{', '.join(ARCHIVE_SUFFIXES)}: download it again, or unpack it and name the folder"
        ) from error


def _list_zip(archive: Path) -> Iterator[Path]:
    with zipfile.ZipFile(archive) as opened, archive.open("rb") as file:
        for info in opened.infolist():
            if info.is_dir() or (name := _make_safe(info.filename)) is None:
                continue
            is_stored = info.compress_type == zipfile.ZIP_STORED
            if info.flag_bits & 1 or not (is_stored or info.compress_type == zipfile.ZIP_DEFLATED):
                raise zipfile.BadZipFile(f"{name} is encrypted, or compressed in another way")
            file.seek(info.header_offset)
            # Name and extra field stand again before the data, with lengths of their own.
            header = file.read(30)
            offset = (
                info.header_offset
                + 30
                + sum(int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
            )
            inflated = None if is_stored else info.file_size
            yield Member(archive, offset, info.compress_size, inflated).path(name)


def _list_tar(tar_file: Path) -> Iterator[Path]:
    n_bytes = tar_file.stat().st_size
    linked: list[str] = []
    with tarfile.open(tar_file, "r:") as tar:
        for info in iterate_tar(tar):
            if (name := _make_safe(info.name)) is None:
                continue
            if not info.isfile() or info.sparse is not None:
                linked.append(name)
                continue
            if info.offset_data + info.size > n_bytes:
                raise tarfile.ReadError(f"it ends inside {name}")
            yield Member(tar_file, info.offset_data, info.size).path(name)
    if linked:
        raise tarfile.ReadError(
            f"{len(linked)} of its files are links or sparse, which have no bytes of their own in "
            f"it ({format_names(linked)})"
        )


def _make_safe(name: str) -> str | None:
    """Return the name of a member as a relative path; None for what is hidden or left behind.

    It is a label only: nothing is ever written or opened by it.
    """
    parts = [part for part in PurePosixPath(name).parts if part not in ("/", "..", ".")]
    is_hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    if not parts or is_hidden or parts[-1].lower() in LEFT_BEHIND:
        return None
    return "/".join(parts)


def _decompress(archive: Path, decompress: Callable[[Path], IO[bytes]]) -> Path:
    """Return the archive without its compression, made once and kept below its SHA-256.

    Raises:
        OSError: the disk is too full, or what is compressed is no .tar.
    """
    folder = bench_home() / "unpacked" / file_digest(archive)
    target = folder / f"{archive.name.partition('.')[0]}.tar"
    if not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        if (n_bytes := archive.stat().st_size) > (free := shutil.disk_usage(folder).free):
            raise OSError(f"decompressing {n_bytes} bytes to {folder} needs more than {free} free")
        with decompress(archive) as packed, atomic_path(target) as temporary:
            with temporary.open("wb") as file:
                shutil.copyfileobj(packed, file, BLOCK_BYTES)
            if not tarfile.is_tarfile(temporary):
                raise tarfile.ReadError("what is compressed in it is no .tar")
    return target
