"""Whether the files on this machine are the official ones, and which are missing.

A file is judged by its size and its checksum, never by its name. A checksum of gigabytes takes
seconds, so ``bench.digests`` remembers it while the file is unchanged; ``find_problem`` always
reads the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.checkpoints.registry import OfficialFile, select_weights, weights_directory
from bench.digests import (
    OnBytes,
    file_state,
    read_checksums,
    remember_digest,
    remember_md5,
    remembered_digest,
    remembered_md5,
)
from bench.errors import BenchError, MissingError

GIBIBYTE = 2**30


def no_progress(done_bytes: int, total_bytes: int | None) -> None:
    """Show nothing."""


def find_problem(row: OfficialFile, path: Path, progress: OnBytes = no_progress) -> str | None:
    """Describe what makes the file at ``path`` not the official one; None where nothing does.

    The reason is a clause whose subject is the file, such as "is truncated: 3 of 5 bytes".
    """
    if not path.is_file():
        return "is missing"
    # The size first: it costs nothing, and tells an interrupted download from another file.
    size = path.stat().st_size
    if row.size_bytes is not None and size < row.size_bytes:
        return f"is truncated: {size:,} of {row.size_bytes:,} bytes"
    if row.size_bytes is not None and size > row.size_bytes:
        return f"has {size:,} bytes, the official file {row.size_bytes:,}"
    # Taken before the file is read: where it changes meanwhile, the sum is stored for a state that
    # is no longer that of the file, and is not found again.
    before = file_state(path)
    # MD5 is slower than SHA-256, so it is computed only where it decides.
    found = read_checksums(path, with_md5=row.sha256 is None, progress=progress)
    if not _is_official(row, found.sha256, found.md5):
        digest = found.sha256 if row.sha256 else found.md5
        kind = row.digest_kind
        return f"is not the official file: its {kind} is {digest}, expected {row.digest}"
    if found.md5:
        remember_md5(found.sha256, found.md5)
    remember_digest(before, found.sha256)
    return None


def is_verified(row: OfficialFile, path: Path) -> bool:
    """Whether this file was found good before and has not changed since."""
    sha256 = remembered_digest(path) if path.is_file() else None
    return sha256 is not None and _is_official(row, sha256, remembered_md5(sha256))


def _is_official(row: OfficialFile, sha256: str, md5: str | None) -> bool:
    if row.sha256 is None:
        return md5 == row.md5
    # A full checksum has no "...": then ``first`` is all of it and ``last`` is empty.
    first, _, last = row.sha256.partition("...")
    return sha256.startswith(first) and sha256.endswith(last)


def describe_presence(row: OfficialFile, directory: Path) -> str:
    """Whether the file is in the directory, and was found to be the official one."""
    path = directory / row.file
    if not path.is_file():
        return "not here"
    return "here, verified" if is_verified(row, path) else "here, not verified"


def missing_weights(names: Iterable[str] | None, directory: Path) -> tuple[OfficialFile, ...]:
    """Of these names (None: the judges') return the rows whose file is not in ``directory``."""
    return tuple(row for row in select_weights(names) if not (directory / row.file).is_file())


def describe_missing(
    missing: Sequence[OfficialFile],
    directory: Path,
    columns: Iterable[str] = (),
    *,
    consequence: str = "",
    command: str = "",
) -> str:
    """Describe what cannot be done without these files, and the command that fetches them.

    ``missing`` holds at least one row. The consequence is that ``columns`` cannot be computed (all
    that need the files, unless named), unless stated; the command fetches just these files.
    """
    lost = ", ".join(columns or dict.fromkeys(need for row in missing for need in row.needed_by))
    files = ", ".join(row.file for row in missing)
    return (
        f"{consequence or f'{lost} cannot be computed'}: {directory} has no {files} "
        f"({describe_size(missing)}); fetch with "
        f"`{command or fetch_command(missing, directory)}`"
    )


def describe_size(rows: Sequence[OfficialFile]) -> str:
    """The size of these files together, as far as it is published."""
    known = sum(row.size_bytes or 0 for row in rows) / GIBIBYTE
    about = "about" if all(row.size_bytes for row in rows) else "more than"
    # Never "0.0 GiB", which reads like nothing to fetch.
    return f"{about} {max(known, 0.1):.1f} GiB"


def fetch_command(rows: Sequence[OfficialFile], directory: Path) -> str:
    """The command that fetches these files to ``directory``."""
    return with_folder(" ".join(["bench weights fetch", *(row.name for row in rows)]), directory)


def with_folder(command: str, directory: Path) -> str:
    """Add the option that names ``directory`` to a command, where it is not the usual one."""
    return command if directory == weights_directory() else f"{command} --weights {directory}"


def require_weights(
    names: Sequence[str],
    directory: Path,
    progress: OnBytes = no_progress,
    *,
    consequence: str = "",
    command: str = "",
) -> dict[str, Path]:
    """Return the verified file of each name; those that were found good before are not read again.

    ``consequence`` and ``command`` are those of ``describe_missing``.

    Raises:
        MissingError: files are missing; the message is that of ``describe_missing``.
        BenchError: a file is not the official one; the message has the reason and the remedy.
    """
    selected = {row.name: row for row in select_weights(names)}
    rows = [selected[name] for name in dict.fromkeys(names)]
    if missing := [row for row in rows if not (directory / row.file).is_file()]:
        raise MissingError(
            describe_missing(missing, directory, consequence=consequence, command=command)
        )
    for row in rows:
        path = directory / row.file
        if is_verified(row, path):
            continue
        if problem := find_problem(row, path, progress):
            raise BenchError(
                f"{path} {problem}; run `{command or fetch_command([row], directory)}`"
            )
    return {row.name: directory / row.file for row in rows}
