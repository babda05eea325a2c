"""What raters answered: SQLite in ``study.sqlite``, and the only functions that write it.

    sessions  number, token_sha256, source, design_sha256, panel_id, created_at, completion_code
    trials    session, position, kind, clip, a, b: what was assigned, in order
    plays     session, position, side, seconds, at: how far each video was played
    votes     session, position, idempotency_key, elapsed_s, at: one per trial
    answers   session, position, question, choice: those of a vote; a, b or tie
    comments  session, position, text, at

A vote is acknowledged once it is on the disk (write-ahead log, ``synchronous=FULL``): a process
that is killed loses none. Tokens are stored as hashes, so that the file lets nobody go on with a
session. One ``Store`` serves all threads of a process; several processes may open one study.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.errors import BenchError
from bench.study.assignment import Trial, assign_trials
from bench.study.design import Design, read_design
from bench.study.sessions import Answer, NewSession, RefusedError, Session, SessionRow

FILE = "study.sqlite"
LOCK_TIMEOUT_S = 30.0
LONGEST_S = 24 * 3600.0
MAX_COMMENT, MAX_KEY, MAX_PANEL_ID = 2_000, 100, 100

#: Who answers a study: people, or ``bench study simulate``. Never both in one study.
RATER, SIMULATED = "rater", "simulated"

#: The videos of a trial.
SIDES = ("true", "a", "b")

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


class Store:
    """The answers to one design. Every method may be called by any thread."""

    def __init__(self, path: Path, design: Design) -> None:
        """Open the file, which is created where it is missing; see ``open_store``."""
        self.design = design
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

    def create_session(self, source: str = RATER, panel_id: str | None = None) -> NewSession:
        """Create the next session, with its trials, once a rater agreed to take part.

        Raises:
            RefusedError: an id of a panel that the design does not ask for, or a long one.
            BenchError: the study has sessions of the other source.
        """
        if panel_id is not None and (not self.design.asks_panel_id or len(panel_id) > MAX_PANEL_ID):
            raise RefusedError("invalid", "this study takes no such panel id")
        token = secrets.token_urlsafe(24)
        with self._writing() as connection:
            (other,) = connection.execute(
                "SELECT count(*) FROM sessions WHERE source != ?", (source,)
            ).fetchone()
            if other:
                raise BenchError(
                    f"the study has {other} sessions of another source than {source!r}: answers of "
                    "raters and of simulated raters are never mixed; create another study"
                )
            (number,) = connection.execute("SELECT count(*) FROM sessions").fetchone()
            connection.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    *(number, _hash(token), source, self.design.digest, panel_id, time.time()),
                    secrets.token_hex(5).upper(),
                ),
            )
            connection.executemany(
                "INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (number, each.position, each.kind, each.clip, each.a, each.b)
                    for each in assign_trials(self.design, number)
                ],
            )
        return NewSession(number, token)

    def find_session(self, token: str) -> Session:
        """Return the session of a token.

        Raises:
            RefusedError: there is none (``unknown``).
        """
        with self._lock:
            number, code = self._find(token)
            trials = tuple(
                Trial(*row)
                for row in self._connection.execute(
                    "SELECT position, kind, clip, a, b FROM trials WHERE session = ? "
                    "ORDER BY position",
                    (number,),
                )
            )
            answered = frozenset(
                position
                for (position,) in self._connection.execute(
                    "SELECT position FROM votes WHERE session = ?", (number,)
                )
            )
        return Session(number, trials, answered, code if len(answered) == len(trials) else "")

    def record_plays(self, token: str, position: int, seconds: Mapping[str, float]) -> None:
        """Record how far videos of a trial were played, by their side.

        Raises:
            RefusedError: no such session or trial (``unknown``), side or time (``invalid``).
        """
        if not set(seconds) <= set(SIDES) or not all(0 <= s <= LONGEST_S for s in seconds.values()):
            raise RefusedError("invalid", f"expected a side of {SIDES} and the seconds played")
        with self._writing() as connection:
            number, _ = self._find(token)
            self._find_trial(number, position)
            connection.executemany(
                "INSERT INTO plays VALUES (?, ?, ?, ?, ?)",
                [(number, position, side, each, time.time()) for side, each in seconds.items()],
            )

    def record_vote(
        self, token: str, position: int, answers: Mapping[str, str], key: str, elapsed_s: float
    ) -> bool:
        """Record the answers to all questions of a trial; True if they are new.

        ``key`` is chosen by the sender, once for each vote: the same one again, after a lost
        reply, changes nothing and returns False. When this returns, the vote is on the disk.

        Raises:
            RefusedError: see its reasons.
        """
        self._check_vote(answers, key, elapsed_s)
        with self._writing() as connection:
            number, _ = self._find(token)
            self._find_trial(number, position)
            earlier = connection.execute(
                "SELECT idempotency_key FROM votes WHERE session = ? AND position = ?",
                (number, position),
            ).fetchone()
            if earlier == (key,):
                return False
            if earlier:
                raise RefusedError("conflict", f"trial {position} has its vote already")
            if missing := self._find_unplayed(number, position):
                raise RefusedError("unplayed", f"not played for long enough: {', '.join(missing)}")
            connection.execute(
                "INSERT INTO votes VALUES (?, ?, ?, ?, ?)",
                (number, position, key, elapsed_s, time.time()),
            )
            connection.executemany(
                "INSERT INTO answers VALUES (?, ?, ?, ?)",
                [(number, position, name, choice) for name, choice in answers.items()],
            )
        return True

    def add_comment(self, token: str, text: str, position: int | None = None) -> None:
        """Store a remark of a rater, on a trial or on the study.

        Raises:
            RefusedError: no such session or trial (``unknown``), an empty or long text.
        """
        if not 0 < len(text) <= MAX_COMMENT:
            raise RefusedError("invalid", f"a comment has 1 to {MAX_COMMENT} characters")
        with self._writing() as connection:
            number, _ = self._find(token)
            if position is not None:
                self._find_trial(number, position)
            connection.execute(
                "INSERT INTO comments VALUES (?, ?, ?, ?)", (number, position, text, time.time())
            )

    def read_sessions(self) -> list[SessionRow]:
        """Return every session."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT number, source, "
                "(SELECT count(*) FROM trials WHERE session = number), "
                "(SELECT count(*) FROM votes WHERE session = number) FROM sessions ORDER BY number"
            ).fetchall()
        return [SessionRow(*row) for row in rows]

    def read_answers(self) -> list[Answer]:
        """Return every answer, by session, place and question."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT t.session, t.position, t.kind, t.clip, t.a, t.b, a.question, a.choice, "
                "v.elapsed_s FROM answers a JOIN votes v USING (session, position) "
                "JOIN trials t USING (session, position) ORDER BY 1, 2, 7"
            ).fetchall()
        return [Answer(row[0], Trial(*row[1:6]), *row[6:]) for row in rows]

    def read_comments(self) -> list[tuple[int, int | None, str]]:
        """Return session, place (None for the study) and text of every comment."""
        with self._lock:
            return self._connection.execute(
                "SELECT session, position, text FROM comments ORDER BY at"
            ).fetchall()

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

    def _find(self, token: str) -> tuple[int, str]:
        row = self._connection.execute(
            "SELECT number, completion_code FROM sessions WHERE token_sha256 = ?", (_hash(token),)
        ).fetchone()
        if row is None:
            raise RefusedError("unknown", "there is no such session")
        return row[0], row[1]

    def _find_trial(self, number: int, position: int) -> None:
        found = self._connection.execute(
            "SELECT 1 FROM trials WHERE session = ? AND position = ?", (number, position)
        ).fetchone()
        if found is None:
            raise RefusedError("unknown", f"the session has no trial {position}")

    def _find_unplayed(self, number: int, position: int) -> list[str]:
        (clip,) = self._connection.execute(
            "SELECT clip FROM trials WHERE session = ? AND position = ?", (number, position)
        ).fetchone()
        played = dict(
            self._connection.execute(
                "SELECT side, max(seconds) FROM plays WHERE session = ? AND position = ? "
                "GROUP BY side",
                (number, position),
            ).fetchall()
        )
        needed = required_play_s(self.design, clip)
        return [side for side in SIDES if played.get(side, 0.0) < needed]

    def _check_vote(self, answers: Mapping[str, str], key: str, elapsed_s: float) -> None:
        expected = {question.name: question.choices for question in self.design.questions}
        if set(answers) != set(expected):
            raise RefusedError("invalid", f"expected answers to {', '.join(expected)}")
        for name, choice in answers.items():
            if choice not in expected[name]:
                raise RefusedError("invalid", f"{name}: expected {', '.join(expected[name])}")
        if not 0 < len(key) <= MAX_KEY or not 0 <= elapsed_s <= LONGEST_S:
            raise RefusedError(
                "invalid", f"expected a key of 1 to {MAX_KEY} characters and the seconds taken"
            )


def required_play_s(design: Design, clip: str) -> float:
    """Return how long each video of a clip must play: to its end, but for the last 5 %, at most."""
    seconds = {each.name: each.seconds for each in design.clips}
    longest = seconds.get(clip, max(seconds.values()))
    return min(design.min_play_s, 0.95 * longest)


def open_store(study: Path) -> Store:
    """Open the answers in the folder of a study.

    Raises:
        BenchError: no study, a bad design, answers to another design, or a damaged file.
    """
    design = read_design(study)
    path = study / FILE
    try:
        store = Store(path, design)
        digests = store._connection.execute("SELECT DISTINCT design_sha256 FROM sessions")
        others = [digest for (digest,) in digests if digest != design.digest]
    except sqlite3.Error as error:
        raise BenchError(f"cannot open {path}: {error}") from error
    if others:
        store.close()
        raise BenchError(
            f"{study / 'design.toml'} was changed after the first session: its SHA-256 is "
            f"{design.digest[:12]}, sessions have {others[0][:12]}; restore the file, or create "
            "another study"
        )
    return store


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
