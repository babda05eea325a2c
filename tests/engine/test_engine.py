"""One set of tests for every engine, and what only worker processes can go through."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bench.engine import Engine, InlineEngine, LocalEngine, open_engine
from bench.errors import BenchError

ENGINES = [InlineEngine(), LocalEngine(2)]


def square_unless_seven() -> Callable[[int], int]:
    def work(item: int) -> int:
        if item == 7:
            raise BenchError("seven is refused")
        if item == 8:
            raise ZeroDivisionError("eight is a mistake")
        return item * item

    return work


def built_once(log: Path) -> Callable[[int], int]:
    with log.open("a") as file:
        file.write("built\n")
    return abs


def dies_on(victim: int) -> Callable[[int], int]:
    def work(item: int) -> int:
        if item == victim:
            os._exit(3)
        time.sleep(0.01)
        return item

    return work


def refuses_to_build() -> Callable[[int], int]:
    raise BenchError("the weights are missing")


def dies_while_building() -> Callable[[int], int]:
    os._exit(4)


@pytest.mark.parametrize("engine", ENGINES, ids=["inline", "local"])
def test_every_item_comes_back_once_with_its_value_or_its_failure(engine: Engine) -> None:
    outcomes = {each.item: each for each in engine.map(square_unless_seven, range(12))}
    assert sorted(outcomes) == list(range(12))
    values = {item: each.value for item, each in outcomes.items() if each.failure is None}
    assert values == {item: item * item for item in range(12) if item not in (7, 8)}


@pytest.mark.parametrize("engine", ENGINES, ids=["inline", "local"])
def test_a_refusal_is_one_sentence_and_a_mistake_has_a_traceback(engine: Engine) -> None:
    failures = {each.item: each.failure for each in engine.map(square_unless_seven, [7, 8])}
    assert failures[7].message == "seven is refused"
    assert failures[7].traceback == ""
    assert failures[8].message == "ZeroDivisionError: eight is a mistake"
    assert "square_unless_seven" in failures[8].traceback or "work" in failures[8].traceback


@pytest.mark.parametrize(("engine", "most"), [(ENGINES[0], 1), (ENGINES[1], 2)])
def test_the_costly_state_is_built_once_per_worker(
    engine: Engine, most: int, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    assert len(list(engine.map(partial(built_once, log), range(9)))) == 9
    assert 1 <= log.read_text().count("built") <= most


@pytest.mark.parametrize("engine", ENGINES, ids=["inline", "local"])
def test_nothing_is_built_without_items(engine: Engine) -> None:
    assert list(engine.map(refuses_to_build, [])) == []


@pytest.mark.parametrize("engine", ENGINES, ids=["inline", "local"])
def test_a_worker_that_cannot_be_built_ends_the_map(engine: Engine) -> None:
    with pytest.raises(BenchError, match="the weights are missing"):
        list(engine.map(refuses_to_build, [1, 2]))


def test_a_worker_that_dies_fails_its_item_alone_and_is_replaced() -> None:
    outcomes = list(LocalEngine(2).map(partial(dies_on, 3), range(10)))
    failed = [each for each in outcomes if each.failure is not None]
    assert [each.item for each in failed] == [3]
    assert "exit code 3" in failed[0].failure.message
    assert sorted(each.value for each in outcomes if each.failure is None) == [
        item for item in range(10) if item != 3
    ]


def test_a_worker_that_dies_on_the_last_item_is_still_reported() -> None:
    (outcome,) = LocalEngine(1).map(partial(dies_on, 0), [0])
    assert "exit code 3" in outcome.failure.message


def test_a_worker_that_dies_while_being_built_ends_the_map() -> None:
    with pytest.raises(BenchError, match="died .exit code 4. while it was being set up"):
        list(LocalEngine(1).map(dies_while_building, [1]))


def test_leaving_a_map_early_stops_its_workers() -> None:
    outcomes = LocalEngine(2).map(partial(dies_on, -1), range(1000))
    next(outcomes)
    outcomes.close()
    with pytest.raises(StopIteration):
        next(outcomes)


def loads_torch_at_once() -> Callable[[int], int]:
    import torch

    return lambda item: int(torch.get_num_threads())


def loads_torch_late() -> Callable[[int], int]:
    def work(item: int) -> int:
        import torch

        return int(torch.get_num_threads())

    return work


@pytest.mark.parametrize("factory", [loads_torch_at_once, loads_torch_late])
def test_a_worker_has_one_thread_whenever_its_libraries_are_loaded(
    factory: Callable[[], Callable[[int], int]],
) -> None:
    assert [outcome.value for outcome in LocalEngine(1).map(factory, [0, 1])] == [1, 1]


def test_no_workers_means_this_process() -> None:
    assert isinstance(open_engine(0), InlineEngine)
    assert isinstance(open_engine(3), LocalEngine)
