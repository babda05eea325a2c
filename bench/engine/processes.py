"""The engine that works in local processes: which worker is given which item, and what if it dies.

A worker and the one protocol that it speaks are in ``bench.engine.worker``.

What is guaranteed:

- A worker that dies, or that has not answered within the time limit, is killed with everything that
  it has started, and is replaced. If it held one item, that item is the failure. If it held
  several, each of them is tried again alone, in a round of its own: only the guilty ones fail. If
  it held none, its next item is given to another worker.
- Items are pulled from their iterator when a worker has room for them. The iterator may block, for
  instance on the outcomes of another engine: no limit counts meanwhile.
- No process outlives the parent: a thread of each worker waits on its pipe, and when the parent is
  gone, however it went, it kills the worker's process group.
- Workers may have children, such as the loaders of a system: they are no daemons.
- Ctrl-C reaches the parent alone, since every worker leads a process group of its own.

Why no library: `concurrent.futures` loses all queued items when one worker dies, and has no time
limits. `pebble.ProcessPool` 5.2 has limits and knows which item a dead worker held, but

- it calls a function per item: work that looks ahead would need a second protocol beside it;
- its workers share one pipe under one lock: a worker that is killed while it holds the lock stops
  the others until the lock times out (60 s), one that is killed while it writes leaves half a
  message to all of them;
- its `map` pulls all items at once;
- a factory that raises is a broken pool, without the reason;
- it does not kill what a worker has started.

The time per item is no reason for either: `benchmarks/engine_speed.py` measures all of them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.reduction import ForkingPickler
from types import TracebackType
from typing import Any, TypeVar

from bench.engine.inline import DEFAULT
from bench.engine.outcome import Failure, Outcome, Work, open_one_by_one
from bench.engine.settings import WorkerSettings
from bench.engine.worker import Job, Worker, dismiss
from bench.errors import BenchError

Item = TypeVar("Item")
Value = TypeVar("Value")

#: How often it is checked that workers are alive. A pipe alone does not show every death: a child
#: of the worker may hold its end open.
CHECK_S = 0.5

_EXHAUSTED = object()


class LocalEngine:
    """Handle items in up to ``workers`` processes on this machine.

    In a ``with`` statement the processes serve one map after another until its end; otherwise each
    map starts its own.
    """

    is_remote = False

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._is_open = False
        self._idle: list[Worker] = []

    def __enter__(self) -> LocalEngine:
        self._is_open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_open = False
        idle, self._idle = self._idle, []
        if kind is None:
            dismiss(idle)
        for worker in idle:
            worker.kill()

    def map(
        self,
        factory: Callable[..., Callable[[Item], Value]],
        items: Iterable[Item],
        settings: WorkerSettings = DEFAULT,
    ) -> Iterator[Outcome[Item, Value]]:
        """Yield one outcome per item, in the order in which they finish.

        Raises:
            BenchError: a worker could not be built (the model does not load, say).
        """
        return self.stream(partial(open_one_by_one, factory), items, settings)

    def stream(
        self,
        factory: Callable[..., Work[Item, Value]],
        items: Iterable[Item],
        settings: WorkerSettings = DEFAULT,
    ) -> Iterator[Outcome[Item, Value]]:
        """Yield one outcome per item, for work that is given an iterator of items.

        Outcomes of one worker come in the order of its items, those of several as they finish.

        Raises:
            BenchError: a worker could not be built.
        """
        return self._outcomes(_Pool(factory, items, settings, self.workers, self._idle))

    def _outcomes(self, pool: _Pool) -> Iterator[Outcome[Any, Any]]:
        try:
            yield from pool.outcomes()
            workers = pool.release()
            if self._is_open:
                self._idle += workers
                return
            dismiss(workers)
            for worker in workers:
                worker.kill()
        finally:  # a map that is left early, or that raised
            for worker in pool.release():
                worker.kill()


class _Pool:
    """The workers of one map, and what each of them is given next."""

    def __init__(
        self,
        factory: Callable[..., Any],
        items: Iterable[Any],
        settings: WorkerSettings,
        n_workers: int,
        idle: list[Worker],
    ) -> None:
        # As bytes: a factory that a worker cannot import is then refused with the reason.
        self.factory = bytes(ForkingPickler.dumps(factory))
        self.settings, self.idle = settings, idle
        self.items = iter(items)
        self.suspects: deque[Any] = deque()  # one of them has killed a worker
        self.workers: list[Worker | None] = [None] * n_workers
        self.is_exhausted = False
        self.next_check_s = 0.0

    def outcomes(self) -> Iterator[Outcome[Any, Any]]:
        self._fill()
        while any(worker and worker.held for worker in self.workers):
            for slot, worker, has_message in self._wait():
                outcome = self._receive(slot, worker, has_message)
                while self._give_next(slot):
                    pass
                if self.is_exhausted or self.suspects:
                    self._fill()  # others may hold a part of a batch, or be idle
                if outcome is not None:
                    yield outcome

    def release(self) -> list[Worker]:
        """Return the workers, which are no longer this map's."""
        workers = [worker for worker in self.workers if worker is not None]
        self.workers = [None] * len(self.workers)
        return workers

    def _fill(self) -> None:
        """Give each worker that has room one item in turn, until none has room or none is left."""
        while any([self._give_next(slot) for slot in range(len(self.workers))]):
            pass

    def _give_next(self, slot: int) -> bool:
        worker = self.workers[slot]
        n_held = len(worker.held) if worker else 0
        if worker and n_held and (worker.is_alone or n_held >= self.settings.n_ahead):
            return False
        is_alone = bool(self.suspects) and n_held == 0
        item = self.suspects.popleft() if is_alone else self._pull()
        if item is _EXHAUSTED:
            self.is_exhausted = True
            if worker and n_held:  # it may be waiting for the rest of a batch
                worker.end_round()
            return False
        if worker and not n_held and not worker.process.is_alive():
            worker.kill()  # it died while it held nothing: that is not the fault of this item
            worker = None
        if worker is None:
            # Not before there is an item for it: starting a worker may load a model.
            worker = self.workers[slot] = self._start_worker(slot)
        worker.give(item)
        worker.is_alone = is_alone
        if is_alone:  # nothing joins it, so that whatever happens now is the fault of this item
            worker.end_round()
        return True

    def _pull(self) -> Any:
        """Return the next item; while the iterator blocks no worker's time counts."""
        started_s = time.monotonic()
        item = next(self.items, _EXHAUSTED)
        blocked_s = time.monotonic() - started_s
        for worker in self.workers:
            if worker is not None:
                worker.since_s += blocked_s
        return item

    def _start_worker(self, slot: int) -> Worker:
        """Give the job to a worker of an earlier map, or to a new one."""
        job = Job(self.factory, self.settings, slot)
        while self.idle:
            worker = self.idle.pop()
            # The threads of libraries are set for good when they are loaded.
            if worker.process.is_alive() and worker.settings.threads == self.settings.threads:
                worker.begin(job)
                return worker
            worker.kill()
        return Worker(job)

    def _wait(self) -> list[tuple[int, Worker, bool]]:
        """Wait for news; return the workers that have some, their slots, and if it is a message.

        The others have died, or are overdue.
        """
        busy = [
            (slot, worker) for slot, worker in enumerate(self.workers) if worker and worker.held
        ]
        next_s = min([worker.deadline_s() for _, worker in busy])
        timeout_s = max(0.0, min(CHECK_S, next_s - time.monotonic()))
        ready = wait([worker.pipe for _, worker in busy], timeout_s)
        now_s = time.monotonic()
        is_check = now_s >= self.next_check_s
        if is_check:
            self.next_check_s = now_s + CHECK_S
        news = []
        for slot, worker in busy:
            if worker.pipe in ready:
                news.append((slot, worker, True))
            elif now_s >= worker.deadline_s() or (is_check and not worker.process.is_alive()):
                news.append((slot, worker, False))
        return news

    def _receive(self, slot: int, worker: Worker, has_message: bool) -> Outcome[Any, Any] | None:
        """Read one message of a worker, or replace it; return the outcome of an item, if any.

        An overdue or dead worker may have answered in the last moment, and that counts.
        """
        try:
            if not has_message and not worker.pipe.poll():
                if not worker.process.is_alive():
                    return self._lose(slot, worker, worker.cause_of_death())
                option = self.settings.timeout_option
                cause = f"was killed after {worker.limit_s():g} s without a result"
                return self._lose(
                    slot, worker, cause, f"; {option} sets the limit" if option else ""
                )
            kind, content = worker.pipe.recv()
        except (EOFError, OSError):  # OSError: it died in the middle of a message
            return self._lose(slot, worker, worker.cause_of_death())
        worker.since_s = time.monotonic()  # the limit is for the time between two messages
        if kind == "ready":
            worker.is_ready = True
            return None
        if kind == "refused":
            raise content.as_error()
        if kind == "broken":
            cause = "was stopped, since its work failed"
            return self._lose(slot, worker, cause, f": {content.message}", content.traceback)
        worker.has_answered = True
        return Outcome(worker.held.popleft(), *content)

    def _lose(
        self, slot: int, worker: Worker, cause: str, hint: str = "", traceback: str = ""
    ) -> Outcome[Any, Any] | None:
        """Remove a worker: a single item that it held has failed, of several each is suspect."""
        self.workers[slot] = None
        worker.kill()
        if not worker.is_ready and worker.n_jobs == 1:
            raise BenchError(f"a worker process {cause} while it was being set up")
        # That of an earlier map may have died of that, or unseen while it was idle: its items, too,
        # are tried again.
        if len(worker.held) > 1 or not worker.is_ready:
            self.suspects.extend(worker.held)
            return None
        failure = Failure(f"the worker process {cause} on this item{hint}", traceback)
        return Outcome(worker.held.popleft(), failure=failure, seconds=0.0)
