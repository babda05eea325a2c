"""Files inside a .tar archive, read where they are: a path may go on into an archive.

    /data/shard_00.tar/@1536+204800/0DCit2EBtjs_000030.mp4

names 204,800 bytes from byte 1,536 of ``/data/shard_00.tar``. No folder can be below a file, so no
such path is a file of its own; its name and suffix are those of the member. An archive of 340 GB is
then used without being unpacked. A compressed archive has no such positions: it must be unpacked.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_RANGE = re.compile(r"@(?P<offset>\d+)\+(?P<size>\d+)", re.ASCII)


class Member(NamedTuple):
    """The bytes of a file inside ``archive``: ``size`` from ``offset``."""

    archive: Path
    offset: int
    size: int

    def path(self, name: str) -> Path:
        """Return the path of this member under a file name."""
        return self.archive / f"@{self.offset}+{self.size}" / name


def parse_member(path: Path) -> Member | None:
    """Return where the bytes of ``path`` are if it goes on into an archive, else None.

    >>> parse_member(Path("/data/a.tar/@512+9/b.mp4"))
    Member(archive=PosixPath('/data/a.tar'), offset=512, size=9)
    """
    found = _RANGE.fullmatch(path.parent.name)
    if found is None:
        return None
    return Member(path.parent.parent, int(found["offset"]), int(found["size"]))


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
    return re.sub(rf"/{_RANGE.pattern}/", "/", text, flags=re.ASCII)


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
    return member.size


def open_binary(path: Path) -> io.BufferedReader:
    """Open ``path``, in a folder or in an archive, for reading.

    Raises:
        OSError: it does not exist, or cannot be read.
    """
    member = parse_member(path)
    if member is None:
        return path.open("rb")
    return io.BufferedReader(_Window(member))


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
