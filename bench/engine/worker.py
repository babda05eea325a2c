"""One worker process: the protocol, the parent's side of it and the side of the process.

A worker is given a job: a factory, whose state it builds once. It then answers items in the order
in which it was given them. It may hold several: work that looks ahead loads the next items while it
computes, and answers batches. When all are answered it may be given another job, since starting a
process and importing libraries takes seconds.

    parent -> worker    Job                    build this instead of what was built before
                        (item,) ...  END       END closes a round: no item comes before all
                                               that it holds are answered
                        STOP                   leave
    worker -> parent    ("ready", None)        or ("refused", Failure): it cannot be built
                        ("answer", (value, failure, seconds)) ...
                        ("broken", Failure)    the work itself raised instead of answering
"""

from __future__ import annotations

import atexit
import math
import multiprocessing as mp
import multiprocessing.util  # noqa: F401 - registers its exit function, which ours must precede
import os
import pickle
import select
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

import psutil

from bench.engine.outcome import Failure, Outcome, Work, attempt, failure_of
from bench.engine.settings import WorkerSettings, keep_freed_memory, set_threads

#: What the parent sends beside items: the end of a round, and the end of the worker.
END, STOP = "end", "stop"

# Spawned, not forked: numerical libraries and decoders hold threads that a fork would cut off.
PROCESSES = mp.get_context("spawn")

#: Loading gigabytes of weights from a slow disk takes minutes.
SETUP_LIMIT_S = 1_800.0
#: A worker that was asked to leave may clean up for so long.
GRACE_S = 5.0
KILL_WAIT_S = 10.0


class Job(NamedTuple):
    """What a worker builds: a pickled factory, and its settings and position among the workers."""

    factory: bytes
    settings: WorkerSettings
    slot: int


class Worker:
    """The parent's side of one worker: its process, its pipe and the items that it holds."""

    def __init__(self, job: Job) -> None:
        self.pipe, its_pipe = PROCESSES.Pipe()
        self.process = PROCESSES.Process(target=run_worker, args=(its_pipe,))
        self.process.start()
        # The worker has a copy. With this one open, its death would not end the pipe.
        its_pipe.close()
        self.held: deque[Any] = deque()
        self.is_alone = False  # it holds a single item that is tried again
        self.n_jobs = 0
        _RUNNING.add(self)
        self.begin(job)

    def begin(self, job: Job) -> None:
        """Give it a job: it builds that, and is ready for items."""
        self.settings = job.settings
        self.n_jobs += 1
        self.is_ready = False
        self.has_answered = False
        self.has_round = False  # it was given items, and no END since
        self.since_s = time.monotonic()
        self.send(job)

    def give(self, item: Any) -> None:
        """Send an item, whose time begins now if the worker was idle."""
        if not self.held and self.is_ready:
            self.since_s = time.monotonic()
        self.held.append(item)
        self.has_round = True
        self.send((item,))

    def end_round(self) -> None:
        """Let it answer all that it holds without waiting for more."""
        if self.has_round:
            self.has_round = False
            self.send(END)

    def send(self, message: Any) -> None:
        """Send a message; a worker that is gone gets none."""
        with suppress(BrokenPipeError, ConnectionResetError):  # its death is noticed by itself
            self.pipe.send(message)

    def limit_s(self) -> float:
        """Return how long it may take until its next message."""
        if not self.is_ready:
            return SETUP_LIMIT_S
        if self.settings.timeout_s is None:
            return math.inf
        # Its next answer may be that of a full batch, and items ahead of a batch wait behind it.
        n_items = max(1, min(len(self.held), self.settings.batch_size))
        least_s = 0.0 if self.has_answered else self.settings.first_timeout_s
        return max(self.settings.timeout_s * n_items, least_s)

    def deadline_s(self) -> float:
        """Return when its next message is overdue."""
        return self.since_s + self.limit_s()

    def cause_of_death(self) -> str:
        """Return the signal or the exit code by which the process ended."""
        self.process.join(KILL_WAIT_S)
        code = self.process.exitcode
        how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        return f"died ({how})"

    def kill(self) -> None:
        """Kill the process and everything that it has started."""
        children: list[psutil.Process] = []
        if self.process.is_alive():
            with suppress(psutil.Error):  # those in sessions of their own are not in the group
                children = psutil.Process(self.process.pid).children(recursive=True)
        assert self.process.pid is not None  # noqa: S101 - it was started; 0 would mean this group
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()  # it may not have come as far as having a group
        for child in children:
            with suppress(psutil.Error):
                child.kill()
        self.pipe.close()
        self.process.join(KILL_WAIT_S)
        _RUNNING.discard(self)


#: Workers of this process. Python joins every child that is no daemon at its exit, and would wait
#: for ever for those of a map that nobody has closed.
_RUNNING: set[Worker] = set()


@atexit.register
def _kill_all() -> None:
    for worker in tuple(_RUNNING):
        worker.kill()


def dismiss(workers: list[Worker]) -> None:
    """Let idle workers leave by themselves, so that what they have opened is closed."""
    for worker in workers:
        worker.send(STOP)
    deadline_s = time.monotonic() + GRACE_S
    for worker in workers:
        worker.process.join(max(0.0, deadline_s - time.monotonic()))


# --- the side of the process


def run_worker(pipe: Connection) -> None:
    """Do one job after another: the target of the process."""
    os.setpgrp()  # so that one signal ends the worker with all that it starts, and Ctrl-C does not
    keep_freed_memory()
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
