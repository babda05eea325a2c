"""What the headers of media state, remembered in ``index.sqlite`` while the files are unchanged.

Opening 200,000 files takes an hour and asking for their state a minute. Rows are stored as they are
found, so that a process that is killed loses at most the last second.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bench.archives import file_size
from bench.digests import file_state
from bench.engine import Engine
from bench.errors import BenchError, MediaError
from bench.types import MAX_SHORTFALL_S, Excerpt

#: Raised when ``describe`` finds other facts: rows of another version are read again.
INDEX_VERSION = 1
COMMIT_EVERY_S = 1.0

Facts = dict[str, Any]
Progress = Callable[[int, int], None]


class Index:
    """Facts of files by their state, and contents of archives by theirs."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._rows = sqlite3.connect(path, timeout=30.0)
            self._rows.execute("PRAGMA journal_mode = WAL")
            self._rows.execute(
                "CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT)"
            )
        except sqlite3.DatabaseError as error:
            raise BenchError(f"cannot read {path}: {error}; delete it, it fills again") from error

    def close(self) -> None:
        """Store what is not stored yet, and close the file."""
        self._rows.commit()
        self._rows.close()

    def recall_archive(self, state: str) -> Any:
        """Return what ``remember_archive`` stored for a state, None where it stored nothing."""
        return self._recall(f"archive:{INDEX_VERSION}:{state}")

    def remember_archive(self, state: str, content: Any) -> None:
        """Store what was found in an archive of this state."""
        self._remember(f"archive:{INDEX_VERSION}:{state}", content)
        self._rows.commit()

    def describe_all(
        self,
        describe: Callable[[Excerpt], Facts],
        excerpts: Iterable[Excerpt],
        engine: Engine,
        progress: Progress,
    ) -> Iterator[tuple[Excerpt, Facts]]:
        """Yield each excerpt with its facts, in any order; only files that changed are read.

        ``describe`` is run by the workers of ``engine``; ``{"problem": message}`` are the facts of
        a file that it refuses.
        """
        wanted, total, n_done = [], 0, 0
        keys: dict[Excerpt, str] = {}
        for excerpt in excerpts:
            total += 1
            window = f"{excerpt.start_s:g}:{excerpt.seconds}"
            state = media_state(excerpt.path)
            keys[excerpt] = f"{describe.__name__}:{INDEX_VERSION}:{state}:{window}"
            known = self._recall(keys[excerpt])
            if known is None:
                wanted.append(excerpt)
            else:
                n_done += 1
                yield excerpt, known
        progress(n_done, total)
        committed_s = time.monotonic()
        for outcome in engine.map(partial(_make_describer, describe), wanted):
            n_done += 1
            progress(n_done, total)
            if outcome.value is None:
                # A worker that died or took too long may not do so again: this is not remembered.
                message = outcome.failure.message if outcome.failure else "no outcome"
                yield outcome.item, {"problem": message}
                continue
            self._remember(keys[outcome.item], outcome.value)
            yield outcome.item, outcome.value
            if time.monotonic() - committed_s > COMMIT_EVERY_S:
                self._rows.commit()
                committed_s = time.monotonic()
        self._rows.commit()

    def _recall(self, key: str) -> Any:
        found = self._rows.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return None if found is None else json.loads(found[0])

    def _remember(self, key: str, value: Any) -> None:
        row = (key, json.dumps(value))
        self._rows.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", row)


@contextmanager
def open_index(path: Path) -> Iterator[Index]:
    """Yield the index in ``path``; close it after the block."""
    index = Index(path)
    try:
        yield index
    finally:
        index.close()


def media_state(path: Path) -> str:
    """Return what changes when the bytes of a file do; "missing" where there is none."""
    try:
        return file_state(path)
    except OSError:
        return "missing"


def _make_describer(describe: Callable[[Excerpt], Facts]) -> Callable[[Excerpt], Facts]:
    def describe_or_refuse(excerpt: Excerpt) -> Facts:
        try:
            return describe(excerpt)
        except MediaError as error:
            return {"problem": str(error)}

    return describe_or_refuse


def describe_header(excerpt: Excerpt) -> Facts:
    """Return the fields of ``MediaRow`` that the header of a file states.

    Raises:
        MediaError: it is missing, empty, damaged or not a media file.
    """
    from bench.media import probe

    info = probe(excerpt.path)
    facts: Facts = {"container": info.container, "n_bytes": file_size(excerpt.path)}
    if info.video is not None:
        facts |= {
            "video_codec": info.video.codec,
            "width": info.video.width,
            "height": info.video.height,
            "fps": info.video.fps,
            "n_frames": info.video.n_frames,
            "video_s": info.video.seconds,
        }
    if info.audio is not None:
        facts |= {
            "audio_codec": info.audio.codec,
            "audio_rate_hz": info.audio.sample_rate_hz,
            "audio_channels": info.audio.channels,
            "audio_s": info.audio.seconds,
        }
    return facts


def describe_content(excerpt: Excerpt) -> Facts:
    """Decode a clip and return its loudest sample and its largest change, as in ``MediaRow``.

    Raises:
        MediaError: it is damaged or shorter than the window.
    """
    import numpy as np

    from bench.media import probe, read_audio, read_frames

    info = probe(excerpt.path)
    facts: Facts = {}
    if info.audio is not None:
        samples = read_audio(excerpt, shortfall_s=MAX_SHORTFALL_S).samples
        facts["peak"] = round(float(np.abs(samples).max(initial=0.0)), 6)
    if info.video is not None:
        # One frame a second is kept, but all are decoded: a frame may depend on any before it.
        frames = read_frames(excerpt, 1.0, shortfall_s=MAX_SHORTFALL_S).pixels
        grey = frames.mean(axis=-1, dtype=np.float32)
        changes = np.abs(np.diff(grey, axis=0)).mean(axis=(1, 2))
        facts["motion"] = round(float(changes.max(initial=0.0)), 3)
    return facts
