"""One seam for scale: map a costly worker over items, and get every outcome back.

    engine.map(factory, items) -> outcomes

``factory()`` builds the costly state once per worker (a model, a compiled kernel) and returns the
function that handles one item. Each item comes back exactly once, in any order, as an ``Outcome``:
a value or a failure. A worker that dies is replaced and its item is the failure. Two engines live
here (this process; local processes); a cluster engine fits behind the same protocol. Work that
looks ahead at the next items, such as networks that are given batches, has ``StreamEngine``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from bench.engine.inline import InlineEngine
from bench.engine.local import LocalEngine
from bench.engine.outcome import Failure, Outcome, attempt
from bench.engine.stream import StreamEngine

__all__ = [
    "Engine",
    "Failure",
    "InlineEngine",
    "LocalEngine",
    "Outcome",
    "StreamEngine",
    "attempt",
    "open_engine",
]

Item = TypeVar("Item")
Value = TypeVar("Value")


class Engine(Protocol):
    """Anything that can map a worker over items."""

    def map(
        self, factory: Callable[[], Callable[[Item], Value]], items: Iterable[Item]
    ) -> Iterator[Outcome[Item, Value]]:
        """Yield one outcome per item, in any order."""
        ...


def open_engine(workers: int) -> Engine:
    """Return the engine for this many worker processes; 0 works in this process."""
    return LocalEngine(workers) if workers > 0 else InlineEngine()
