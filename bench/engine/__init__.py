"""One seam for scale: map a costly worker over items, and get every outcome back.

    engine.map(factory, items, settings) -> outcomes
    engine.stream(factory, items, settings) -> outcomes

``factory()`` builds the costly state once per worker (a model, a compiled kernel). For ``map`` it
returns the function that handles one item. For ``stream`` it returns ``Work``, which is given an
iterator of items and yields their outcomes: it may load the next items while it computes, and
compute several at once. Each item comes back exactly once, in any order, as an ``Outcome``: a value
or a failure. A worker that dies or exceeds the time limit is replaced, and its item is the failure.
There are engines in this process, in local processes, and on the machines of a cluster by chunks of
items (``bench.engine.chunked``); ``bench.engine.choice`` opens the one that a user names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Protocol, TypeVar

from bench.engine.inline import DEFAULT, InlineEngine
from bench.engine.outcome import Failure, Outcome, Work, attempt, failure_of
from bench.engine.processes import LocalEngine
from bench.engine.settings import WorkerSettings, core_count, keep_freed_memory

__all__ = [
    "Engine",
    "Failure",
    "InlineEngine",
    "LocalEngine",
    "Outcome",
    "Work",
    "WorkerSettings",
    "attempt",
    "core_count",
    "failure_of",
    "keep_freed_memory",
    "open_engine",
]

Item = TypeVar("Item")
Value = TypeVar("Value")


class Engine(Protocol):
    """Anything that can map a worker over items; as a context, its workers serve several maps."""

    @property
    def workers(self) -> int:
        """How many worker processes there are; 0 in this process."""
        ...

    @property
    def is_remote(self) -> bool:
        """Whether workers may be on other machines, where this one's processes cannot help them."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def map(
        self,
        factory: Callable[..., Callable[[Item], Value]],
        items: Iterable[Item],
        settings: WorkerSettings = DEFAULT,
    ) -> Iterator[Outcome[Item, Value]]:
        """Yield one outcome per item, in any order, for a function of one item."""
        ...

    def stream(
        self,
        factory: Callable[..., Work[Item, Value]],
        items: Iterable[Item],
        settings: WorkerSettings = DEFAULT,
    ) -> Iterator[Outcome[Item, Value]]:
        """Yield one outcome per item, in any order, for work on an iterator of items."""
        ...


def open_engine(workers: int) -> Engine:
    """Return the engine for this many worker processes; 0 works in this process."""
    return LocalEngine(workers) if workers > 0 else InlineEngine()
