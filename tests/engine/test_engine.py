"""Both engines, with functions of one item and with work on an iterator of items."""

from __future__ import annotations

import itertools
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from bench.engine import (
    Engine,
    InlineEngine,
    LocalEngine,
    Outcome,
    Work,
    WorkerSettings,
    attempt,
    open_engine,
)
from bench.errors import BenchError

ENGINES = [InlineEngine(), LocalEngine(2)]
IDS = ["inline", "local"]
#: Groups of three, and a look at the item after them.
THREES = WorkerSettings(batch_size=3, ahead=6)


def square_unless_seven() -> Callable[[int], int]:
    return _square


def _square(item: int) -> int:
    if item == 7:
        raise BenchError("seven is refused")
    if item == 8:
        raise ZeroDivisionError("eight is a mistake")
    return item * item


def squares_by_threes() -> Work[int, int]:
    """Takes three items, and answers them after it has the next one."""

    def work(items: Iterator[int]) -> Iterator[Outcome[int, int]]:
        following = next(items, None)
        while following is not None:
            group = [following, *itertools.islice(items, 2)]
            following = next(items, None)
            yield from (attempt(_square, item) for item in group)

    return work


def answers_one_item() -> Work[int, int]:
    def work(items: Iterator[int]) -> Iterator[Outcome[int, int]]:
        item = next(items)
        yield Outcome(item, item)

    return work


def forgets_the_last() -> Work[int, int]:
    def work(items: Iterator[int]) -> Iterator[Outcome[int, int]]:
        yield from (Outcome(item, item) for item in list(items)[:-1])

    return work


def built_once(log: Path) -> Callable[[int], int]:
    with log.open("a") as file:
        file.write("built\n")
    return abs


def refuses_to_build() -> Callable[[int], int]:
    raise BenchError("the weights are missing")


def needs_a_missing_package() -> Callable[[int], int]:
    raise ModuleNotFoundError("No module named 'torch'", name="torch")


def device_of_worker(device: str) -> Callable[[int], str]:
    return lambda item: device


def loads_torch_at_once() -> Callable[[int], int]:
    import torch

    return lambda item: int(torch.get_num_threads())


def loads_torch_late() -> Callable[[int], int]:
    def work(item: int) -> int:
        import torch

        return int(torch.get_num_threads())

    return work


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
def test_every_item_comes_back_once_with_its_value_or_its_failure(engine: Engine) -> None:
    outcomes = {each.item: each for each in engine.map(square_unless_seven, range(12))}
    assert sorted(outcomes) == list(range(12))
    values = {item: each.value for item, each in outcomes.items() if each.failure is None}
    assert values == {item: item * item for item in range(12) if item not in (7, 8)}


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
def test_a_refusal_is_one_sentence_and_a_mistake_has_a_traceback(engine: Engine) -> None:
    failures = {each.item: each.failure for each in engine.map(square_unless_seven, [7, 8])}
    assert failures[7].message == "seven is refused"
    assert failures[7].traceback == ""
    assert failures[8].message == "ZeroDivisionError: eight is a mistake"
    assert "in _square" in failures[8].traceback


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
@pytest.mark.parametrize("number", [1, 3, 4, 20])
def test_work_that_looks_ahead_answers_every_item(engine: Engine, number: int) -> None:
    outcomes = {each.item: each for each in engine.stream(squares_by_threes, range(number), THREES)}
    assert sorted(outcomes) == list(range(number))
    for item, outcome in outcomes.items():
        if item in (7, 8):
            assert outcome.failure is not None
        else:
            assert outcome.value == item * item


@pytest.mark.parametrize("engine", [InlineEngine(), LocalEngine(1)], ids=IDS)
def test_one_worker_answers_in_the_order_of_the_items(engine: Engine) -> None:
    outcomes = engine.stream(squares_by_threes, range(20), THREES)
    assert [each.item for each in outcomes] == list(range(20))


@pytest.mark.parametrize(("engine", "most"), [(ENGINES[0], 1), (ENGINES[1], 2)])
def test_the_costly_state_is_built_once_per_worker(
    engine: Engine, most: int, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    assert len(list(engine.map(partial(built_once, log), range(9)))) == 9
    assert 1 <= log.read_text().count("built") <= most


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
def test_nothing_is_built_without_items(engine: Engine) -> None:
    assert list(engine.map(refuses_to_build, [])) == []


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
def test_a_worker_that_cannot_be_built_ends_the_map(engine: Engine) -> None:
    with pytest.raises(BenchError, match="the weights are missing"):
        list(engine.map(refuses_to_build, [1, 2]))


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
def test_a_worker_without_an_optional_package_ends_the_map_with_one_sentence(
    engine: Engine,
) -> None:
    with pytest.raises(BenchError, match="needs the package torch") as refusal:
        list(engine.map(needs_a_missing_package, [1, 2]))
    assert str(refusal.value).endswith("`pip install 'foley-bench[judges]'`")


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
def test_endless_items_are_pulled_only_as_far_as_workers_have_room(engine: Engine) -> None:
    pulled = itertools.count()
    outcomes = engine.map(square_unless_seven, pulled)
    for _ in range(5):
        next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert next(pulled) <= 5 + 2 * 2


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
def test_each_worker_is_bound_to_a_device_of_its_own(engine: Engine) -> None:
    settings = WorkerSettings(devices=("cuda:0", "cuda:1"))
    found = {each.value for each in engine.map(device_of_worker, range(100), settings)}
    assert found == ({"cuda:0"} if isinstance(engine, InlineEngine) else {"cuda:0", "cuda:1"})


@pytest.mark.parametrize("engine", [InlineEngine(), LocalEngine(1)], ids=IDS)
@pytest.mark.parametrize(
    ("factory", "threads"),
    [(loads_torch_at_once, 1), (loads_torch_at_once, 3), (loads_torch_late, 1)],
)
def test_a_worker_has_its_threads_whenever_its_libraries_are_loaded(
    engine: Engine, factory: Callable[[], Callable[[int], int]], threads: int
) -> None:
    import torch

    before = torch.get_num_threads()
    settings = WorkerSettings(threads=threads)
    assert [each.value for each in engine.map(factory, [0, 1], settings)] == [threads, threads]
    assert torch.get_num_threads() == before


def test_no_workers_means_this_process() -> None:
    assert isinstance(open_engine(0), InlineEngine)
    assert isinstance(open_engine(3), LocalEngine)


@pytest.mark.parametrize("engine", [InlineEngine(), LocalEngine(1)], ids=IDS)
@pytest.mark.parametrize("ahead", [1, 3])
def test_work_that_ends_early_is_given_the_rest(engine: Engine, ahead: int) -> None:
    outcomes = list(engine.stream(answers_one_item, range(3), WorkerSettings(ahead=ahead)))
    assert [(each.item, each.value) for each in outcomes] == [(0, 0), (1, 1), (2, 2)]


def test_work_that_leaves_items_without_an_outcome_ends_a_map_in_this_process() -> None:
    with pytest.raises(RuntimeError, match="left 1 items without an outcome"):
        list(InlineEngine().stream(forgets_the_last, [1, 2, 3]))


#: Counts the page faults of arrays that come and go, after a round that takes their memory.
FAULTS = """
import resource
import numpy as np
from bench.engine import keep_freed_memory
{call}
def take():
    return [np.ones(2**17) for _ in range(16)]
take()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    take()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs the allocator of glibc")
def test_memory_that_was_freed_is_used_again_without_page_faults():
    def count(call: str) -> int:
        command = [sys.executable, "-c", FAULTS.format(call=call)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert count("keep_freed_memory()") < 1_000 < count("")
