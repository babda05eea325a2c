"""Checksums of files: results, features and verified checkpoints belong to the bytes of a file.

Hashing a dataset takes minutes, so a SHA-256 is remembered in ``$BENCH_HOME/digests.sqlite`` for as
long as device, inode, size, modification time and status-change time of the file are the same. A
program can restore size and modification time of a file that it altered, but not the status-change
time. As git does, a file that changed within the last seconds before it was read is not remembered:
it could change again within the resolution of the clock.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from bench.archives import file_size, open_binary, parse_member
from bench.errors import BenchError
from bench.io import bench_home

#: Called with the bytes that are done and, where it is known, their final number.
OnBytes = Callable[[int, int | None], None]

BLOCK_BYTES = 2**20
#: File systems keep times in steps of up to 2 s.
SETTLED_S = 3.0
LOCK_TIMEOUT_S = 30.0

TABLES = (
    "CREATE TABLE IF NOT EXISTS digests (file TEXT PRIMARY KEY, state TEXT UNIQUE, sha256 TEXT)",
    # MD5 is kept by SHA-256, not by file: equal bytes have equal sums, so a row never goes stale.
    "CREATE TABLE IF NOT EXISTS md5_sums (sha256 TEXT PRIMARY KEY, md5 TEXT)",
    # What a folder was when there was nothing left to do in it (``bench.pipeline.finished``).
    "CREATE TABLE IF NOT EXISTS finished (folder TEXT PRIMARY KEY, state TEXT)",
)

#: SHA-256 of files that this process has met last, by ``file_state``.
_known: dict[str, str] = {}
#: How many there are at most: 100,000 files would take 40 MB.
MOST_KNOWN = 8_000
#: Files that are looked up in one query and stored in one transaction, each of which takes as long
#: as hundreds of rows.
QUERY_FILES = 500
#: MD5 that this process knows, by SHA-256.
_known_md5: dict[str, str] = {}


class Checksums(NamedTuple):
    """The sums of one file, in hexadecimal; ``md5`` is None unless it was asked for."""

    sha256: str
    md5: str | None


def file_digest(path: Path, *, is_fresh: bool = False, progress: OnBytes | None = None) -> str:
    """Return the SHA-256 of ``path`` in hexadecimal; an unchanged file is not read again.

    ``is_fresh`` reads it in any case, and remembers the result.

    Raises:
        OSError: the file is missing or cannot be read.
        BenchError: ``digests.sqlite`` is corrupt.
    """
    if not is_fresh and (found := remembered_digest(path)):
        return found
    state, digest = _hash(path, progress)
    if state:
        remember_digest(state, digest)
    return digest


def _hash(path: Path, progress: OnBytes | None = None) -> tuple[str, str]:
    """Return the state of a file while it was read, "" if it changed just now, and its sum."""
    before = file_state(path)
    is_settled = is_state_settled(before)
    digest = read_checksums(path, progress=progress).sha256
    return before if is_settled and file_state(path) == before else "", digest


def read_checksums(
    path: Path, *, with_md5: bool = False, progress: OnBytes | None = None
) -> Checksums:
    """Read ``path`` once and return its SHA-256, with its MD5 where asked; remembers nothing.

    Raises:
        OSError: the file is missing or cannot be read.
    """
    hashes = [hashlib.sha256()]
    if with_md5:
        hashes.append(hashlib.md5(usedforsecurity=False))
    done, total = 0, file_size(path)
    with open_binary(path) as file:
        while block := file.read(BLOCK_BYTES):
            for each in hashes:
                each.update(block)
            done += len(block)
            if progress is not None:
                progress(done, total)
    return Checksums(hashes[0].hexdigest(), hashes[1].hexdigest() if with_md5 else None)


def remembered_digest(path: Path) -> str | None:
    """Return the SHA-256 of ``path`` if it is known without reading the file; raises as above."""
    state = file_state(path)
    found = _known.get(state) or _select("SELECT sha256 FROM digests WHERE state = ?", state)
    if found:
        _keep(state, found)
    return found


def recall_digests(paths: Sequence[Path]) -> list[Path]:
    """Look up what is remembered of these files at once; return those of which nothing is.

    The next calls of ``file_digest`` for them find it in memory. Missing files are left out.

    Raises:
        BenchError: ``digests.sqlite`` is corrupt.
    """
    states: dict[str, Path] = {}
    for path in paths:
        with suppress(FileNotFoundError):
            states[file_state(path)] = path
    if len(_known) + len(states) > MOST_KNOWN:
        _known.clear()
    asked = [state for state in states if state not in _known]
    if asked and _memory().is_file():
        marks = ",".join("?" * len(asked))
        query = f"SELECT state, sha256 FROM digests WHERE state IN ({marks})"  # noqa: S608 - marks
        with _tolerant(), _opened() as connection:
            for state, digest in connection.execute(query, asked):
                _keep(state, digest)
    return [path for state, path in states.items() if state not in _known]


def _keep(state: str, digest: str) -> None:
    if len(_known) >= MOST_KNOWN:
        _known.clear()
    _known[state] = digest


def remember_digest(state: str, digest: str) -> None:
    """Store the SHA-256 of a file that had this ``file_state`` before it was read."""
    _remember_digests([(state, digest)])


def _remember_digests(found: Sequence[tuple[str, str]]) -> None:
    for state, digest in found:
        _keep(state, digest)
    # One row for each file, however often it changes.
    rows = [(state.rsplit(":", 3)[0], state, digest) for state, digest in found]
    _insert("INSERT OR REPLACE INTO digests VALUES (?, ?, ?)", rows)


def remembered_md5(sha256: str) -> str | None:
    """Return the MD5 of the bytes with this SHA-256 if both were read together before."""
    found = _known_md5.get(sha256) or _select("SELECT md5 FROM md5_sums WHERE sha256 = ?", sha256)
    if found:
        _known_md5[sha256] = found
    return found


def remember_md5(sha256: str, md5: str) -> None:
    """Store that the bytes with this SHA-256 have this MD5."""
    _known_md5[sha256] = md5
    _insert("INSERT OR REPLACE INTO md5_sums VALUES (?, ?)", [(sha256, md5)])


def remembered_finish(folder: str) -> str | None:
    """Return the state of a folder in which there was nothing left to do, if it is known."""
    return _select("SELECT state FROM finished WHERE folder = ?", folder)


def remember_finish(folder: str, state: str) -> None:
    """Store the state of a folder in which there is nothing left to do."""
    _insert("INSERT OR REPLACE INTO finished VALUES (?, ?)", [(folder, state)])


def file_state(path: Path) -> str:
    """Return what changes when the bytes of ``path`` do: "device:inode:size:mtime:ctime".

    For a file inside an archive it is that of the archive, with the range after the inode.

    Raises:
        OSError: the file, or its archive, is missing.
    """
    member = parse_member(path)
    status = (path if member is None else member.archive).stat()
    times = f"{status.st_mtime_ns}:{status.st_ctime_ns}"
    inode = status.st_ino if member is None else f"{status.st_ino}@{member.offset}+{member.size}"
    return f"{status.st_dev}:{inode}:{status.st_size}:{times}"


def is_state_settled(state: str, now_s: float | None = None) -> bool:
    """Return whether a file has been in this state for so long that no change can go unnoticed."""
    changed_s = int(state.rpartition(":")[2]) / 1e9
    return (time.time() if now_s is None else now_s) - changed_s > SETTLED_S


def file_identity(path: Path) -> str | None:
    """Return the SHA-256 of a file, by which it is known; None where no such file exists.

    The path is not part of it, so that a run or a dataset can be moved.
    """
    try:
        return file_digest(path)
    except FileNotFoundError:
        return None


def hash_files(
    paths: Iterable[Path], progress: Callable[[int, int], None], *, is_fresh: bool = False
) -> None:
    """Hash files in threads, so that later calls of ``file_digest`` find them remembered.

    Missing files are left to the caller that needs them.
    """

    def hash_one(path: Path) -> tuple[str, str]:
        try:
            return _hash(path)
        except FileNotFoundError:
            return "", ""

    wanted = list(dict.fromkeys(paths))
    progress(0, len(wanted))
    # Threads suffice: hashlib releases the interpreter's lock for long buffers.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for start in range(0, len(wanted), QUERY_FILES):
            group = wanted[start : start + QUERY_FILES]
            unread = group if is_fresh else recall_digests(group)
            n_before = start + len(group) - len(unread)
            progress(n_before, len(wanted))
            found: list[tuple[str, str]] = []
            for done, each in enumerate(pool.map(hash_one, unread), n_before + 1):
                found.append(each)
                progress(done, len(wanted))
            if settled := [each for each in found if each[0]]:
                _remember_digests(settled)


def _memory() -> Path:
    return bench_home() / "digests.sqlite"


def _select(query: str, key: str) -> str | None:
    if _memory().is_file():
        with _tolerant(), _opened() as connection:
            found = connection.execute(query, (key,)).fetchone()
            return str(found[0]) if found else None
    return None


def _insert(statement: str, rows: Sequence[tuple[str, ...]]) -> None:
    with _tolerant():
        _memory().parent.mkdir(parents=True, exist_ok=True)
        with _opened() as connection:
            for table in TABLES:
                connection.execute(table)
            connection.executemany(statement, rows)


@contextmanager
def _opened() -> Iterator[sqlite3.Connection]:
    if not _memory().exists():
        _memory().touch()  # a file that SQLite makes ignores the umask
    with closing(sqlite3.connect(_memory(), timeout=LOCK_TIMEOUT_S)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")  # losing a row costs time only
        yield connection


@contextmanager
def _tolerant() -> Iterator[None]:
    """Go on where the memory cannot be used now, as on a disk that is full or read-only.

    Results stay right, files are only hashed again. A corrupt database is refused by name.
    """
    try:
        yield
    except (sqlite3.OperationalError, OSError):
        pass
    except sqlite3.DatabaseError as error:
        raise BenchError(f"cannot read {_memory()}: {error}; delete it, it fills again") from error
