"""Which official files a preset needs, whether they are here and whole, and how they get here.

Files lie together under their official names (``$BENCH_HOME/weights``, where the judges' lie too).
A file is judged by its size and the checksum that its publisher states; where none is known, the
names and shapes of its tensors still have to be the network's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from acfoley.files import OFFICIAL_FILES, OfficialFile
from bench.checkpoints.fetch import OFFICIAL, Origin, RemoteFile, place_file
from bench.checkpoints.registry import weights_directory
from bench.checkpoints.verify import no_progress, require_weights
from bench.digests import BLOCK_BYTES, OnBytes, file_state
from bench.errors import BenchError, MissingError
from bench.io import bench_home, read_json, write_json

_MMAUDIO = "https://huggingface.co/hkchengrex/MMAudio/resolve/main/weights"
_ACFOLEY = "https://huggingface.co/FF2416/AC-Foley/resolve/main/weights"
_LICENCE = "CC-BY-NC-4.0 (not for commercial use)"


def _mmaudio(preset: str, md5: str | None = None) -> OfficialFile:
    file = f"mmaudio_{preset}.pth"
    url = f"{_MMAUDIO}/{file}"
    part = f"flow network of MMAudio, {preset}"
    return OfficialFile(preset, part, file, url, None, None, md5, _LICENCE)


#: The flow network of every preset that has been published.
FLOW_FILES: Mapping[str, OfficialFile] = {
    "acfoley": OfficialFile(
        "acfoley",
        "flow network of AC-Foley",
        "ac_foley.pth",
        f"{_ACFOLEY}/ac_foley.pth",
        4_335_438_310,
        # Both ends of the checksum are known: 60 bits, enough to tell a wrong file.
        "7956e353...17a30a1",
        None,
        _LICENCE,
    ),
    "small_44k": _mmaudio("small_44k"),
    "medium_44k": _mmaudio("medium_44k"),
    "large_44k": _mmaudio("large_44k", "fed96c325a6785b85ce75ae1aafd2673"),
    "large_44k_v2": _mmaudio("large_44k_v2", "01ad4464f049b2d7efdaa4c1a59b8dfe"),
}
PUBLISHED = tuple(FLOW_FILES)
#: Presets that need no official file: their variant of ``acfoley.mini`` comes with the package.
SHIPPED: Mapping[str, str] = {
    "mini": "two-stage",
    "mini_attention": "attention-pooling",
    "mini_clap": "clap-encoder",
}
#: What every preset needs besides, in the order of ``Paths``.
COMMON_FILES = tuple(
    OFFICIAL_FILES[name] for name in ("autoencoder", "vocoder", "clip", "synchformer")
)


@dataclass(frozen=True)
class Paths:
    """Where the files of a preset lie."""

    flow: Path
    autoencoder: Path
    vocoder: Path
    clip: Path
    synchformer: Path


def needed_files(preset: str) -> tuple[OfficialFile, ...]:
    """The official files that a preset needs, the flow network first.

    Raises:
        BenchError: nobody has published weights of this preset, or they come with the package.
    """
    if preset in SHIPPED:
        raise BenchError(f"the preset {preset!r} comes with the package: it lacks no official file")
    if preset not in FLOW_FILES:
        raise BenchError(
            f"the preset {preset!r} has no published weights: give its --checkpoint, "
            f"or use one of {', '.join(PUBLISHED)}"
        )
    return FLOW_FILES[preset], *COMMON_FILES


def require_official(
    preset: str, directory: Path, *, flow: Path | None = None, progress: OnBytes = no_progress
) -> Paths:
    """Return the files of ``preset`` in ``directory``; the flow network's may be another.

    Checksums are read once and remembered until a file changes.

    Raises:
        MissingError: files are missing; one line says which, and the command that fetches them.
        BenchError: a file is not the official one, or nobody has published weights of the preset.
    """
    rows = COMMON_FILES if flow else needed_files(preset)
    if missing := [row for row in rows if not (directory / row.file).is_file()]:
        raise MissingError(describe_missing(preset, missing, directory))
    for row in rows:
        if problem := remembered_problem(row, directory / row.file, progress):
            raise BenchError(
                f"{directory / row.file} {problem}; run `{fetch_command(preset, directory)}`"
            )
    flow = flow or directory / FLOW_FILES[preset].file
    return Paths(flow, *(directory / row.file for row in COMMON_FILES))


def require_clap(directory: Path, progress: OnBytes = no_progress) -> Path:
    """Return the file of CLAP in ``directory``, which the preset ``mmaudio_clap`` needs besides.

    Raises:
        MissingError: it or the package that has its network is missing; the message names the
            command that fixes it.
        BenchError: the file is not the official one.
    """
    from bench.backbones.clap import require_transformers

    require_transformers()
    return require_weights(["clap"], directory, progress)["clap"]


def describe_missing(preset: str, missing: Sequence[OfficialFile], directory: Path) -> str:
    """Say which files are missing and the one command that fetches them."""
    files = ", ".join(row.file for row in missing)
    command = fetch_command(preset, directory)
    return f"{preset} cannot generate: {directory} lacks {files}; fetch with `{command}`"


def fetch_command(preset: str, directory: Path) -> str:
    """The command that fetches what a preset lacks; all share the files but one."""
    command = f"acfoley fetch --preset {preset if preset in FLOW_FILES else PUBLISHED[0]}"
    return command if directory == weights_directory() else f"{command} --weights {directory}"


def fetch_file(
    row: OfficialFile, directory: Path, origin: Origin = OFFICIAL, progress: OnBytes = no_progress
) -> Path:
    """Make sure that ``directory`` holds the official file; return its path.

    Raises:
        MissingError: it must be downloaded, and ``origin`` is offline; the message has the URL.
        BenchError: it cannot be had from there, is not the official file, does not fit on the
            disk, or another process is fetching it.
    """
    path = directory / row.file
    if path.is_file() and remembered_problem(row, path, progress) is None:
        return path
    command = fetch_command(row.name, directory)
    check = partial(find_problem, row)
    place_file(
        RemoteFile(row.file, row.url, row.size_bytes, check, command), directory, origin, progress
    )
    _remember(row, path)
    return path


def find_problem(row: OfficialFile, path: Path, progress: OnBytes = no_progress) -> str | None:
    """Say what makes ``path`` not the official file, a clause about it, or return None: it is."""
    size = path.stat().st_size
    if row.size_bytes is not None and size < row.size_bytes:
        return f"is truncated: {size:,} of {row.size_bytes:,} bytes"
    if row.size_bytes is not None and size > row.size_bytes:
        return f"has {size:,} bytes, the official file {row.size_bytes:,}"
    for kind, expected in (("sha256", row.sha256), ("md5", row.md5)):
        if expected is None:
            continue
        found = _digest(kind, path, progress)
        first, _, last = expected.partition("...")
        if not (found.startswith(first) and found.endswith(last)):
            return f"is not the official file: its {kind} is {found}, expected {expected}"
        break
    return None


def remembered_problem(row: OfficialFile, path: Path, progress: OnBytes) -> str | None:
    """As ``find_problem``; a file that was found good is not read again until it changes."""
    if _remembered().get(str(path.absolute())) == _mark(row, path):
        return None
    problem = find_problem(row, path, progress)
    if problem is None:
        _remember(row, path)
    return problem


def _remember(row: OfficialFile, path: Path) -> None:
    """Note that ``find_problem`` found nothing wrong with this file."""
    write_json(_memory(), {**_remembered(), str(path.absolute()): _mark(row, path)})


def _remembered() -> Mapping[str, list[str | None]]:
    marks: Mapping[str, list[str | None]] = read_json(_memory()) if _memory().is_file() else {}
    return marks


def _memory() -> Path:
    return bench_home() / "verified-acfoley.json"


def _mark(row: OfficialFile, path: Path) -> list[str | None]:
    return [file_state(path), row.sha256, row.md5]


def _digest(kind: str, path: Path, progress: OnBytes) -> str:
    digest, done, total = hashlib.new(kind, usedforsecurity=False), 0, path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            done += len(block)
            progress(done, total)
    return digest.hexdigest()
