"""The engine of a cluster: which chunk is sent when, and what if it is lost. For any back end.

A back end sends files of jobs to where they are answered, and reports what was lost. All policy is
here:

- **Size**: ``choose_chunk_size``.
- **Back-pressure**: items are pulled when a chunk can be submitted. Their iterator may block.
- **Loss**: what a lost job had answered counts. The items that it held are tried again one by one,
  each three times in all; then they are failures. Those that it never touched become a chunk again.
- **Restart**: outcomes of an earlier driver are taken from the folder, and its jobs are cancelled.
  What the back end believes of a finished job does not matter: its outcome file does.
- **Silence**: within ``QUIET_S`` without news there is a line about what is waited for.

On NFS a file of another machine may be missing from a listing for as long as attributes of folders
are cached (``acdirmax``, 60 s): the outcomes of a job that ended well are awaited for longer.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from bench.engine.backend import Backend, choose_chunk_size
from bench.engine.chunks import (
    Progress,
    complete_path,
    item_key,
    read_progress,
    to_outcome,
    write_chunk,
)
from bench.engine.inline import DEFAULT
from bench.engine.outcome import Failure, Outcome, Work, open_one_by_one
from bench.engine.settings import WorkerSettings
from bench.errors import BenchError

Item = TypeVar("Item")
Value = TypeVar("Value")

#: An item is worked on so many times at most, by jobs that are lost.
MAX_TRIES = 3
#: How often outcome files are looked for, and how long one may come after its job has ended.
POLL_S = 0.25
LATE_S = 90.0
#: How long it may be silent.
QUIET_S = 30.0

_EXHAUSTED = object()


class ChunkedEngine:
    """Handle items in jobs of a cluster, which share the folder with this process.

    One process at a time uses a folder. In a ``with`` statement the back end stays open between
    maps.
    """

    is_remote = True

    def __init__(
        self, backend: Backend, folder: Path, notify: Callable[[str], None] = print
    ) -> None:
        self.backend = backend
        self.folder = folder.absolute()
        self.notify = notify
        self.n_lost = 0
        self._is_open = False

    @property
    def workers(self) -> int:
        """How many worker processes there are, in all jobs at the same time."""
        layout = self.backend.layout(DEFAULT)
        return layout.n_slots * layout.workers

    def __enter__(self) -> ChunkedEngine:
        self._is_open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_open = False
        self._close(is_complete=kind is None)

    def map(
        self,
        factory: Callable[..., Callable[[Item], Value]],
        items: Iterable[Item],
        settings: WorkerSettings = DEFAULT,
    ) -> Iterator[Outcome[Item, Value]]:
        """Yield one outcome per item, in the order in which chunks finish.

        Raises:
            BenchError: a worker could not be built, or jobs are lost before they answer anything.
        """
        return self.stream(partial(open_one_by_one, factory), items, settings)

    def stream(
        self,
        factory: Callable[..., Work[Item, Value]],
        items: Iterable[Item],
        settings: WorkerSettings = DEFAULT,
    ) -> Iterator[Outcome[Item, Value]]:
        """Yield one outcome per item, for work that is given an iterator of items.

        Raises:
            BenchError: a worker could not be built, or jobs are lost before they answer anything.
        """
        try:
            work = _Map(self, factory, items, settings)
        except BaseException:
            if not self._is_open:
                self.backend.close()
            raise
        return self._outcomes(work)

    def _outcomes(self, work: _Map) -> Iterator[Outcome[Any, Any]]:
        is_complete = False
        try:
            yield from work.outcomes()
            is_complete = True
        finally:
            work.finish(is_complete)
            if not self._is_open:
                self._close(is_complete)

    def _close(self, is_complete: bool) -> None:
        self.backend.close()
        logs = self.backend.logs
        if logs is not None and logs.is_dir():
            if is_complete and not self.n_lost:
                shutil.rmtree(logs, ignore_errors=True)
            else:
                lost = f"lost jobs: {self.n_lost}; " if self.n_lost else ""
                self.notify(f"{lost}the logs of jobs are in {logs}")
        with suppress(OSError):  # only if it is empty
            self.folder.rmdir()


@dataclass
class _Held:
    """An item on its way, and how many jobs that held it were lost."""

    item: Any
    tries: int = 0


@dataclass
class _Sent:
    """A chunk that was submitted; ``ended_s`` is when its job ended, with ``loss`` if it failed."""

    name: str
    job: Path
    items: list[_Held]
    ended_s: float | None = None
    loss: str | None = None


class _Map:
    """The chunks of one map: submitted, finished, lost and tried again."""

    def __init__(
        self,
        engine: ChunkedEngine,
        factory: Callable[..., Any],
        items: Iterable[Any],
        settings: WorkerSettings,
    ) -> None:
        self.backend, self.notify, self.engine = engine.backend, engine.notify, engine
        self.factory, self.layout = factory, engine.backend.layout(settings)
        self.name = _name_of(factory)
        self.is_kept = bool(settings.key)  # nobody would take outcomes without one
        version = item_key(settings.key)[:12] if self.is_kept else secrets.token_hex(6)
        self.folder = engine.folder / f"{self.name}-{version}"
        self.size = choose_chunk_size(items, self.layout)
        self.items = iter(items)
        self.again: deque[list[_Held]] = deque()
        self.sent: dict[str, _Sent] = {}
        self.earlier: dict[str, Mapping[str, Any]] | None = None
        self.n_chunks = 0
        self.n_answered = 0
        self.news_s = time.monotonic()

    def outcomes(self) -> Iterator[Outcome[Any, Any]]:
        while True:
            yield from self._fill()
            if not self.sent:
                return
            for sent in self._wait():
                yield from self._receive(sent)

    def finish(self, is_complete: bool) -> None:
        """Remove what is left of a complete map; of any other cancel jobs, and keep outcomes."""
        is_cancelled = not self.sent
        with suppress(BenchError):  # not in place of what ended the map; the next one cancels
            if self.sent:
                self.backend.cancel(list(self.sent))
                is_cancelled = True
        if is_complete:  # earlier versions of this map included
            for folder in self.engine.folder.glob(f"{self.name}-*"):
                shutil.rmtree(folder, ignore_errors=True)
        elif not self.is_kept and is_cancelled:
            shutil.rmtree(self.folder, ignore_errors=True)
        elif self.is_kept and self.folder.is_dir():
            self.notify(
                f"what the jobs had finished is kept in {self.folder}; the same command goes on"
            )

    def _fill(self) -> Iterator[Outcome[Any, Any]]:
        """Submit chunks while there is room; yield the outcomes that an earlier driver left."""
        chunks: list[list[_Held]] = []
        while len(self.sent) + len(chunks) < self.layout.n_submitted:
            if self.again:
                chunks.append(self.again.popleft())
                continue
            chunk: list[_Held] = []
            while (
                len(chunk) < self.size and (item := next(self.items, _EXHAUSTED)) is not _EXHAUSTED
            ):
                answer = self._find_earlier(item)
                if answer is None:
                    chunk.append(_Held(item))
                else:
                    yield to_outcome(item, answer)
            if not chunk:
                break
            chunks.append(chunk)
        if chunks:
            self._submit(chunks)

    def _submit(self, chunks: list[list[_Held]]) -> None:
        jobs = []
        for chunk in chunks:
            self.n_chunks += 1
            jobs.append(self.folder / f"{self.n_chunks:06d}.job")
            items = [held.item for held in chunk]
            write_chunk(jobs[-1], self.factory, items, self.layout)
        names = self.backend.submit(jobs, self.layout.settings)
        for name, job, chunk in zip(names, jobs, chunks, strict=True):
            self.sent[name] = _Sent(name, job, chunk)
        # For a driver that comes after this one.
        with (self.folder / "submitted").open("a", encoding="utf-8") as file:
            file.writelines(f"{name}\n" for name in names)

    def _find_earlier(self, item: Any) -> Mapping[str, Any] | None:
        if self.earlier is None:
            self.earlier = self._read_earlier()
        # Not hashed without need: the files that it names are asked for.
        return self.earlier.pop(item_key(item), None) if self.earlier else None

    def _read_earlier(self) -> dict[str, Mapping[str, Any]]:
        """Return the values that an earlier driver did not live to take, by the key of their item.

        Its failures are not taken: the user who starts again wants them to be tried again.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Those of other code or weights, too: they would write to the same files as ours.
        for submitted in self.engine.folder.glob("*/submitted"):
            self.backend.cancel(submitted.read_text(encoding="utf-8").split())
            submitted.unlink()
        found = {}
        for job in sorted(self.folder.glob("*.job")):
            self.n_chunks = max(self.n_chunks, int(job.stem))
            for answer in read_progress(job).answers.values():
                if "key" in answer:
                    found[answer["key"]] = answer
        return found

    def _wait(self) -> list[_Sent]:
        """Wait until chunks are complete or lost, and return them."""
        while True:
            # In this order: what has ended before is complete by now, unless it is late.
            for name, loss in self.backend.ended():
                if name in self.sent:
                    self.sent[name].ended_s, self.sent[name].loss = time.monotonic(), loss
            # A listing, since NFS remembers for a while that a single file is not there.
            present = {path.name for path in self.folder.iterdir()}
            now_s = time.monotonic()
            news = [
                sent
                for sent in self.sent.values()
                if complete_path(sent.job).name in present
                or sent.loss is not None
                or (sent.ended_s is not None and now_s - sent.ended_s > LATE_S)
            ]
            if news:
                self.news_s = now_s
                return news
            if now_s - self.news_s > QUIET_S:
                self.news_s = now_s
                n_items = sum(len(sent.items) for sent in self.sent.values())
                self.notify(f"items on their way: {n_items}; waiting for {self.backend.waiting()}")
            time.sleep(POLL_S)

    def _receive(self, sent: _Sent) -> Iterator[Outcome[Any, Any]]:
        """Yield the outcomes of a chunk, and have those that are missing tried again."""
        progress = read_progress(sent.job)
        del self.sent[sent.name]
        self.n_answered += len(progress.answers)
        for position, held in enumerate(sent.items):
            if position in progress.answers:
                yield to_outcome(held.item, progress.answers[position])
        if len(progress.answers) < len(sent.items):
            yield from self._lose(sent, progress)

    def _lose(self, sent: _Sent, progress: Progress) -> Iterator[Outcome[Any, Any]]:
        """Send again what a lost job did not answer, or yield it as a failure.

        Raises:
            BenchError: it is no fault of the items: no job can be built, or begins its work.
        """
        loss = progress.refused or sent.loss or "it ended without a complete outcome file"
        self.engine.n_lost += 1
        if progress.refused and not self.n_answered:  # nor will it be built elsewhere
            raise BenchError(progress.refused)
        held_ones: list[_Held] = []
        untouched: list[_Held] = []
        for position, held in enumerate(sent.items):
            if position in progress.answers:
                continue
            is_held = position in progress.taken
            (held_ones if is_held else untouched).append(held)
            # A job that had answered some was too long, or unlucky: the rest has no part in that.
            held.tries += is_held or not progress.answers
        spent = [held for held in (*held_ones, *untouched) if held.tries >= MAX_TRIES]
        if spent and (untouched or not self.n_answered):
            raise BenchError(
                f"{MAX_TRIES} jobs in a row were lost before they had answered anything, the last "
                f"one {sent.name}: {loss}"
            )
        open_ones = [held for held in held_ones if held.tries < MAX_TRIES]
        self.again.extend([held] for held in open_ones)
        if untouched:
            self.again.append(untouched)
        n_again = len(open_ones) + len(untouched)
        self.notify(f"job {sent.name} was lost ({loss}); {n_again} of its items are tried again")
        for held in spent:
            message = f"{held.tries} jobs were lost on this item, the last one {sent.name}: {loss}"
            yield Outcome(held.item, failure=Failure(message))


def _name_of(factory: Any) -> str:
    """Return the name of the function that builds the work, as a part of a file name."""
    while isinstance(factory, partial):
        is_wrapped = factory.func is open_one_by_one
        factory = factory.args[0] if is_wrapped else factory.func
    name = getattr(factory, "__name__", type(factory).__name__)
    return "".join(each for each in name.strip("_") if each.isalnum() or each == "_") or "map"
