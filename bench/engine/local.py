"""The engine of local worker processes, which outlives any of them.

Each worker has its own pipe and holds one item at a time, so that when it dies (a decoder crashes,
the system runs out of memory) the item it held is known: it is reported as failed, and a new worker
takes the dead one's place. A worker whose parent is gone sees the end of its pipe and leaves.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from bench.engine.outcome import Failure, Outcome, attempt, build
from bench.errors import BenchError

Item = TypeVar("Item")
Value = TypeVar("Value")
Factory = Callable[[], Callable[[Item], Value]]

# Spawned, not forked: numerical libraries and decoders hold threads that a fork would cut off.
PROCESSES = mp.get_context("spawn")


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    item: Any = None
    is_busy: bool = False
    is_ready: bool = False

    def give(self, item: Any) -> None:
        self.item, self.is_busy = item, True
        with suppress(BrokenPipeError, ConnectionResetError):  # it died idle: its pipe will say so
            self.pipe.send(item)

    def take(self) -> None:
        self.item, self.is_busy = None, False

    def stop(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.join()


class LocalEngine:
    """Handle items in ``workers`` processes on this machine, one item at a time in each."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(
        self, factory: Factory[Item, Value], items: Iterable[Item]
    ) -> Iterator[Outcome[Item, Value]]:
        """Yield one outcome per item, in the order in which they finish.

        Raises:
            BenchError: a worker could not be built (the model does not load, say).
        """
        queue = list(items)[::-1]
        crew = [_hire(factory) for _ in range(min(self.workers, len(queue)))]
        try:
            _give_next(crew, queue)
            while any(worker.is_busy for worker in crew):
                for worker in _those_with_news(crew):
                    outcome = _hear(worker)
                    if outcome is None:
                        continue
                    if not worker.process.is_alive():
                        crew[crew.index(worker)] = _hire(factory)
                    _give_next(crew, queue)
                    yield outcome
        finally:
            for worker in crew:
                worker.stop()


def _hire(factory: Factory[Any, Any]) -> _Worker:
    here, there = PROCESSES.Pipe()
    process = PROCESSES.Process(target=_work, args=(factory, there), daemon=True)
    process.start()
    there.close()
    return _Worker(process, here)


def _give_next(crew: list[_Worker], queue: list[Any]) -> None:
    for worker in crew:
        if queue and not worker.is_busy:
            worker.give(queue.pop())


def _those_with_news(crew: list[_Worker]) -> list[_Worker]:
    pipes = {worker.pipe: worker for worker in crew if worker.is_busy}
    return [pipes[pipe] for pipe in wait(list(pipes)) if isinstance(pipe, Connection)]


def _hear(worker: _Worker) -> Outcome[Any, Any] | None:
    """What a worker says of its item; None where it only says that it is ready."""
    try:
        news = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        return _bury(worker)
    if news == "ready":
        worker.is_ready = True
        return None
    if isinstance(news, Failure):
        raise news.as_refusal()
    worker.take()
    outcome: Outcome[Any, Any] = news
    return outcome


def _bury(worker: _Worker) -> Outcome[Any, Any]:
    worker.process.join()
    how = cause_of_death(worker.process)
    if not worker.is_ready:
        raise BenchError(f"a worker process died ({how}) while it was being set up")
    item = worker.item
    worker.take()
    return Outcome(item, failure=Failure(f"the worker process died ({how}) on this item"))


def cause_of_death(process: BaseProcess) -> str:
    """The signal or the exit code by which a process ended."""
    code = process.exitcode
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"


def _work(factory: Factory[Any, Any], pipe: Connection) -> None:
    """Live as a worker: build, say so, then answer each item until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    from threadpoolctl import threadpool_limits

    # One thread each, since the workers share the cores: for libraries that are here, for those
    # that building loads, and for those that come later and ask the environment.
    os.environ["OMP_NUM_THREADS"] = "1"
    threadpool_limits(limits=1)
    built = build(factory)
    threadpool_limits(limits=1)
    if built.value is None:
        pipe.send(built.failure)
        return
    pipe.send("ready")
    while True:
        try:
            item = pipe.recv()
            pipe.send(attempt(built.value, item))
        except (EOFError, BrokenPipeError):
            return
