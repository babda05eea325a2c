"""How an official checkpoint gets here: downloaded or copied, checked, and placed whole.

The bytes gather in ``<file>.part`` beside the destination. Only a part whose SHA-256 is the
official one takes the file's name, so a file with that name is never half there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit

from filelock import FileLock, Timeout

from bench.checkpoints.download import Download, download
from bench.checkpoints.registry import Weights
from bench.checkpoints.verify import (
    GIBIBYTE,
    find_problem,
    is_verified,
    no_progress,
)
from bench.digests import BLOCK_BYTES, OnBytes, file_state, remember_digest
from bench.errors import BenchError, MissingError
from bench.io import expand_user

#: Where releases and model hubs send those who ask for a file.
REDIRECT_HOSTS = {
    "objects.githubusercontent.com",
    "release-assets.githubusercontent.com",
    "cdn-lfs.huggingface.co",
    "cdn-lfs.hf.co",
    "cdn-lfs-us-1.hf.co",
    "cas-bridge.xethub.hf.co",
}


@dataclass(frozen=True)
class RemoteFile:
    """A file to bring here: its official name and place, its size where it is published.

    ``find_problem`` says what makes a file not the official one, ``command`` is what fetches it.
    """

    file: str
    url: str
    size_bytes: int | None
    find_problem: Callable[[Path, OnBytes], str | None]
    command: str


@dataclass(frozen=True)
class Origin:
    """Where files come from: their official places, or a ``mirror`` that has them by their names.

    A mirror is a folder or the URL of one. ``is_offline`` allows folders only.
    """

    mirror: str | None = None
    is_offline: bool = False

    def folder(self) -> Path | None:
        """The mirror, where it is a folder."""
        if self.mirror is None or self.mirror.startswith(("http://", "https://")):
            return None
        return expand_user(Path(self.mirror))

    def download(self, remote: RemoteFile) -> Download:
        """What to ask the network for."""
        if self.mirror is None:
            hosts = REDIRECT_HOSTS | {str(urlsplit(remote.url).hostname)}
            return Download(remote.url, remote.size_bytes, hosts)
        url = f"{self.mirror.rstrip('/')}/{quote(remote.file)}"
        return Download(url, remote.size_bytes, {str(urlsplit(url).hostname)})


#: Where files come from unless the user says otherwise.
OFFICIAL = Origin()


def fetch_weights(
    row: Weights, directory: Path, origin: Origin = OFFICIAL, progress: OnBytes = no_progress
) -> Path:
    """Make sure that ``directory`` holds the official file; return its path.

    A file that is good is kept as it is; one that is not is replaced.

    Raises:
        MissingError, BenchError: as ``place_file`` does.
    """
    path = directory / row.file
    if is_verified(row, path):
        return path
    if find_problem(row, path, progress):
        check = partial(find_problem, row)
        command = f"bench weights fetch {row.name}"
        remote = RemoteFile(row.file, row.url, row.size_bytes, check, command)
        place_file(remote, directory, origin, progress)
    remember_digest(file_state(path), row.sha256)
    return path


def place_file(
    remote: RemoteFile, directory: Path, origin: Origin = OFFICIAL, progress: OnBytes = no_progress
) -> Path:
    """Bring a file to ``directory`` in the place of what is there; return its path.

    Raises:
        MissingError: it must be downloaded, and ``origin`` is offline; the message has the URL.
        BenchError: it cannot be had from there, is not the official file, does not fit on the
            disk, or another process is fetching it.
    """
    path = directory / remote.file
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with FileLock(directory / f".{remote.file}.lock", timeout=0):
            _replace(remote, path, origin, progress)
    except Timeout as error:
        raise BenchError(f"another process is fetching {path}; wait for it") from error
    except OSError as error:
        raise BenchError(f"cannot put {path} there: {error}") from error
    return path


def _replace(remote: RemoteFile, path: Path, origin: Origin, progress: OnBytes) -> None:
    part = path.with_name(f"{path.name}.part")
    if folder := origin.folder():
        _copy(folder / remote.file, part, progress)
        if problem := remote.find_problem(part, progress):
            part.unlink(missing_ok=True)
            raise BenchError(f"what {folder / remote.file} gives {problem}; nothing of it was kept")
    elif origin.is_offline:
        raise MissingError(_how_to_bring(remote, path, origin))
    else:
        _require_room(remote, part)
        download(
            origin.download(remote), part, lambda p: remote.find_problem(p, progress), progress
        )
    part.replace(path)


def _how_to_bring(remote: RemoteFile, path: Path, origin: Origin) -> str:
    return (
        f"{path} must be downloaded, and offline mode forbids it; where there is a network, run "
        f"`curl -L -o '{remote.file}' '{origin.download(remote).url}'`, bring the file here and "
        f"run `{remote.command} --mirror FOLDER`"
    )


def _copy(source: Path, part: Path, progress: OnBytes) -> None:
    if not source.is_file():
        raise MissingError(f"the mirror has no {source}: it needs the files by official names")
    total = source.stat().st_size
    with source.open("rb") as original, part.open("wb") as copy:
        while block := original.read(BLOCK_BYTES):
            copy.write(block)
            progress(copy.tell(), total)


def _require_room(remote: RemoteFile, part: Path) -> None:
    there = part.stat().st_size if part.is_file() else 0
    needed = (remote.size_bytes or 0) - there
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise BenchError(
            f"{remote.file} needs {needed / GIBIBYTE:.1f} GiB more and {part.parent} has "
            f"{free / GIBIBYTE:.1f} GiB free; use --weights elsewhere"
        )
