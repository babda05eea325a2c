"""Worker processes: death, items that hang, children, and the end of the parent."""

from __future__ import annotations

import ctypes
import gc
import itertools
import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Timer

import psutil
import pytest

from bench.engine import LocalEngine, Outcome, Work, WorkerSettings, attempt
from bench.errors import BenchError
from tests.conftest import ROOT
from tests.engine.test_engine import forgets_the_last

#: One group of three in work and one more on its way.
THREES = WorkerSettings(batch_size=3, ahead=6)


def dies_on(victims: tuple[int, ...], log: Path | None = None) -> Callable[[int], int]:
    if log is not None:
        with log.open("a") as file:
            file.write("built\n")

    def work(item: int) -> int:
        if item in victims:
            os._exit(3)
        return item

    return work


def dies_in_groups(victims: tuple[int, ...], log: Path) -> Work[int, int]:
    """Answers three at a time, and dies of the group that has a victim."""
    one = dies_on(victims, log)

    def work(items: Iterator[int]) -> Iterator[Outcome[int, int]]:
        while group := list(itertools.islice(items, 3)):
            answers = [attempt(one, item) for item in group]
            yield from answers

    return work


def dies_while_building() -> Callable[[int], int]:
    os._exit(4)


def sleeps_on(victims: tuple[int, ...]) -> Callable[[int], int]:
    def work(item: int) -> int:
        if item in victims:
            time.sleep(600)
        return item

    return work


def sleeps_in_c_with_the_gil(victim: int) -> Callable[[int], int]:
    """No Python code of the process runs while it sleeps, not even that of another thread."""

    def work(item: int) -> int:
        if item == victim:
            ctypes.PyDLL(None).sleep(600)
        return item

    return work


def ignores_sigterm(victim: int) -> Callable[[int], int]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return sleeps_on((victim,))


def sleeps_in_groups(victims: tuple[int, ...]) -> Work[int, int]:
    one = sleeps_on(victims)

    def work(items: Iterator[int]) -> Iterator[Outcome[int, int]]:
        while group := list(itertools.islice(items, 3)):
            answers = [attempt(one, item) for item in group]
            yield from answers

    return work


def slow_at_first() -> Callable[[int], int]:
    def work(item: int) -> int:
        time.sleep(1.0 if item == 0 else 0.0)
        return item

    return work


def half_a_second_each() -> Work[int, int]:
    def work(items: Iterator[int]) -> Iterator[Outcome[int, int]]:
        while group := list(itertools.islice(items, 3)):
            time.sleep(0.5 * len(group))
            yield from (Outcome(item, item) for item in group)

    return work


def raises_between_items() -> Work[int, int]:
    def work(items: Iterator[int]) -> Iterator[Outcome[int, int]]:
        for item in items:
            if item == 2:
                raise KeyError("a mistake outside of any item")
            yield Outcome(item, item)

    return work


def raises_like_a_pipe() -> Work[int, int]:
    def work(items: Iterator[int]) -> Iterator[Outcome[int, int]]:
        for _ in items:
            raise BrokenPipeError("a loader of the work is gone")
            yield

    return work


def dies_while_it_answers() -> Callable[[int], int]:
    """Half of an answer is on its way when the worker dies of the item 1."""

    def work(item: int) -> int:
        if item == 1:
            (pipe,) = (each for each in gc.get_objects() if type(each) is Connection)
            os.write(pipe.fileno(), struct.pack("!i", 100) + b"half")
            os._exit(3)
        return item

    return work


def process_of_worker() -> Callable[[int], int]:
    return lambda item: os.getpid()


def loads_in_groups() -> Work[int, int]:
    def work(items: Iterator[int]) -> Iterator[Outcome[int, int]]:
        while group := list(itertools.islice(items, 3)):
            yield from (Outcome(item, os.getpid()) for item in group)

    return work


def dies_after_its_first_answer(log: Path) -> Callable[[int], int]:
    def work(item: int) -> int:
        if item == 0:
            log.write_text(str(os.getpid()))
            Timer(0.2, os._exit, (3,)).start()
        return item

    return work


def returns_what_cannot_be_pickled() -> Callable[[int], object]:
    return lambda item: (lambda: item) if item == 1 else item


