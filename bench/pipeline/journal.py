"""The journal of a run: one line of JSON per finished piece of work, appended as it finishes.

A killed process leaves at most one torn line at the end, which the next one cuts off. Every entry
carries the fingerprint of what it was made from. It is valid only while that is unchanged on disk,
so the work for a changed clip, prompt or setting is done again.

    sample <clip>    ``file`` (digest of the sample), ``made_by`` (the key of its origin)
    origin <key>     what made samples: version, code, weights, device (``provenance``)
    row <judge> <profile> <clip>
                     ``scores`` by column, ``keys`` of the features by role, and ``extractors``, the
                     versions of those that the scores come from
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from bench.errors import RunError

Entry = Mapping[str, Any]

#: A line as ``Journal.add`` writes it, up to the names that it is found by.
_LINE = re.compile(rb'\{"kind": "([^"\\]+)", "clip": "([^"\\]+)", .*\}\n')


class Journal:
    """Entries by ``(kind, clip)``; a later entry replaces an earlier one.

    In memory is only where the line of each entry is, some 30 bytes: the entries of 100,000 clips
    would take 500 MB. Reading changes nothing; the torn line of a killed process is cut off before
    the first entry is added, which only the process that holds the run's lock may do.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader: BinaryIO | None = None
        self._writer: BinaryIO | None = None
        self._kinds: set[str] = set()
        # A table in memory takes a quarter of what a dictionary of numbers does.
        self._lines = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._lines.execute("CREATE TABLE lines (key INTEGER PRIMARY KEY, start INT, size INT)")
        self._end = 0
        if path.exists():
            self._lines.execute("BEGIN")
            self._lines.executemany("INSERT OR REPLACE INTO lines VALUES (?, ?, ?)", self._read())
            self._lines.execute("COMMIT")

    def _read(self) -> Iterator[tuple[int, int, int]]:
        """Yield the key, the start and the size of every whole line."""
        with self.path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    return
                if found := _LINE.fullmatch(line):
                    kind, clip = found.groups()
                else:  # it was written by something else, or is damaged
                    entry = self._parse(line, self._end)
                    kind, clip = _encode(entry["kind"]), _encode(entry["clip"])
                self._kinds.add(kind.decode(errors="replace"))
                yield _key(kind, clip), self._end, len(line)
                self._end += len(line)

    def _parse(self, line: bytes, start: int) -> Entry:
        try:
            entry: Entry = json.loads(line)
            if not isinstance(entry["kind"], str) or not isinstance(entry["clip"], str):
                raise TypeError("its kind and its clip must be texts")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            with self.path.open("rb") as file:
                number = file.read(start).count(b"\n") + 1
            raise RunError(
                f"{self.path}, line {number}, is damaged ({error}); use --fresh to start over"
            ) from error
        return entry

    def find(self, kind: str, clip: str, fingerprint: str) -> Entry | None:
        """Return the entry of this kind for this clip, if it was made from exactly this.

        Raises:
            RunError: its line is damaged.
        """
        entry = self.latest(kind, clip)
        return entry if entry is not None and entry["fingerprint"] == fingerprint else None

    def latest(self, kind: str, clip: str) -> Entry | None:
        """Return the entry of this kind for this clip, whatever it was made from; raises as above.

        It is read from the file each time.
        """
        key = _key(_encode(kind), _encode(clip))
        row = self._lines.execute("SELECT start, size FROM lines WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        if self._reader is None:
            self._reader = self.path.open("rb", buffering=0)
        start, size = row
        entry = self._parse(os.pread(self._reader.fileno(), size, start), start)
        # Two names of one key are found by neither: their work is done again.
        return entry if (entry["kind"], entry["clip"]) == (kind, clip) else None

    def add(self, kind: str, clip: str, fingerprint: str, **values: Any) -> Entry:
        """Append an entry; it is with the operating system when this returns."""
        entry = {"kind": kind, "clip": clip, "fingerprint": fingerprint, **values}
        file = self._opened()
        # One write per line. NaN is no JSON; what is not scored is null by now.
        line = (json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n").encode()
        file.write(line)
        file.flush()
        self._kinds.add(kind)
        row = _key(_encode(kind), _encode(clip)), self._end, len(line)
        self._lines.execute("INSERT OR REPLACE INTO lines VALUES (?, ?, ?)", row)
        self._end += len(line)
        return entry

    def discard(self, clips: Iterable[str]) -> None:
        """Forget every entry of these clips, so that their work is done again."""
        for clip in dict.fromkeys(clips):
            for kind in sorted(self._kinds):
                if self.latest(kind, clip) is not None:
                    # A file that is only appended to cannot lose lines; no fingerprint equals this.
                    self.add(kind, clip, "discarded")

    def close(self) -> None:
        """Close the file."""
        for file in (self._reader, self._writer):
            if file is not None:
                file.close()
        self._reader = self._writer = None

    def __del__(self) -> None:
        self.close()

    def _opened(self) -> BinaryIO:
        if self._writer is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists():
                # The first entry would else be appended to a torn line, and be lost with it.
                with self.path.open("r+b") as file:
                    file.seek(self._end)  # before the lock another process may have added more
                    self._end += file.read().rfind(b"\n") + 1
                    file.truncate(self._end)
            self._writer = self.path.open("ab")
        return self._writer


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")  # JSON can hold what UTF-8 cannot


def _key(kind: bytes, clip: bytes) -> int:
    """Return 64 bits: among a million entries two have the same with a chance of 3e-8."""
    digest = hashlib.blake2b(kind + b"\0" + clip, digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def row_kind(judge: str, profile: str) -> str:
    """Return the kind of a row of scores; a clip may have one per judge and profile."""
    return f"row {judge} {profile}"


def fingerprint(*parts: Any) -> str:
    """Return a short hash of anything that JSON can write."""
    text = json.dumps(parts, sort_keys=True, default=str)
    # 80 bits: among a million fingerprints two are equal with a chance of 4e-13.
    return hashlib.sha256(text.encode()).hexdigest()[:20]
