"""The outcome of one item, and the only code here that may catch any error."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bench.errors import BenchError
from bench.extras import describe_missing_module

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Failure:
    """Why an item has no value: a sentence, and a traceback unless a ``BenchError`` refused it."""

    message: str
    traceback: str = ""

    def as_error(self) -> BenchError:
        """Return the failure as an error that ends the whole map, for a worker's set-up."""
        return BenchError(self.message + (f"\n{self.traceback}" if self.traceback else ""))


@dataclass(frozen=True)
class Outcome(Generic[Item, Value]):
    """One item with its value or its failure, and the seconds that a worker spent on it.

    Items that were computed together share the time of their batch equally.
    """

    item: Item
    value: Value | None = None
    failure: Failure | None = None
    seconds: float = 0.0


#: Turns an iterator of items into outcomes, one per item, in the order of the items.
Work = Callable[[Iterator[Item]], Iterator[Outcome[Item, Value]]]


def failure_of(error: Exception) -> Failure:
    """Describe an exception: a ``BenchError`` by its message, any other with its traceback.

    A missing package that an extra brings is a refusal too: its message names the command.
    """
    if isinstance(error, BenchError):
        return Failure(str(error))
    if isinstance(error, ModuleNotFoundError) and (
        sentence := describe_missing_module(error.name or "")
    ):
        return Failure(sentence)
    # As text: exceptions and frames of a worker cannot be pickled for the parent.
    trace = "".join(traceback.format_exception(error))
    return Failure(f"{type(error).__name__}: {error}", trace)


def attempt(work: Callable[[Item], Value], item: Item) -> Outcome[Item, Value]:
    """Handle one item. An exception becomes its failure, so that one clip never ends a run."""
    started = time.perf_counter()
    try:
        value = work(item)
    except Exception as error:
        return Outcome(item, None, failure_of(error), time.perf_counter() - started)
    return Outcome(item, value, None, time.perf_counter() - started)


def build(factory: Callable[..., Value], arguments: tuple[Any, ...] = ()) -> Value:
    """Build the state of a worker.

    Raises:
        BenchError: the factory failed; the message has the traceback of an unexpected error.
    """
    outcome = attempt(lambda make: make(*arguments), factory)
    if outcome.failure is not None:
        raise outcome.failure.as_error()
    assert outcome.value is not None  # noqa: S101 - an outcome has one or the other
    return outcome.value


def open_one_by_one(factory: Callable[..., Callable[[Item], Value]], *arguments: Any) -> Any:
    """Build a function of one item and return it as ``Work``, which handles one after another."""
    function = factory(*arguments)

    def work(items: Iterator[Item]) -> Iterator[Outcome[Item, Value]]:
        for item in items:
            yield attempt(function, item)

    return work
