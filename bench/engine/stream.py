"""The engine for work that looks ahead: it is given items before it has answered earlier ones.

``factory()`` builds the costly state once and returns ``work``, which turns an iterator of items
into one of outcomes, one per item and in the same order. So it may load the next items while it
computes, and compute several at once.

In a process of its own, ``ahead`` items are given and not yet answered at any time. When that
process dies, which of them it died of is not known: each is tried again, alone in a process, and
the one that kills it again is the failure. When its parent is gone, it leaves at once.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from bench.engine.inline import built
from bench.engine.local import PROCESSES, cause_of_death
from bench.engine.outcome import Failure, Outcome, build
from bench.errors import BenchError

READY, END = "ready", "end"

Item = TypeVar("Item")
Value = TypeVar("Value")
Work = Callable[[Iterator[Item]], Iterator[Outcome[Item, Value]]]
Factory = Callable[[], Work[Item, Value]]


@dataclass(frozen=True)
class StreamEngine:
    """Handle items in one stream; ``work`` must not ask for more than ``ahead`` before it answers.

    ``is_apart`` gives it a process of its own; otherwise it runs in this one.
    """

    ahead: int
    is_apart: bool = True

    def map(
        self, factory: Factory[Item, Value], items: Iterable[Item]
    ) -> Iterator[Outcome[Item, Value]]:
        """Yield one outcome per item, in order; nothing is built where there are no items.

        Items that had to be tried again come when they are settled, before those after them.

        Raises:
            BenchError: the work could not be set up.
        """
        queue = deque(items)
        if not self.is_apart:
            yield from _here(factory, queue)
            return
        while queue:
            suspects, _ = yield from _apart(factory, queue, self.ahead)
            for suspect in suspects:
                killed, cause = yield from _apart(factory, deque([suspect]), 1)
                for item in killed:
                    failure = Failure(f"the worker process died ({cause}) on this item")
                    yield Outcome(item, failure=failure)


def _here(factory: Factory[Item, Value], queue: deque[Item]) -> Iterator[Outcome[Item, Value]]:
    from threadpoolctl import threadpool_limits

    if queue:
        # As in a process of its own: sums in another order have other last digits.
        with threadpool_limits(limits=1, user_api="blas"):
            yield from built(factory)(iter(queue))


def _apart(
    factory: Factory[Item, Value], queue: deque[Item], ahead: int
) -> Generator[Outcome[Item, Value], None, tuple[deque[Item], str]]:
    """Serve the queue from a process; return what it held when it died, and what it died of."""
    held: deque[Item] = deque()
    pipe, its_pipe = PROCESSES.Pipe()
    process = PROCESSES.Process(target=_live, args=(factory, its_pipe), daemon=True)
    process.start()
    its_pipe.close()
    is_ready = False
    try:
        while queue or held:
            _give(pipe, queue, held, ahead)
            news = pipe.recv()
            if news == READY:
                is_ready = True
            elif isinstance(news, Failure):
                raise news.as_refusal()
            else:
                held.popleft()
                yield news
        return held, ""
    except (EOFError, ConnectionResetError):
        process.join()
        cause = cause_of_death(process)
        if not is_ready:
            raise BenchError(f"a worker process died ({cause}) while it was being set up") from None
        return held, cause
    finally:
        pipe.close()
        process.terminate()
        process.join()


def _give(pipe: Connection, queue: deque[Item], held: deque[Item], ahead: int) -> None:
    """Fill up what the process holds; tell it where there is no more to come."""
    while queue and len(held) < ahead:
        held.append(queue.popleft())
        with suppress(BrokenPipeError, ConnectionResetError):  # the next answer says that it died
            pipe.send((held[-1],))
            if not queue:
                pipe.send(END)


def _live(factory: Factory[Any, Any], pipe: Connection) -> None:
    """Live as the process: build, say so, then answer until there is no more to come."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1, user_api="blas")  # networks share the cores, what is loaded has one
    work = build(factory)
    if work.value is None:
        pipe.send(work.failure)
        return
    inbox: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_receive, args=(pipe, inbox), daemon=True).start()
    pipe.send(READY)
    with suppress(BrokenPipeError, ConnectionResetError):
        for outcome in work.value(_items(inbox)):
            pipe.send(outcome)


def _receive(pipe: Connection, inbox: SimpleQueue[Any]) -> None:
    """Take everything from the pipe at once, so that neither end waits for the other to read."""
    while True:
        try:
            inbox.put(pipe.recv())
        except (EOFError, OSError):
            os._exit(1)  # the parent is gone, and nobody wants what is being computed


def _items(inbox: SimpleQueue[Any]) -> Iterator[Any]:
    while (news := inbox.get()) != END:
        yield news[0]
