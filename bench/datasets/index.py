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
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from bench.archives import file_size, hide_ranges, is_file
from bench.digests import file_state
from bench.errors import BenchError
from bench.types import MAX_SHORTFALL_S, Clip, Excerpt

if TYPE_CHECKING:
    from bench.engine import Engine

#: Raised when other facts or contents are stored: rows of another version are read again.
INDEX_VERSION = 2
COMMIT_EVERY_S = 1.0

Facts = dict[str, Any]
Progress = Callable[[int, int], None]
#: Called with what is done ("unpack", "index" or "draw"), the number that is done, and of all.
StageProgress = Callable[[str, int, int], None]
Item = TypeVar("Item")


class _Keyed(NamedTuple, Generic[Item]):
    """An item on its way through a worker, with the key of its row."""

    key: str
    item: Item


class Index:
    """Facts of files by their state, and contents of archives by theirs."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
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
        self._commit()
        self._rows.close()

    def recall_archive(self, state: str) -> Any:
        """Return what ``remember_archive`` stored for a state, None where it stored nothing."""
        return self._recall(f"archive:{INDEX_VERSION}:{state}")

    def remember_archive(self, state: str, content: Any) -> None:
        """Store what was found in an archive of this state."""
        self._remember(f"archive:{INDEX_VERSION}:{state}", content)
        self._commit()

    def describe_all(
        self,
        describe: Callable[[Item], Facts],
        items: Iterable[tuple[str, Item]],
        engine: Engine,
        progress: Progress,
    ) -> Iterator[tuple[Item, Facts]]:
        """Yield each item with its facts, in any order; only files that changed are read.

        ``items`` come with their ``media_key``. ``describe`` is run by the workers of ``engine``;
        ``{"problem": message}`` are the facts of an item that it refuses.
        """
        wanted: list[_Keyed[Item]] = []
        total = n_done = 0
        for state, item in items:
            total += 1
            key = f"{describe.__name__}:{INDEX_VERSION}:{state}"
            known = self._recall(key)
            if known is None:
                wanted.append(_Keyed(key, item))
            else:
                n_done += 1
                yield item, known
        progress(n_done, total)
        committed_s = time.monotonic()
        for outcome in engine.map(partial(_make_describer, describe), wanted):
            n_done += 1
            progress(n_done, total)
            if outcome.value is None:
                # A worker that died or took too long may not do so again: this is not remembered.
                message = outcome.failure.message if outcome.failure else "no outcome"
                yield outcome.item.item, {"problem": message}
                continue
            self._remember(outcome.item.key, outcome.value)
            yield outcome.item.item, outcome.value
            if time.monotonic() - committed_s > COMMIT_EVERY_S:
                self._commit()
                committed_s = time.monotonic()
        self._commit()

    def describe_files(
        self, paths: Iterable[Path], engine: Engine, progress: StageProgress
    ) -> dict[Path, Facts]:
        """Return what ``describe_header`` finds in each file, which is read where it changed."""
        keyed = ((media_key(each), each) for each in map(Excerpt, sorted(set(paths))))
        report = partial(progress, "index")
        return {
            excerpt.path: facts
            for excerpt, facts in self.describe_all(describe_header, keyed, engine, report)
        }

    def _recall(self, key: str) -> Any:
        found = self._rows.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
        return None if found is None else json.loads(found[0])

    def _remember(self, key: str, value: Any) -> None:
        row = (key, json.dumps(value))
        with self._naming_file():
            self._rows.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", row)

    def _commit(self) -> None:
        with self._naming_file():
            self._rows.commit()

    @contextmanager
    def _naming_file(self) -> Iterator[None]:
        """Turn a full disk, or a file that another process holds, into an error of the user."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise BenchError(f"cannot write {self._path}: {error}") from error


@contextmanager
def open_index(path: Path) -> Iterator[Index]:
    """Yield the index in ``path``; close it after the block."""
    index = Index(path)
    try:
        yield index
    finally:
        index.close()


def media_key(*excerpts: Excerpt | None) -> str:
    """Return what changes when the bytes of these files or the windows do."""
    return "|".join(_describe_state(each) for each in excerpts if each is not None)


def _describe_state(excerpt: Excerpt) -> str:
    try:
        state = file_state(excerpt.path)
    except OSError:
        state = f"missing:{excerpt.path}"
    return f"{state}:{excerpt.start_s:g}+{excerpt.seconds}"


def _make_describer(describe: Callable[[Item], Facts]) -> Callable[[_Keyed[Item]], Facts]:
    def describe_or_refuse(keyed: _Keyed[Item]) -> Facts:
        try:
            return describe(keyed.item)
        except BenchError as error:
            return {"problem": hide_ranges(str(error))}

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


def describe_content(clip: Clip) -> Facts:
    """Decode the audio, reference and video of a clip; return ``peak`` and ``motion``.

    ``peak`` is the loudest sample of the audio (1 is full scale), ``motion`` the largest mean
    change of grey level between two frames that are a second apart (0 to 255).

    Raises:
        BenchError: a file is missing, damaged or too short; the message names it.
    """
    import numpy as np

    from bench.media import read_audio, read_frames

    facts: Facts = {}
    for excerpt in (clip.audio, clip.reference):
        if excerpt is not None:
            if not is_file(excerpt.path):
                raise BenchError(f"{excerpt.path.name} is missing")
            samples = read_audio(excerpt, shortfall_s=MAX_SHORTFALL_S).samples
            if excerpt is clip.audio:
                facts["peak"] = round(float(np.abs(samples).max(initial=0.0)), 6)
    if clip.video is not None:
        # One frame a second is kept, but all are decoded: a frame may depend on any before it.
        frames = read_frames(clip.video, 1.0, shortfall_s=MAX_SHORTFALL_S).pixels
        grey = frames.mean(axis=-1, dtype=np.float32)
        changes = np.abs(np.diff(grey, axis=0)).mean(axis=(1, 2))
        facts["motion"] = round(float(changes.max(initial=0.0)), 3)
    return facts
