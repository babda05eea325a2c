"""The tables of ``study.sqlite``, and how they are read and written by many threads.

sessions  number, token_sha256, source, design_sha256, panel_id, created_at, completion_code
trials    session, position, kind, clip, a, b: what was assigned, in order
plays     session, position, side, seconds, at: how far each video was played
votes     session, position, idempotency_key, elapsed_s, at: one per trial
answers   session, position, question, choice: those of a vote; a, b or tie
comments  session, position, text, at
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from bench.errors import BenchError

LOCK_TIMEOUT_S = 30.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    number INTEGER PRIMARY KEY, token_sha256 TEXT NOT NULL UNIQUE, source TEXT NOT NULL,
    design_sha256 TEXT NOT NULL, panel_id TEXT, created_at REAL NOT NULL,
    completion_code TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS trials (
    session INTEGER NOT NULL REFERENCES sessions, position INTEGER NOT NULL, kind TEXT NOT NULL,
    clip TEXT NOT NULL, a TEXT NOT NULL, b TEXT NOT NULL, PRIMARY KEY (session, position));
CREATE TABLE IF NOT EXISTS plays (
    session INTEGER NOT NULL, position INTEGER NOT NULL, side TEXT NOT NULL,
    seconds REAL NOT NULL, at REAL NOT NULL,
    FOREIGN KEY (session, position) REFERENCES trials);
CREATE INDEX IF NOT EXISTS plays_by_trial ON plays (session, position);
CREATE TABLE IF NOT EXISTS votes (
    session INTEGER NOT NULL, position INTEGER NOT NULL, idempotency_key TEXT NOT NULL,
    elapsed_s REAL NOT NULL, at REAL NOT NULL, PRIMARY KEY (session, position),
    FOREIGN KEY (session, position) REFERENCES trials);
CREATE TABLE IF NOT EXISTS answers (
    session INTEGER NOT NULL, position INTEGER NOT NULL, question TEXT NOT NULL,
    choice TEXT NOT NULL, PRIMARY KEY (session, position, question),
    FOREIGN KEY (session, position) REFERENCES votes);
CREATE TABLE IF NOT EXISTS comments (
    session INTEGER NOT NULL REFERENCES sessions, position INTEGER, text TEXT NOT NULL,
    at REAL NOT NULL);
"""

#: Every table after those that refer to it.
TABLES = ("comments", "answers", "votes", "plays", "trials", "sessions")


class Database:
    """A file with these tables. Every method may be called by any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        path.touch(mode=0o600)  # a file that SQLite makes can be read by everyone
        self._connection = sqlite3.connect(
            path, timeout=LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _read(self, query: str) -> list[Any]:
        with self._lock:
            try:
                return self._connection.execute(query).fetchall()
            except sqlite3.Error as error:
                raise BenchError(f"cannot read {self._path}: {error}") from error

    def _refuse(self, found: str) -> NoReturn:
        raise BenchError(f"{self._path} {found}: it was edited or is damaged, restore a copy of it")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is written as a whole or not at all, as on a full disk."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise BenchError(f"cannot write {self._path}: {error}") from error
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
