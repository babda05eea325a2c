"""The side of a worker process: it builds the work of a job, then answers the items it is given.

The protocol is in ``bench.engine.processes``, which starts these processes.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

from bench.engine.outcome import Failure, Outcome, Work, attempt, failure_of
from bench.engine.settings import WorkerSettings, set_threads

#: What the parent sends beside items: the end of a round, and the end of the worker.
END, STOP = "end", "stop"


class Job(NamedTuple):
    """What a worker builds: a pickled factory, and its settings and position among the workers."""

    factory: bytes
    settings: WorkerSettings
    slot: int


def run_worker(pipe: Connection) -> None:
    """Do one job after another: the target of the process."""
    os.setpgrp()  # so that one signal ends the worker with all that it starts, and Ctrl-C does not
    inbox = _Inbox(pipe)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        message = inbox.receive()
        while message != STOP:
            message = _do_job(message, inbox, pipe)


def _do_job(job: Job, inbox: _Inbox, pipe: Connection) -> Any:
    """Build the work, report that, then answer round after round; return what comes next."""
    inbox.prepare_for(job.settings.n_ahead)
    set_threads(job.settings.threads)
    built = attempt(_build, job)
    set_threads(job.settings.threads)  # again, for libraries that building has loaded
    if built.value is None:
        pipe.send(("refused", built.failure))
        return STOP
    pipe.send(("ready", None))
    message = inbox.receive()
    while _is_item(message):
        message = _answer_round(built.value, message, inbox.receive, pipe)
    return message


def _build(job: Job) -> Any:
    factory = pickle.loads(job.factory)  # noqa: S301 - it comes from the parent
    return factory(*job.settings.arguments(job.slot))


class _Inbox:
    """What the parent sends. When the parent is gone, this process ends, whatever it is doing."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.queue: SimpleQueue[bytes] | None = None
        Thread(target=self._watch, daemon=True).start()

    def prepare_for(self, n_ahead: int) -> None:
        # With several items on their way a thread takes every message from the pipe at once: parent
        # and worker could else both wait until the other reads. For one item that costs 50 us.
        if n_ahead > 1 and self.queue is None:
            self.queue = SimpleQueue()
            Thread(target=self._receive_all, args=(self.queue,), daemon=True).start()

    def receive(self) -> Any:
        # Unpickled here: two threads that import one package at once find a part of it only.
        pickled = self.pipe.recv_bytes() if self.queue is None else self.queue.get()
        return pickle.loads(pickled)  # noqa: S301 - it comes from the parent

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self.pipe, 0)  # not for messages, only for the hang-up, always reported
        poll.poll()
        _leave()

    def _receive_all(self, queue: SimpleQueue[bytes]) -> None:
        with suppress(EOFError, OSError):
            while True:
                queue.put(self.pipe.recv_bytes())
        _leave()


def _leave() -> None:
    """End this process and all that it has started, whatever it is doing."""
    os.killpg(0, signal.SIGKILL)


def _is_item(message: Any) -> bool:
    return type(message) is tuple  # a job is of a class of its own


def _answer_round(
    work: Work[Any, Any], message: Any, receive: Callable[[], Any], pipe: Connection
) -> Any:
    """Answer the items of a round, the first of them ``message``; return what comes next."""
    n_open = 0

    def items() -> Iterator[Any]:
        nonlocal message, n_open
        while _is_item(message):
            item, message = message[0], None
            n_open += 1
            yield item
            message = receive()

    try:
        for outcome in work(items()):
            n_open -= 1
            _send_answer(pipe, outcome)
        if n_open:
            raise RuntimeError(f"the work left {n_open} items without an outcome")
    except Exception as error:
        pipe.send(("broken", failure_of(error)))
    while message in (None, END):  # None: the work ended before its iterator, and starts again
        message = receive()
    return message


def _send_answer(pipe: Connection, outcome: Outcome[Any, Any]) -> None:
    # Without the item, which the parent has: that halves what is pickled.
    try:
        answer = "answer", (outcome.value, outcome.failure, outcome.seconds)
        pickled = ForkingPickler.dumps(answer)
    except Exception as error:  # pickling runs code of the value, which may raise anything
        failure = Failure(f"the result cannot be sent to the parent process: {error}")
        pickled = ForkingPickler.dumps(("answer", (None, failure, outcome.seconds)))
    pipe.send_bytes(pickled)