def sums_in_a_child() -> Callable[[int], int]:
    """Asks a process of its own, as the loaders of a system do."""

    def work(item: int) -> int:
        with get_context("spawn").Pool(1) as pool:
            return pool.apply(sum, ([item, 1],))

    return work


def has_a_child_and_sleeps(log: Path, detaches: bool) -> Callable[[int], int]:
    def work(item: int) -> int:
        child = subprocess.Popen(["sleep", "600"], start_new_session=detaches)
        temporary = log.with_suffix(".new")
        temporary.write_text(f"{os.getpid()} {child.pid}")
        temporary.rename(log)
        time.sleep(600)
        return item

    return work


def forks_a_child_and_dies(log: Path) -> Callable[[int], int]:
    """The child holds the worker's end of the pipe open after the worker has died."""

    def work(item: int) -> int:
        child = os.fork()
        if child == 0:
            time.sleep(600)
        log.write_text(str(child))
        os._exit(3)

    return work


def test_a_worker_that_dies_fails_its_item_alone_and_is_replaced() -> None:
    outcomes = list(LocalEngine(2).map(partial(dies_on, (3,)), range(10)))
    failed = [each for each in outcomes if each.failure is not None]
    assert [each.item for each in failed] == [3]
    assert failed[0].failure.message == "the worker process died (exit code 3) on this item"
    values = sorted(each.value for each in outcomes if each.failure is None)
    assert values == [item for item in range(10) if item != 3]


def test_a_worker_that_dies_on_the_last_item_is_still_reported() -> None:
    (outcome,) = LocalEngine(1).map(partial(dies_on, (0,)), [0])
    assert "exit code 3" in outcome.failure.message


def test_a_worker_that_dies_while_it_answers_fails_its_item_alone() -> None:
    outcomes = list(LocalEngine(1).map(dies_while_it_answers, range(3)))
    assert [each.item for each in outcomes if each.failure] == [1]
    assert "exit code 3" in outcomes[1].failure.message
    assert [each.value for each in outcomes] == [0, None, 2]


def test_a_worker_that_dies_while_being_built_ends_the_map() -> None:
    with pytest.raises(BenchError, match="died .exit code 4. while it was being set up"):
        list(LocalEngine(1).map(dies_while_building, [1]))


