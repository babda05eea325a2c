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
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

from bench.errors import RunError

Entry = Mapping[str, Any]


class Journal:
    """Entries by ``(kind, clip)``; a later entry replaces an earlier one.

    ``parse`` reads a line.

    Reading changes nothing; the torn line of a killed process is cut off before the first entry is
    added, which only the process that holds the run's lock may do.
    """

    def __init__(self, path: Path, parse: Callable[[bytes], Any] = json.loads) -> None:
        self.path = path
        self._parse = parse
        self._entries: dict[tuple[str, str], Entry] = {}
        self._file: TextIO | None = None
        if path.exists():
            self._read(_whole_lines(path))

    def _read(self, content: bytes) -> None:
        for number, line in enumerate(content.splitlines(), 1):
            try:
                entry = self._parse(line)
                self._entries[entry["kind"], entry["clip"]] = entry
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise RunError(
                    f"{self.path}, line {number}, is damaged ({error}); use --fresh to start over"
                ) from error

    def find(self, kind: str, clip: str, fingerprint: str) -> Entry | None:
        """Return the entry of this kind for this clip, if it was made from exactly this."""
        entry = self._entries.get((kind, clip))
        return entry if entry is not None and entry["fingerprint"] == fingerprint else None

    def latest(self, kind: str, clip: str) -> Entry | None:
        """Return the entry of this kind for this clip, whatever it was made from."""
        return self._entries.get((kind, clip))

    def add(self, kind: str, clip: str, fingerprint: str, **values: Any) -> Entry:
        """Append an entry; it is with the operating system when this returns."""
        entry = {"kind": kind, "clip": clip, "fingerprint": fingerprint, **values}
        file = self._opened()
        # One write per line. NaN is no JSON; what is not scored is null by now.
        file.write(json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n")
        file.flush()
        self._entries[kind, clip] = entry
        return entry

    def discard(self, clips: Iterable[str]) -> None:
        """Forget every entry of these clips, so that their work is done again."""
        named = set(clips)
        for kind, clip in [each for each in self._entries if each[1] in named]:
            # A file that is only appended to cannot lose lines; no fingerprint equals this word.
            self.add(kind, clip, "discarded")

    def close(self) -> None:
        """Close the file, if anything was added."""
        if self._file is not None:
            self._file.close()

    def _opened(self) -> TextIO:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists():
                # The first entry would else be appended to a torn line, and be lost with it.
                with self.path.open("r+b") as file:
                    file.truncate(len(_whole_lines(self.path)))
            self._file = self.path.open("a", encoding="utf-8")
        return self._file


def _whole_lines(path: Path) -> bytes:
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1]


def row_kind(judge: str, profile: str) -> str:
    """Return the kind of a row of scores; a clip may have one per judge and profile."""
    return f"row {judge} {profile}"


def fingerprint(*parts: Any) -> str:
    """Return a short hash of anything that JSON can write."""
    text = json.dumps(parts, sort_keys=True, default=str)
    # 80 bits: among a million fingerprints two are equal with a chance of 4e-13.
    return hashlib.sha256(text.encode()).hexdigest()[:20]
