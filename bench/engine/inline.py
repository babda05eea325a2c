"""The engine that works in this process: for debugging and for small jobs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TypeVar

from bench.engine.outcome import Outcome, Work, build, open_one_by_one
from bench.engine.settings import WorkerSettings, limited_threads

Item = TypeVar("Item")
Value = TypeVar("Value")

DEFAULT = WorkerSettings()


class InlineEngine:
    """Handle the items one after another in this process, which no time limit can interrupt."""

    workers = 0
    is_remote = False

    def __enter__(self) -> InlineEngine:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is kept between maps."""

    def map(
        self,
        factory: Callable[..., Callable[[Item], Value]],
        items: Iterable[Item],
        settings: WorkerSettings = DEFAULT,
    ) -> Iterator[Outcome[Item, Value]]:
        """Yield one outcome per item, in order; nothing is built where there are no items.

        Raises:
            BenchError: the worker could not be built.
        """
        return self.stream(partial(open_one_by_one, factory), items, settings)

    def stream(
        self,
        factory: Callable[..., Work[Item, Value]],
        items: Iterable[Item],
        settings: WorkerSettings = DEFAULT,
    ) -> Iterator[Outcome[Item, Value]]:
        """Yield one outcome per item, in order; nothing is built where there are no items.

        Raises:
            BenchError: the worker could not be built.
        """
        iterator = iter(items)
        work: Work[Item, Value] | None = None
        n_open = 0

        def taken(first: Item) -> Iterator[Item]:
            nonlocal n_open
            for item in itertools.chain([first], iterator):
                n_open += 1
                yield item

        for first in iterator:  # once, unless the work ends before its iterator
            with limited_threads(settings.threads):
                work = work or build(factory, settings.arguments(0))
            outcomes = work(taken(first))
            while True:
                # Limited again for every item: libraries may have been loaded since. The caller's
                # own code between two items keeps its threads.
                with limited_threads(settings.threads):
                    outcome = next(outcomes, None)
                if outcome is None:
                    break
                n_open -= 1
                yield outcome
            if n_open:
                raise RuntimeError(f"the work left {n_open} items without an outcome")