def test_an_item_that_an_idle_worker_died_before_is_done_by_another(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def items() -> Iterator[int]:
        yield 0
        _wait_until(log.exists)
        _wait_until(lambda: _has_ended(int(log.read_text())))
        yield 1

    outcomes = list(LocalEngine(1).map(partial(dies_after_its_first_answer, log), items()))
    assert [(each.value, each.failure) for each in outcomes] == [(0, None), (1, None)]


def test_the_limit_does_not_count_while_the_next_item_is_waited_for() -> None:
    """As where the items are outcomes of another engine: a worker waits to fill its batch."""

    def items() -> Iterator[int]:
        yield 0
        time.sleep(1.5)
        yield 1

    settings = WorkerSettings(batch_size=3, timeout_s=0.5)
    outcomes = list(LocalEngine(1).stream(loads_in_groups, items(), settings))
    assert [each.failure for each in outcomes] == [None, None]


def test_the_workers_of_an_open_engine_serve_one_map_after_another() -> None:
    with LocalEngine(1) as engine:
        (first,) = engine.map(process_of_worker, [0])
        found = {each.value for each in engine.stream(loads_in_groups, range(8), THREES)}
        found |= {each.value for each in engine.map(process_of_worker, range(3))}
        assert found == {first.value}
        other = WorkerSettings(threads=2)  # which libraries take when they are loaded
        assert {each.value for each in engine.map(process_of_worker, [0], other)} != found
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("is_seen", [True, False])
def test_a_worker_that_died_between_two_maps_is_replaced(is_seen: bool) -> None:
    with LocalEngine(1) as engine:
        (first,) = engine.map(process_of_worker, [0])
        os.kill(first.value, signal.SIGKILL)
        if is_seen:
            _wait_until(lambda: _has_ended(first.value))
        (second,) = engine.map(process_of_worker, [0])
    assert second.failure is None
    assert second.value != first.value


@pytest.mark.parametrize("workers", [1, 2])
def test_of_several_items_only_those_fail_that_kill_a_worker(tmp_path: Path, workers: int) -> None:
    log = tmp_path / "log"
    factory = partial(dies_in_groups, (1, 8), log)
    outcomes = list(LocalEngine(workers).stream(factory, range(12), THREES))
    failures = {each.item: each.failure.message for each in outcomes if each.failure}
    assert failures.keys() == {1, 8}
    assert set(failures.values()) == {"the worker process died (exit code 3) on this item"}
    assert sorted(each.item for each in outcomes) == list(range(12))


def test_suspects_share_a_worker_as_long_as_it_survives(tmp_path: Path) -> None:
    log = tmp_path / "log"
    settings = WorkerSettings(batch_size=3)
    outcomes = list(LocalEngine(1).stream(partial(dies_in_groups, (1,), log), range(3), settings))
    assert [each.item for each in outcomes if each.failure] == [1]
    # The first worker, the one that tries 0 and dies of 1, and the one that tries 2.
    assert log.read_text().count("built") == 3


@pytest.mark.parametrize("factory", [partial(sleeps_on, (3,)), partial(ignores_sigterm, 3)])
def test_an_item_that_never_ends_is_a_failure_and_the_others_are_not(factory) -> None:
    settings = WorkerSettings(timeout_s=1.0, timeout_option="--timeout")
    outcomes = list(LocalEngine(2).map(factory, range(8), settings))
    failures = {each.item: each.failure.message for each in outcomes if each.failure}
    assert failures == {
        3: "the worker process was killed after 1 s without a result on this item; "
        "--timeout sets the limit"
    }
    assert sorted(each.item for each in outcomes) == list(range(8))


def test_an_item_that_hangs_in_c_code_is_a_failure() -> None:
    settings = WorkerSettings(timeout_s=1.0)
    outcomes = list(LocalEngine(1).map(partial(sleeps_in_c_with_the_gil, 0), [0, 1], settings))
    assert [each.item for each in outcomes if each.failure] == [0]
    assert "killed after 1 s without a result" in outcomes[0].failure.message


def test_of_several_items_only_those_fail_that_hang() -> None:
    settings = WorkerSettings(batch_size=3, timeout_s=0.5)
    outcomes = list(LocalEngine(1).stream(partial(sleeps_in_groups, (1,)), range(5), settings))
    assert [each.item for each in outcomes if each.failure] == [1]
    assert sorted(each.item for each in outcomes) == list(range(5))


def test_the_limit_grows_with_the_items_that_are_answered_at_once() -> None:
    settings = WorkerSettings(batch_size=3, timeout_s=1.0)
    outcomes = list(LocalEngine(1).stream(half_a_second_each, range(5), settings))
    assert [each.value for each in outcomes] == list(range(5))


def test_the_first_answer_of_a_worker_may_take_longer() -> None:
    settings = WorkerSettings(timeout_s=0.2, first_timeout_s=30.0)
    outcomes = list(LocalEngine(1).map(slow_at_first, range(3), settings))
    assert [each.value for each in outcomes] == [0, 1, 2]


def test_the_limit_does_not_count_while_the_caller_is_busy() -> None:
    settings = WorkerSettings(timeout_s=0.5)
    outcomes = LocalEngine(1).map(partial(sleeps_on, ()), range(3), settings)
    found = []
    for outcome in outcomes:
        time.sleep(0.7)
        found.append(outcome.failure)
    assert found == [None] * 3


def test_work_that_leaves_items_without_an_outcome_is_a_failure_of_those() -> None:
    outcomes = list(LocalEngine(1).stream(forgets_the_last, [1, 2, 3], THREES))
    assert [each.value for each in outcomes] == [1, 2, None]
    assert "left 1 items without an outcome" in outcomes[2].failure.message


def test_work_that_raises_itself_is_a_failure_with_its_traceback() -> None:
    outcomes = list(LocalEngine(1).stream(raises_between_items, range(4), THREES))
    (failed,) = (each for each in outcomes if each.failure)
    assert failed.item == 2
    assert "KeyError: 'a mistake outside of any item'" in failed.failure.message
    assert "in work\n" in failed.failure.traceback
    assert sorted(each.item for each in outcomes) == list(range(4))


def test_work_that_raises_the_error_of_a_pipe_is_a_failure_with_its_traceback() -> None:
    (outcome,) = LocalEngine(1).stream(raises_like_a_pipe, [1])
    assert "BrokenPipeError: a loader of the work is gone" in outcome.failure.message
    assert "in work\n" in outcome.failure.traceback


def test_a_value_that_cannot_be_pickled_is_a_failure_of_its_item() -> None:
    outcomes = {
        each.item: each for each in LocalEngine(1).map(returns_what_cannot_be_pickled, [1, 2])
    }
    assert "cannot be sent to the parent process" in outcomes[1].failure.message
    assert outcomes[2].value == 2


def test_workers_may_have_children() -> None:
    outcomes = LocalEngine(1).map(sums_in_a_child, [1, 2])
    assert [each.value for each in outcomes] == [2, 3]


@pytest.mark.parametrize("detaches", [False, True])
def test_the_children_of_a_hung_worker_are_killed_with_it(tmp_path: Path, detaches: bool) -> None:
    log = tmp_path / "log"
    factory = partial(has_a_child_and_sleeps, log, detaches)
    (outcome,) = LocalEngine(1).map(factory, [0], WorkerSettings(timeout_s=2.0))
    assert "killed after 2 s" in outcome.failure.message
    worker, child = map(int, log.read_text().split())
    _wait_until(lambda: not _is_running(worker) and not _is_running(child))


def test_a_dead_worker_is_noticed_although_a_child_of_it_holds_the_pipe(tmp_path: Path) -> None:
    log = tmp_path / "log"
    (outcome,) = LocalEngine(1).map(partial(forks_a_child_and_dies, log), [0])
    assert "exit code 3" in outcome.failure.message
    _wait_until(lambda: not _is_running(int(log.read_text())))


def test_leaving_a_map_early_stops_its_workers() -> None:
    outcomes = LocalEngine(2).map(partial(dies_on, ()), itertools.count())
    next(outcomes)
    outcomes.close()
    with pytest.raises(StopIteration):
        next(outcomes)
    assert not multiprocessing.active_children()


@pytest.mark.parametrize("ahead", [1, 2])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_and_their_children_end_with_the_parent(
    tmp_path: Path, how: int, ahead: int
) -> None:
    parent, pids = _start_parent(tmp_path, ahead)
    parent.send_signal(how)
    parent.wait(timeout=30)
    _wait_until(lambda: not any(_is_running(pid) for pid in pids))


def test_a_parent_that_leaves_a_map_open_still_exits(tmp_path: Path) -> None:
    """Python waits at its exit for children that are no daemons."""
    file = tmp_path / "parent.py"
    file.write_text(
        "from bench.engine import LocalEngine\n"
        "from tests.engine.test_engine import square_unless_seven\n"
        "if __name__ == '__main__':\n"
        "    outcomes = LocalEngine(2).map(square_unless_seven, range(10))\n"
        "    next(outcomes)\n"
        "    import builtins\n"
        "    builtins.kept = outcomes\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    finished = subprocess.run([sys.executable, str(file)], env=environment, timeout=60)
    assert finished.returncode == 0


def _start_parent(tmp_path: Path, ahead: int) -> tuple[subprocess.Popen[bytes], list[int]]:
    """Start a process whose only worker sleeps beside a child; return it with the two pids."""
    log, file = tmp_path / "log", tmp_path / "parent.py"
    file.write_text(
        "import functools, pathlib, sys\n"
        "from bench.engine import LocalEngine, WorkerSettings\n"
        "from tests.engine.test_processes import has_a_child_and_sleeps\n"
        "if __name__ == '__main__':\n"
        "    log = pathlib.Path(sys.argv[1])\n"
        "    factory = functools.partial(has_a_child_and_sleeps, log, False)\n"
        f"    list(LocalEngine(1).map(factory, [1, 2, 3], WorkerSettings(ahead={ahead})))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen(
        [sys.executable, str(file), str(log)],
        env=environment,
        stderr=subprocess.DEVNULL,
        # What a shell starts in the background ignores Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    _wait_until(log.exists)
    pids = [int(pid) for pid in log.read_text().split()]
    assert all(map(_is_running, pids))
    return parent, pids


def _has_ended(child: int) -> bool:
    """Whether a process with all its threads has ended; its parent can still ask how."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _is_running(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < deadline, "nothing happened within a minute"
        time.sleep(0.02)
