"""The tables of ``study.sqlite``.

sessions  number, token_sha256, source, design_sha256, panel_id, created_at, completion_code
trials    session, position, kind, clip, a, b: what was assigned, in order
plays     session, position, side, seconds, at: how far each video was played
votes     session, position, idempotency_key, elapsed_s, at: one per trial
answers   session, position, question, choice: those of a vote; a, b or tie
comments  session, position, text, at
"""

from __future__ import annotations

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
