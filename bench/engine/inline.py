"""The engine that works in this process: for debugging and for small jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from bench.engine.outcome import Outcome, attempt, build

Item = TypeVar("Item")
Value = TypeVar("Value")
Built = TypeVar("Built")


class InlineEngine:
    """Handle the items one after another, here."""

    def map(
        self, factory: Callable[[], Callable[[Item], Value]], items: Iterable[Item]
    ) -> Iterator[Outcome[Item, Value]]:
        """Yield one outcome per item, in order; nothing is built where there are no items.

        Raises:
            BenchError: the worker could not be built.
        """
        from threadpoolctl import threadpool_limits

        work = None
        for item in items:
            # One thread, as in a worker process: sums in another order have other last digits.
            with threadpool_limits(limits=1):
                work = work or built(factory)
            with threadpool_limits(limits=1):  # again, for libraries that building has loaded
                outcome = attempt(work, item)
            yield outcome


def built(factory: Callable[[], Built]) -> Built:
    """What the factory builds.

    Raises:
        BenchError: it could not be built.
    """
    outcome = build(factory)
    if outcome.failure is not None:
        raise outcome.failure.as_refusal()
    assert outcome.value is not None  # noqa: S101 - an outcome has one or the other
    return outcome.value
