"""Files inside a .tar or .zip archive, read where they are: a path may go on into an archive.

    /data/shard_00.tar/@1536+204800/0DCit2EBtjs_000030.mp4
    /data/samples.zip/@30+80211=320044/dog/0DCit2EBtjs_000030.wav

The first names 204,800 bytes from byte 1,536 of ``/data/shard_00.tar``. No folder can be below a
file, so no such path is a file of its own; its name and suffix are those of the member. An archive
of 340 GB is then used without being unpacked. A .zip compresses each of its files: the second names
80,211 bytes that are 320,044 when they are inflated. A .tar that is compressed as a whole has no
such positions: it must be unpacked.
"""

from __future__ import annotations

import errno
import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_INSIDE = re.compile(
    r"(?P<archive>.+?)[/\\]@(?P<offset>\d+)\+(?P<size>\d+)(?:=(?P<inflated>\d+))?[/\\](?P<name>.+)",
    re.ASCII | re.DOTALL,
)

#: A compressed member is inflated in memory; a few megabytes can be stated to be any number.
MOST_INFLATED_BYTES = 2**31


class Member(NamedTuple):
    """The bytes of a file inside ``archive``: ``size`` from ``offset``.

    ``inflated`` is their number when they are inflated; None where they are not compressed.
    """

    archive: Path
    offset: int
    size: int
    inflated: int | None = None

    def path(self, name: str) -> Path:
        """Return the path of this member under a file name, which may have folders before it."""
        inflated = "" if self.inflated is None else f"={self.inflated}"
        return self.archive / f"@{self.offset}+{self.size}{inflated}" / name


def parse_member(path: Path) -> Member | None:
    """Return where the bytes of ``path`` are if it goes on into an archive, else None.

    >>> parse_member(Path("/data/a.tar/@512+9/b.mp4"))
    Member(archive=PosixPath('/data/a.tar'), offset=512, size=9, inflated=None)
    """
    if (found := _find_range(path)) is None:
        return None
    inflated = None if found["inflated"] is None else int(found["inflated"])
    return Member(Path(found["archive"]), int(found["offset"]), int(found["size"]), inflated)


def _find_range(path: Path) -> re.Match[str] | None:
    # As text: taking paths apart would be most of the time of listing an archive.
    text = str(path)
    return _INSIDE.fullmatch(text) if "@" in text else None


def name_inside(path: Path) -> Path | None:
    """Return the name that ``path`` has inside an archive, with its folders there; None elsewhere.

    >>> name_inside(Path("/data/a.tar/@512+9/x/b.mp4"))
    PosixPath('x/b.mp4')
    """
    found = _find_range(path)
    return None if found is None else Path(found["name"])


def without_range(path: Path) -> Path:
    """Return ``path`` as a reader knows it: the archive, then the name inside it.

    >>> without_range(Path("/data/a.tar/@512+9/x/b.mp4"))
    PosixPath('/data/a.tar/x/b.mp4')
    """
    found = _find_range(path)
    return path if found is None else Path(found["archive"], found["name"])


def path_below(path: Path, root: Path) -> Path:
    """Return ``path`` as a reader finds it from ``root``, a folder or the archive itself.

    >>> path_below(Path("/data/a.tar/@512+9/x/b.mp4"), Path("/data"))
    PosixPath('a.tar/x/b.mp4')
    """
    plain = without_range(path)
    if plain.is_relative_to(root):
        return plain.relative_to(root)
    # An archive that was decompressed to another folder.
    member = parse_member(path)
    return plain if member is None else plain.relative_to(member.archive.parent)


def iterate_tar(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the visible files and links of an archive in its order; memory does not grow with them.

    ``._x.mp4`` is AppleDouble: attributes that macOS packs beside a file of that name.
    """
    while (info := tar.next()) is not None:
        # Public since Python 3.13, as the argument ``stream``.
        tar.members.clear()  # type: ignore[attr-defined]
        if not info.isdir() and not Path(info.name).name.startswith("."):
            yield info


def describe_path(path: Path) -> str:
    """Return the end of ``path`` for a message: the name of its folder or archive, and its own.

    >>> describe_path(Path("/data/a.tar/@512+9/b.mp4"))
    'a.tar/b.mp4'
    """
    member = parse_member(path)
    return f"{(path.parent if member is None else member.archive).name}/{path.name}"


def hide_ranges(text: str) -> str:
    """Return a message whose paths into archives are those that a user would write.

    >>> hide_ranges("cannot read /data/a.tar/@512+9/b.mp4")
    'cannot read /data/a.tar/b.mp4'
    """
    return re.sub(r"/@\d+\+\d+(?:=\d+)?/", "/", text, flags=re.ASCII)


def is_file(path: Path) -> bool:
    """Whether there is a file at ``path``, in a folder or in an archive."""
    member = parse_member(path)
    if member is None:
        return path.is_file()
    return member.archive.is_file() and (
        member.offset + member.size <= member.archive.stat().st_size
    )


def file_size(path: Path) -> int:
    """Return the size of ``path`` in bytes, in a folder or in an archive.

    Raises:
        OSError: it, or its archive, does not exist.
    """
    member = parse_member(path)
    if member is None:
        return path.stat().st_size
    member.archive.stat()
    return member.size if member.inflated is None else member.inflated


def open_binary(path: Path) -> io.BufferedIOBase:
    """Open ``path``, in a folder or in an archive, for reading.

    Raises:
        OSError: it does not exist, cannot be read, or is too large to be inflated in memory.
    """
    member = parse_member(path)
    if member is None:
        return path.open("rb")
    if member.inflated is None:
        return io.BufferedReader(_Window(member))
    if member.inflated > MOST_INFLATED_BYTES:
        raise OSError(
            errno.EFBIG,
            f"{path.name} has {member.inflated:,} bytes when it is inflated, at most "
            f"{MOST_INFLATED_BYTES:,} are read from an archive: unpack {member.archive}",
        )
    with member.archive.open("rb") as file:
        file.seek(member.offset)
        compressed = file.read(member.size)
    try:
        # Raw deflate, as .zip has it; never more than is stated, whatever the bytes expand to.
        return io.BytesIO(zlib.decompressobj(-15).decompress(compressed, member.inflated))
    except zlib.error:
        return io.BytesIO()  # the decoder reports the damage


class _Window(io.RawIOBase):
    """A range of a file as a file of its own."""

    def __init__(self, member: Member) -> None:
        self._file = member.archive.open("rb", buffering=0)
        self._start, self._size, self._position = member.offset, member.size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"cannot seek to {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        n_left = max(self._size - self._position, 0)
        # Where the archive was cut off, this is short, and the decoder reports the damage.
        self._file.seek(self._start + self._position)
        n_read = self._file.readinto(memoryview(buffer)[:n_left]) or 0
        self._position += n_read
        return n_read

    def close(self) -> None:
        self._file.close()
        super().close()
