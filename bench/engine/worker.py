"""The side of a worker process: it builds its work, then answers the items that it is given.

The protocol is in ``bench.engine.processes``, which starts these processes.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from queue import SimpleQueue
from threading import Thread
from typing import Any

from bench.engine.outcome import Failure, Outcome, Work, attempt, failure_of
from bench.engine.settings import WorkerSettings, keep_freed_memory, set_threads

#: What the parent sends beside items: the end of a round, and the end of the worker.
END, STOP = "end", "stop"


def run_worker(
    factory: Callable[..., Work[Any, Any]], settings: WorkerSettings, slot: int, pipe: Connection
) -> None:
    """Build the work, report that, then answer round after round: the target of the process."""
    os.setpgrp()  # so that one signal ends the worker with all that it starts, and Ctrl-C does not
    receive = _begin_to_receive(pipe, settings.n_ahead)
    keep_freed_memory()
    set_threads(settings.threads)
    built = attempt(lambda make: make(*settings.arguments(slot)), factory)
    set_threads(settings.threads)  # again, for libraries that building has loaded
    if built.value is None:
        pipe.send(("refused", built.failure))
        return
    pipe.send(("ready", None))
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        message = receive()
        while message != STOP:
            message = _answer_round(built.value, message, receive, pipe)


def _begin_to_receive(pipe: Connection, n_ahead: int) -> Callable[[], Any]:
    """Return a function that waits for the next message; watch for the end of the parent."""
    inbox: SimpleQueue[Any] = SimpleQueue()

    def watch() -> None:
        poll = select.poll()
        poll.register(pipe, 0)  # not for messages, only for the hang-up that is always reported
        poll.poll()
        _leave()

    def receive_all() -> None:
        with suppress(EOFError, OSError):
            while True:
                inbox.put(pipe.recv())
        _leave()

    # With several items on their way a thread takes every message from the pipe at once: parent and
    # worker could else both wait until the other reads. For a single item that would cost 50 us.
    Thread(target=watch if n_ahead == 1 else receive_all, daemon=True).start()
    return pipe.recv if n_ahead == 1 else inbox.get


def _leave() -> None:
    """End this process and all that it has started, whatever it is doing."""
    os.killpg(0, signal.SIGKILL)


def _answer_round(
    work: Work[Any, Any], message: Any, receive: Callable[[], Any], pipe: Connection
) -> Any:
    """Answer the items up to END or STOP, the first of them ``message``; return what comes next."""
    n_open = 0

    def items() -> Iterator[Any]:
        nonlocal message, n_open
        while message not in (END, STOP):
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
