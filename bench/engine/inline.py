"""The engine that works in this process: for debugging and for small jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from bench.engine.outcome import Outcome, attempt

Item = TypeVar("Item")
Value = TypeVar("Value")


class InlineEngine:
    """Handle the items one after another, here."""

    def map(
        self, factory: Callable[[], Callable[[Item], Value]], items: Iterable[Item]
    ) -> Iterator[Outcome[Item, Value]]:
        """Yield one outcome per item, in order; nothing is built where there are no items."""
        work = None
        for item in items:
            work = work or factory()
            yield attempt(work, item)
