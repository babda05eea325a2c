"""Whether the checkpoints that are here are the official ones, and what is missing.

A file is judged by its size and its SHA-256, never by its name. A checksum of gigabytes takes
seconds, so ``bench.digests`` remembers it while the file is unchanged; ``find_problem`` always
reads the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.checkpoints.registry import Weights, select_weights, weights_directory
from bench.digests import OnBytes, file_digest, file_state, remember_digest, remembered_digest
from bench.errors import BenchError, MissingError

GIBIBYTE = 2**30


def no_progress(done_bytes: int, total_bytes: int | None) -> None:
    """Show nothing."""


def find_problem(row: Weights, path: Path, progress: OnBytes = no_progress) -> str | None:
    """Say what makes the file at ``path`` not the official one, or return None: it is.

    The reason is a clause whose subject is the file, such as "is truncated: 3 of 5 bytes".
    """
    if not path.is_file():
        return "is not there"
    size = path.stat().st_size
    if row.size_bytes is not None and size < row.size_bytes:
        return f"is truncated: {size:,} of {row.size_bytes:,} bytes"
    if row.size_bytes is not None and size > row.size_bytes:
        return f"has {size:,} bytes, the official file {row.size_bytes:,}"
    before = file_state(path)
    found = file_digest(path, is_fresh=True, progress=progress)
    if found != row.sha256:
        return f"is not the official file: its SHA-256 is {found}, expected {row.sha256}"
    remember_digest(before, found)
    return None


def is_verified(row: Weights, path: Path) -> bool:
    """Whether this file was found good before and has not changed since."""
    return path.is_file() and remembered_digest(path) == row.sha256


def missing_weights(names: Iterable[str] | None, directory: Path) -> tuple[Weights, ...]:
    """Of these names (None: of all) return the rows whose file is not in ``directory``."""
    return tuple(row for row in select_weights(names) if not (directory / row.file).is_file())


def describe_missing(
    missing: Sequence[Weights], directory: Path, columns: Iterable[str] = ()
) -> str:
    """Say which columns cannot be computed without these files, and the one command to fetch them.

    ``missing`` holds at least one row; ``columns`` are the paper's that need them, unless named.
    """
    lost = ", ".join(columns or dict.fromkeys(need for row in missing for need in row.needed_by))
    files = ", ".join(row.file for row in missing)
    known = sum(row.size_bytes or 0 for row in missing) / GIBIBYTE
    return (
        f"{lost} cannot be computed: {directory} lacks {files}; fetch with "
        f"`{fetch_command(missing, directory)}` (about {max(known, 0.1):.1f} GiB)"
    )


def fetch_command(rows: Sequence[Weights], directory: Path) -> str:
    """The command that fetches these files to ``directory``."""
    command = " ".join(["bench weights fetch", *(row.name for row in rows)])
    return command if directory == weights_directory() else f"{command} --weights {directory}"


def require_weights(
    names: Iterable[str], directory: Path, progress: OnBytes = no_progress
) -> dict[str, Path]:
    """Return the verified file of each name; those that were found good before are not read again.

    Raises:
        MissingError: files are missing; the message is that of ``describe_missing``.
        BenchError: a file is not the official one; the message says why and what to do.
    """
    rows = select_weights(names)
    if missing := missing_weights([row.name for row in rows], directory):
        raise MissingError(describe_missing(missing, directory))
    for row in rows:
        path = directory / row.file
        if is_verified(row, path):
            continue
        if problem := find_problem(row, path, progress):
            raise BenchError(f"{path} {problem}; run `{fetch_command([row], directory)}`")
    return {row.name: directory / row.file for row in rows}
