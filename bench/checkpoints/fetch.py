"""How an official file gets to this machine: downloaded or copied, checked, then put in its path.

The bytes gather in ``<file>.part`` beside the destination. Only a part whose checksum is the
official one takes the file's name, so a file with that name is always complete. One lock per file
keeps all commands, of the bench and of acfoley, out of one another's parts.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from bench.checkpoints.download import Download, download
from bench.checkpoints.registry import OfficialFile
from bench.checkpoints.verify import (
    GIBIBYTE,
    fetch_command,
    find_problem,
    is_verified,
    no_progress,
)
from bench.digests import (
    BLOCK_BYTES,
    OnBytes,
    file_state,
    remember_digest,
    remembered_digest,
)
from bench.errors import BenchError, MissingError
from bench.io import expand_user

#: Two letters at least, for ``C://weights`` is a folder.
URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(frozen=True)
class Origin:
    """Where files come from: their publishers, or a ``mirror`` that has them by official names.

    A mirror is a folder or the URL of one. ``is_offline`` allows folders only.
    """

    mirror: str | None = None
    is_offline: bool = False

    @property
    def folder(self) -> Path | None:
        """The mirror, where it is a folder."""
        # Schemes may be in capitals (RFC 3986). One that is not https is a URL too: the download
        # refuses it by its reason, where a folder of that name would only be missing.
        if self.mirror is None or URL.match(self.mirror):
            return None
        return expand_user(Path(self.mirror))

    def url(self, row: OfficialFile) -> str:
        """The URL to download a file from."""
        return f"{self.mirror.rstrip('/')}/{quote(row.file)}" if self.mirror else row.url


#: Where files come from unless the user names a mirror.
OFFICIAL = Origin()


def fetch_file(
    row: OfficialFile,
    directory: Path,
    origin: Origin = OFFICIAL,
    progress: OnBytes = no_progress,
    *,
    command: str = "",
) -> Path:
    """Make sure that ``directory`` holds the official file; return its path.

    A good file is kept as it is, any other is replaced. ``command`` is what refusals advise.

    Raises:
        MissingError: it must be downloaded, and ``origin`` is offline; the message has the URL.
        BenchError: it cannot be had from there, is not the official file, does not fit on the
            disk, or another process is fetching it.
    """
    path = directory / row.file
    # Before the lock: a folder that is shared and read-only may hold good files.
    if is_verified(row, path) or find_problem(row, path, progress) is None:
        return path
    try:
        directory.mkdir(parents=True, exist_ok=True)
        # Without waiting: the other process may need hours, and nothing would be printed meanwhile.
        with FileLock(directory / f".{row.file}.lock", timeout=0):
            # Another process may have fetched it since.
            if not is_verified(row, path):
                _replace(row, path, origin, progress, command)
    except Timeout as error:
        raise BenchError(f"another process is fetching {path}; wait for it") from error
    except OSError as error:
        raise BenchError(f"cannot write {path}: {error}") from error
    return path


def require_possible(
    rows: Sequence[OfficialFile], directory: Path, origin: Origin, *, command: str = ""
) -> None:
    """Make sure, before the first of many gigabytes, that all missing files can be fetched.

    Raises:
        MissingError: files must be downloaded, and ``origin`` is offline; the message has all URLs.
        BenchError: they do not fit on the disk together.
    """
    missing = [row for row in rows if not (directory / row.file).is_file()]
    if missing and origin.is_offline and origin.folder is None:
        raise MissingError(_how_to_bring(missing, directory, origin, command))
    _require_room(missing, directory)


def _replace(
    row: OfficialFile, path: Path, origin: Origin, progress: OnBytes, command: str
) -> None:
    part = path.with_name(f"{path.name}.part")
    check = partial(find_problem, row, progress=progress)
    if origin.folder is not None:
        _require_room([row], path.parent)
        source = origin.folder / row.file
        _copy(source, part, progress)
        if problem := check(part):
            part.unlink(missing_ok=True)
            raise BenchError(f"{source} {problem}; nothing of it was kept")
    elif origin.is_offline:
        raise MissingError(_how_to_bring([row], path.parent, origin, command))
    else:
        _require_room([row], path.parent)
        download(Download(origin.url(row), row.size_bytes), part, check, progress)
    digest = remembered_digest(part)
    part.replace(path)
    # The rename changes the file's status, by which its digest is remembered.
    if digest is not None:
        remember_digest(file_state(path), digest)


def _how_to_bring(
    rows: Sequence[OfficialFile], directory: Path, origin: Origin, command: str
) -> str:
    files = ", ".join(row.file for row in rows)
    curl = " && ".join(f"curl -L -o '{row.file}' '{origin.url(row)}'" for row in rows)
    them = "it" if len(rows) == 1 else "them"
    return (
        f"{files} must be downloaded to {directory}, and offline mode forbids it; where a network "
        f"exists, run `{curl}`, bring {them} to a folder here and run "
        f"`{command or fetch_command(rows, directory)} --mirror FOLDER`"
    )


def _copy(source: Path, part: Path, progress: OnBytes) -> None:
    if not source.is_file():
        raise MissingError(f"the mirror has no {source}: it needs the files by official names")
    done, total = 0, source.stat().st_size
    with source.open("rb") as original, part.open("wb") as copy:
        while block := original.read(BLOCK_BYTES):
            done += copy.write(block)
            progress(done, total)


def _require_room(rows: Sequence[OfficialFile], directory: Path) -> None:
    parts = [directory / f"{row.file}.part" for row in rows]
    # A part has its room already, and is resumed.
    present = [part.stat().st_size if part.is_file() else 0 for part in parts]
    needed = sum(
        max((row.size_bytes or 0) - size, 0) for row, size in zip(rows, present, strict=True)
    )
    # The folder may have to be made: the nearest one that exists is on the same disk.
    existing = next(
        folder for folder in (directory, *directory.absolute().parents) if folder.exists()
    )
    free = shutil.disk_usage(existing).free
    if needed > free:
        files = ", ".join(row.file for row in rows)
        raise BenchError(
            f"{files} need {needed / GIBIBYTE:.1f} GiB more and {directory} has "
            f"{free / GIBIBYTE:.1f} GiB free; use --weights elsewhere"
        )
