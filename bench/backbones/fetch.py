"""How an official checkpoint gets here: downloaded or copied, checked, and placed whole.

The bytes gather in ``<file>.part`` beside the destination. Only a part whose SHA-256 is the
official one takes the file's name, so a file with that name is never half there.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from filelock import FileLock, Timeout

from bench.backbones.download import Download, download
from bench.backbones.verify import (
    BLOCK_BYTES,
    GIBIBYTE,
    OnBytes,
    find_problem,
    is_verified,
    no_progress,
    remember_verified,
)
from bench.backbones.weights import WEIGHTS, Weights
from bench.errors import BenchError, MissingError
from bench.files import expand_user

#: Where releases and model hubs send those who ask for a file.
REDIRECT_HOSTS = {
    "objects.githubusercontent.com",
    "release-assets.githubusercontent.com",
    "cdn-lfs.huggingface.co",
    "cdn-lfs.hf.co",
    "cdn-lfs-us-1.hf.co",
    "cas-bridge.xethub.hf.co",
}
OFFICIAL_HOSTS = {str(urlsplit(row.url).hostname) for row in WEIGHTS.values()} | REDIRECT_HOSTS


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

    def download(self, row: Weights) -> Download:
        """What to ask the network for."""
        if self.mirror is None:
            return Download(row.url, row.size_bytes, OFFICIAL_HOSTS)
        url = f"{self.mirror.rstrip('/')}/{quote(row.file)}"
        return Download(url, row.size_bytes, {str(urlsplit(url).hostname)})


#: Where files come from unless the user says otherwise.
OFFICIAL = Origin()


def fetch_weights(
    row: Weights, directory: Path, origin: Origin = OFFICIAL, progress: OnBytes = no_progress
) -> Path:
    """Make sure that ``directory`` holds the official file; return its path.

    A file that is good is kept as it is; one that is not is replaced.

    Raises:
        MissingError: it must be downloaded, and ``origin`` is offline; the message has the URL.
        BenchError: it cannot be had from there, is not the official file, does not fit on the
            disk, or another process is fetching it.
    """
    path = directory / row.file
    if is_verified(row, path):
        return path
    try:
        if find_problem(row, path, progress):
            directory.mkdir(parents=True, exist_ok=True)
            with FileLock(directory / f".{row.file}.lock", timeout=0):
                _replace(row, path, origin, progress)
    except Timeout as error:
        raise BenchError(f"another process is fetching {path}; wait for it") from error
    except OSError as error:
        raise BenchError(f"cannot put {path} there: {error}") from error
    remember_verified(row, path)
    return path


def _replace(row: Weights, path: Path, origin: Origin, progress: OnBytes) -> None:
    part = path.with_name(f"{path.name}.part")
    if folder := origin.folder():
        source = str(folder / row.file)
        _copy(folder / row.file, part, progress)
    elif origin.is_offline:
        raise MissingError(_how_to_bring(row, path, origin))
    else:
        source = origin.download(row).url
        _require_room(row, part)
        download(origin.download(row), part, progress)
    if problem := find_problem(row, part, progress):
        part.unlink(missing_ok=True)
        raise BenchError(f"what {source} gives {problem}; nothing of it was kept")
    part.replace(path)


def _how_to_bring(row: Weights, path: Path, origin: Origin) -> str:
    return (
        f"{path} must be downloaded, and offline mode forbids it; where there is a network, run "
        f"`curl -L -o '{row.file}' '{origin.download(row).url}'`, bring the file here and run "
        f"`bench weights fetch {row.name} --mirror FOLDER`"
    )


def _copy(source: Path, part: Path, progress: OnBytes) -> None:
    if not source.is_file():
        raise MissingError(f"the mirror has no {source}: it needs the files by official names")
    total = source.stat().st_size
    with source.open("rb") as original, part.open("wb") as copy:
        while block := original.read(BLOCK_BYTES):
            copy.write(block)
            progress(copy.tell(), total)


def _require_room(row: Weights, part: Path) -> None:
    there = part.stat().st_size if part.is_file() else 0
    needed = (row.size_bytes or 0) - there
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise BenchError(
            f"{row.file} needs {needed / GIBIBYTE:.1f} GiB more and {part.parent} has "
            f"{free / GIBIBYTE:.1f} GiB free; use --weights elsewhere"
        )
