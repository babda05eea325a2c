"""What became of one item, and the only place where any error may be caught."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from bench.errors import BenchError

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Failure:
    """Why an item has no value: a sentence, and a traceback where it was no refusal of ours."""

    message: str
    traceback: str = ""

    def as_refusal(self) -> BenchError:
        """The failure as an error that ends everything: a worker that cannot be built."""
        return BenchError(self.message + (f"\n{self.traceback}" if self.traceback else ""))


@dataclass(frozen=True)
class Outcome(Generic[Item, Value]):
    """One item with its value, or with the failure that took its place."""

    item: Item
    value: Value | None = None
    failure: Failure | None = None


def attempt(work: Callable[[Item], Value], item: Item) -> Outcome[Item, Value]:
    """Handle one item; what it raises becomes its failure, so that one clip never ends a run."""
    try:
        return Outcome(item, value=work(item))
    except BenchError as error:
        return Outcome(item, failure=Failure(str(error)))
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        return Outcome(item, failure=Failure(message, traceback.format_exc()))


def build(factory: Callable[[], Value]) -> Outcome[Callable[[], Value], Value]:
    """Build a worker's costly state, or say why it cannot be built."""
    return attempt(lambda make: make(), factory)
