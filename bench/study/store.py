"""What raters answered: SQLite in ``study.sqlite``, and the only functions that write it.

A vote is acknowledged once it is on the disk (write-ahead log, ``synchronous=FULL``): a process
that is killed loses none. One ``Store`` serves all threads of a process; several processes may open
one study.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path

from bench.errors import BenchError
from bench.study.assignment import Trial, assign_trials
from bench.study.database import TABLES, Database
from bench.study.design import Design, read_design, required_play_s
from bench.study.sessions import (
    LONGEST_S,
    MAX_KEY,
    Answer,
    NewSession,
    RefusedError,
    Session,
    SessionRow,
    check_vote,
    is_of_design,
)

FILE = "study.sqlite"
MAX_COMMENT, MAX_PANEL_ID = 2_000, 100
#: What one session may store: far more than a rater does, and no disk is filled by it.
MAX_COMMENTS, MAX_PLAYS_OF_TRIAL = 20, 1_000
#: A key that makes a token is as hard to guess as the token.
MIN_TOKEN_KEY = 32

#: Who answers a study: people, or ``bench study simulate``. Never both in one study.
RATER, SIMULATED = "rater", "simulated"

#: The videos of a trial.
SIDES = ("true", "a", "b")


class Store(Database):
    """The answers to one design. Every method may be called by any thread."""

    def __init__(self, path: Path, design: Design) -> None:
        """Open the file, which is created where it is missing; see ``open_store``."""
        super().__init__(path)
        self.design = design

    def create_session(
        self, source: str = RATER, panel_id: str | None = None, key: str | None = None
    ) -> NewSession:
        """Create the next session, with its trials, once a rater agreed to take part.

        ``key`` is chosen by the sender, at random, and makes the token: the same one again, after a
        lost reply, returns the same session.

        Raises:
            RefusedError: an id of a panel that the design does not ask for, or a long one; a key
                that is short or long.
            BenchError: the study has sessions of the other source.
        """
        if panel_id is not None and (not self.design.asks_panel_id or len(panel_id) > MAX_PANEL_ID):
            raise RefusedError("invalid", "this study takes no such panel id")
        if key is not None and not MIN_TOKEN_KEY <= len(key) <= MAX_KEY:
            raise RefusedError(
                "invalid", f"expected a key of {MIN_TOKEN_KEY} to {MAX_KEY} characters"
            )
        token = secrets.token_urlsafe(24) if key is None else _hash(f"token of {key}")[:32]
        with self._writing() as connection:
            earlier = connection.execute(
                "SELECT number FROM sessions WHERE token_sha256 = ?", (_hash(token),)
            ).fetchone()
            if earlier:
                return NewSession(earlier[0], token, is_new=False)
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
            RefusedError: no such session or trial (``unknown``), side or time, or thousands of them
                (``invalid``).
        """
        if not set(seconds) <= set(SIDES) or not all(0 <= s <= LONGEST_S for s in seconds.values()):
            raise RefusedError("invalid", f"expected a side of {SIDES} and the seconds played")
        with self._writing() as connection:
            number, _ = self._find(token)
            self._find_trial(number, position)
            (n_plays,) = connection.execute(
                "SELECT count(*) FROM plays WHERE session = ? AND position = ?", (number, position)
            ).fetchone()
            if n_plays + len(seconds) > MAX_PLAYS_OF_TRIAL:
                raise RefusedError("invalid", f"a trial has at most {MAX_PLAYS_OF_TRIAL} plays")
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
        check_vote(self.design, answers, key, elapsed_s)
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
            RefusedError: no such session or trial (``unknown``), an empty or long text, or many.
        """
        if not 0 < len(text) <= MAX_COMMENT:
            raise RefusedError("invalid", f"a comment has 1 to {MAX_COMMENT} characters")
        with self._writing() as connection:
            number, _ = self._find(token)
            if position is not None:
                self._find_trial(number, position)
            (n_comments,) = connection.execute(
                "SELECT count(*) FROM comments WHERE session = ?", (number,)
            ).fetchone()
            if n_comments >= MAX_COMMENTS:
                raise RefusedError("invalid", f"a session has at most {MAX_COMMENTS} comments")
            connection.execute(
                "INSERT INTO comments VALUES (?, ?, ?, ?)", (number, position, text, time.time())
            )

    def remove_simulated(self) -> int:
        """Remove all sessions of simulated raters, and what belongs to them; return how many.

        Raises:
            BenchError: the file cannot be written.
        """
        with self._writing() as connection:
            numbers = connection.execute(
                "SELECT number FROM sessions WHERE source = ?", (SIMULATED,)
            ).fetchall()
            for table in TABLES:
                column = "number" if table == "sessions" else "session"
                connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", numbers)  # noqa: S608
        return len(numbers)

    def read_sessions(self) -> list[SessionRow]:
        """Return every session.

        Raises:
            BenchError: the file was edited or is damaged.
        """
        rows = self._read(
            "SELECT number, source, "
            "(SELECT count(*) FROM trials WHERE session = number), "
            "(SELECT count(*) FROM votes WHERE session = number) FROM sessions ORDER BY number"
        )
        if rows and {source for _, source, *_ in rows} not in ({RATER}, {SIMULATED}):
            self._refuse("has sessions that are not all of raters or all of simulated ones")
        return [SessionRow(*row) for row in rows]

    def read_answers(self) -> list[Answer]:
        """Return every answer, by session, place and question.

        Raises:
            BenchError: the file was edited or is damaged: an answer to what the design has not.
        """
        rows = self._read(
            "SELECT t.session, t.position, t.kind, t.clip, t.a, t.b, a.question, a.choice, "
            "v.elapsed_s FROM answers a JOIN votes v USING (session, position) "
            "JOIN trials t USING (session, position) JOIN sessions s ON s.number = t.session "
            "ORDER BY 1, 2, 7"
        )
        answers = [Answer(row[0], Trial(*row[1:6]), *row[6:]) for row in rows]
        for answer in answers:
            if not is_of_design(self.design, answer):
                place = f"session {answer.session}, trial {answer.trial.position}"
                self._refuse(f"has an answer that is not of the design ({place})")
        return answers

    def read_comments(self) -> list[tuple[int, int | None, str]]:
        """Return session, place (None for the study) and text of every comment."""
        return self._read("SELECT session, position, CAST(text AS TEXT) FROM comments ORDER BY at")

    def read_codes(self) -> list[tuple[str, str, int, int]]:
        """Return panel id, completion code, answered and all trials of every session.

        They are in the order of ids and codes, so that nothing connects them with the answers; the
        code is "" until all trials are answered, as for the rater.
        """
        return self._read(
            "SELECT id, CASE WHEN n = total THEN completion_code ELSE '' END AS code, n, total "
            "FROM (SELECT coalesce(CAST(panel_id AS TEXT), '') AS id, completion_code, "
            "(SELECT count(*) FROM votes WHERE session = number) AS n, "
            "(SELECT count(*) FROM trials WHERE session = number) AS total FROM sessions) "
            "ORDER BY id, code, n"
        )

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


def open_store(study: Path, *, is_new: bool = True) -> Store:
    """Open the answers in the folder of a study; with ``is_new`` the file may have to be created.

    Raises:
        BenchError: no study, no answers, a bad design, answers to another design, or a damaged
            file.
    """
    design = read_design(study)
    path = study / FILE
    if not is_new and not path.is_file():
        raise BenchError(f"{study} has no answers yet: `bench study serve {study}` takes them")
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
