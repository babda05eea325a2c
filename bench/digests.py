"""SHA-256 of files: results, features and verified checkpoints belong to the bytes they came from.

Hashing a data set takes minutes, so a digest is remembered in ``$BENCH_HOME/digests.sqlite`` for as
long as device, inode, size, time of change and time of status change of the file are the same. A
program can restore the size and the time of change of a file that it altered, but not the time of
its status change. As git does, a file that changed within the last seconds before it was read is
not remembered: it could change again within the resolution of the clock.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from bench.errors import BenchError
from bench.io import bench_home

#: Called with the bytes that are done and, where it is known, their final number.
OnBytes = Callable[[int, int | None], None]

BLOCK_BYTES = 2**20
#: File systems keep times in steps of up to 2 s.
SETTLED_S = 3.0
LOCK_TIMEOUT_S = 30.0

#: Digests that this process knows, by the state of the file.
_known: dict[str, str] = {}


def file_digest(path: Path, *, is_fresh: bool = False, progress: OnBytes | None = None) -> str:
    """Return the SHA-256 of ``path`` in hexadecimal; an unchanged file is not read again.

    ``is_fresh`` reads it in any case, and remembers the result.

    Raises:
        OSError: the file is missing or cannot be read.
        BenchError: the memory of digests is damaged.
    """
    if not is_fresh and (found := remembered_digest(path)):
        return found
    before = file_state(path)
    is_settled = time.time() - path.stat().st_ctime > SETTLED_S
    digest = _read_digest(path, progress)
    if is_settled and file_state(path) == before:
        remember_digest(before, digest)
    return digest


def remembered_digest(path: Path) -> str | None:
    """Return the digest of ``path`` if it is known without reading the file; raises as above."""
    state = file_state(path)
    found = _known.get(state) or _recall(state)
    if found:
        _known[state] = found
    return found


def remember_digest(state: str, digest: str) -> None:
    """Note the digest of a file that had this ``file_state`` before it was read."""
    _known[state] = digest
    _remember(state, digest)


def _read_digest(path: Path, progress: OnBytes | None) -> str:
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            done += len(block)
            if progress is not None:
                progress(done, total)
    return digest.hexdigest()


def file_state(path: Path) -> str:
    """Return what changes when the bytes of ``path`` do: "device:inode:size:mtime:ctime"."""
    status = path.stat()
    times = f"{status.st_mtime_ns}:{status.st_ctime_ns}"
    return f"{status.st_dev}:{status.st_ino}:{status.st_size}:{times}"


def file_identity(path: Path) -> str | None:
    """Return what tells a file from any other: its digest; None where there is no such file.

    The path is not part of it, so that a run or a data set can be moved.
    """
    try:
        return file_digest(path)
    except FileNotFoundError:
        return None


def hash_files(
    paths: Iterable[Path], progress: Callable[[int, int], None], *, is_fresh: bool = False
) -> None:
    """Hash files in threads, so that later calls of ``file_digest`` find them remembered.

    Files that are missing are left to the caller that needs them.
    """
    wanted = list(dict.fromkeys(paths))
    progress(0, len(wanted))
    _recall_all()
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        hashed = pool.map(lambda path: _hash_if_there(path, is_fresh), wanted)
        for done, _ in enumerate(hashed, 1):
            progress(done, len(wanted))


def _hash_if_there(path: Path, is_fresh: bool) -> None:
    with suppress(FileNotFoundError):
        file_digest(path, is_fresh=is_fresh)


def _memory() -> Path:
    return bench_home() / "digests.sqlite"


def _recall(state: str) -> str | None:
    if not _memory().is_file():
        return None
    with _tolerant(), _opened() as connection:
        query = "SELECT sha256 FROM digests WHERE state = ?"
        found = connection.execute(query, (state,)).fetchone()
        return str(found[0]) if found else None
    return None


def _recall_all() -> None:
    """Read the whole memory at once: thousands of questions take longer than all answers."""
    if _memory().is_file():
        with _tolerant(), _opened() as connection:
            _known.update(connection.execute("SELECT state, sha256 FROM digests"))


def _remember(state: str, digest: str) -> None:
    with _tolerant():
        _memory().parent.mkdir(parents=True, exist_ok=True)
        with _opened() as connection:
            file = state.rsplit(":", 3)[0]  # one row for each file, however often it changes
            row = (file, state, digest)
            connection.execute("INSERT OR REPLACE INTO digests VALUES (?, ?, ?)", row)


@contextmanager
def _opened() -> Iterator[sqlite3.Connection]:
    if not _memory().exists():
        _memory().touch()  # SQLite would not leave its permissions to the umask
    with closing(sqlite3.connect(_memory(), timeout=LOCK_TIMEOUT_S)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")  # losing it costs time only
        connection.execute(
            "CREATE TABLE IF NOT EXISTS digests "
            "(file TEXT PRIMARY KEY, state TEXT UNIQUE, sha256 TEXT)"
        )
        yield connection


@contextmanager
def _tolerant() -> Iterator[None]:
    """Go on where the memory cannot be used now, as on a disk that is full or read-only.

    That costs time, not truth: files are hashed again. Damage is refused by name.
    """
    try:
        yield
    except (sqlite3.OperationalError, OSError):
        pass
    except sqlite3.DatabaseError as error:
        raise BenchError(f"cannot read {_memory()}: {error}; delete it, it fills again") from error
