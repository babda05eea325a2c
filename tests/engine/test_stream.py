"""Work that looks ahead, here and in a process that may die."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from bench.engine import Outcome, StreamEngine, attempt
from bench.errors import BenchError
from tests.conftest import ROOT

ENGINES = [StreamEngine(6, is_apart=False), StreamEngine(6, is_apart=True)]
IDS = ["here", "apart"]

Work = Callable[[Iterator[int]], Iterator[Outcome[int, int]]]


def _square(item: int) -> int:
    if item == 7:
        raise BenchError("seven is refused")
    return item * item


def squares_by_threes() -> Work:
    """Takes three items, and answers them after a look at the next one."""

    def work(items: Iterator[int]) -> Iterator[Outcome[int, int]]:
        following = next(items, None)
        while following is not None:
            group = [following, *itertools.islice(items, 2)]
            following = next(items, None)
            yield from (attempt(_square, item) for item in group)

    return work


def dies_on(victims: tuple[int, ...], log: Path | None = None) -> Work:
    if log is not None:
        with log.open("a") as file:
            file.write("built\n")

    def work(items: Iterator[int]) -> Iterator[Outcome[int, int]]:
        while group := list(itertools.islice(items, 3)):
            if set(victims) & set(group):
                os._exit(3)
            yield from (attempt(_square, item) for item in group)

    return work


def refuses_to_build() -> Work:
    raise BenchError("the weights are missing")


def dies_while_building() -> Work:
    os._exit(4)


def never_ends(log: Path) -> Work:
    def work(items: Iterator[int]) -> Iterator[Outcome[int, int]]:
        for item in items:
            log.write_text(str(os.getpid()))
            time.sleep(600)
            yield Outcome(item, value=item)

    return work


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
@pytest.mark.parametrize("number", [1, 3, 4, 20])
def test_every_item_comes_back_in_order(engine: StreamEngine, number: int) -> None:
    outcomes = list(engine.map(squares_by_threes, range(number)))
    assert [each.item for each in outcomes] == list(range(number))
    for item, outcome in enumerate(outcomes):
        if item == 7:
            assert outcome.failure.message == "seven is refused"
        else:
            assert outcome.value == item * item


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
def test_nothing_is_built_without_items_and_what_cannot_be_built_is_refused(engine) -> None:
    assert list(engine.map(refuses_to_build, [])) == []
    with pytest.raises(BenchError, match="the weights are missing"):
        list(engine.map(refuses_to_build, [1, 2]))


def test_a_process_that_dies_while_being_set_up_ends_the_map() -> None:
    with pytest.raises(BenchError, match="died .exit code 4. while it was being set up"):
        list(ENGINES[1].map(dies_while_building, [1]))


def test_only_the_items_that_kill_the_process_fail(tmp_path: Path) -> None:
    log = tmp_path / "log"
    outcomes = list(ENGINES[1].map(partial(dies_on, (1, 8), log), range(12)))
    failures = {each.item: each.failure.message for each in outcomes if each.failure}
    assert failures == {
        1: "the worker process died (exit code 3) on this item",
        7: "seven is refused",
        8: "the worker process died (exit code 3) on this item",
    }
    assert sorted(each.item for each in outcomes) == list(range(12))
    assert log.read_text().count("built") > 2


def test_leaving_early_stops_the_process(tmp_path: Path) -> None:
    outcomes = ENGINES[1].map(squares_by_threes, range(1000))
    next(outcomes)
    outcomes.close()
    with pytest.raises(StopIteration):
        next(outcomes)


def test_the_process_leaves_when_its_parent_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = (
        "import functools, pathlib, sys\n"
        "from bench.engine import StreamEngine\n"
        "from tests.engine.test_stream import never_ends\n"
        "if __name__ == '__main__':\n"
        "    work = functools.partial(never_ends, pathlib.Path(sys.argv[1]))\n"
        "    list(StreamEngine(2).map(work, [1, 2, 3]))\n"
    )
    file = tmp_path / "parent.py"
    file.write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, str(file), str(log)], env=environment)
    _wait_until(lambda: log.exists() and log.read_text() != "")
    child = int(log.read_text())
    assert _is_alive(child)
    parent.kill()
    parent.wait()
    _wait_until(lambda: not _is_alive(child))


def _is_alive(process: int) -> bool:
    return psutil.pid_exists(process) and psutil.Process(process).status() != "zombie"


def _wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < deadline, "nothing happened within a minute"
        time.sleep(0.02)
