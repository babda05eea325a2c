"""The engine of a cluster: chunks, what becomes of lost ones, and a driver that is killed."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import Timer

import psutil
import pytest

from bench.engine import Outcome, WorkerSettings
from bench.engine import chunked as policy
from bench.engine.chunked import ChunkedEngine
from bench.engine.chunks import complete_path
from bench.errors import BenchError
from tests.conftest import ROOT
from tests.engine.process_backend import ProcessBackend
from tests.engine.test_engine import refuses_to_build, square_unless_seven, squares_by_threes

KEYED = WorkerSettings(key="version 1")


def kills_its_job(victims: tuple[int, ...], log: Path, times: int) -> Callable[[int], int]:
    """Kills the process of the job, this one's parent, the first ``times`` times."""

    def work(item: int) -> int:
        with log.open("a") as file:
            file.write(f"{item}\n")
        if item in victims and log.read_text().split().count(str(item)) <= times:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        return item

    return work


def dies_or_hangs() -> Callable[[int], int]:
    def work(item: int) -> int:
        if item == 2:
            os._exit(3)
        if item == 5:
            time.sleep(600)
        return item

    return work


def waits_for(gate: Path) -> Callable[[int], int]:
    def work(item: int) -> int:
        while item > 3 and not gate.exists():
            time.sleep(0.05)
        return item

    return work


def writes_a_file() -> Callable[[Path], str]:
    def work(path: Path) -> str:
        path.write_text(str(time.time_ns()))
        return path.read_text()

    return work


def returns_a_set() -> Callable[[int], object]:
    return lambda item: {item} if item == 1 else [item]


def folder_of_work() -> Callable[[int], list[str]]:
    return lambda item: [str(Path.cwd()), os.environ.get("BENCH_HOME", "")]


def items_of(outcomes: list[Outcome[int, object]]) -> list[int]:
    return sorted(outcome.item for outcome in outcomes)


def test_every_item_comes_back_once_with_its_value_or_its_failure(tmp_path: Path) -> None:
    notes: list[str] = []
    engine = ChunkedEngine(ProcessBackend(2), tmp_path / "engine", notes.append)
    outcomes = list(engine.map(square_unless_seven, range(12)))
    assert items_of(outcomes) == list(range(12))
    values = {each.item: each.value for each in outcomes if each.failure is None}
    assert values == {item: item * item for item in range(12) if item not in (7, 8)}
    failures = {each.item: each.failure for each in outcomes if each.failure}
    assert failures[7].message == "seven is refused"
    assert "in _square" in failures[8].traceback
    assert notes == []
    assert not (tmp_path / "engine").exists()


def test_work_on_an_iterator_has_its_batches(tmp_path: Path) -> None:
    engine = ChunkedEngine(ProcessBackend(2), tmp_path, print)
    settings = WorkerSettings(batch_size=3, ahead=6)
    outcomes = list(engine.stream(squares_by_threes, range(7), settings))
    assert {each.item: each.value for each in outcomes if each.failure is None} == {
        item: item * item for item in range(7)
    }


def test_workers_of_one_job_share_its_chunk(tmp_path: Path) -> None:
    engine = ChunkedEngine(ProcessBackend(1, n_workers=2), tmp_path)
    assert items_of(list(engine.map(square_unless_seven, range(6)))) == list(range(6))
    assert engine.workers == 2


def test_without_items_nothing_is_started(tmp_path: Path) -> None:
    backend = ProcessBackend()
    assert list(ChunkedEngine(backend, tmp_path / "engine").map(refuses_to_build, [])) == []
    assert backend.jobs == {}
    assert not (tmp_path / "engine").exists()


def test_equal_items_each_have_an_outcome(tmp_path: Path) -> None:
    outcomes = list(ChunkedEngine(ProcessBackend(), tmp_path).map(square_unless_seven, [2, 2, 2]))
    assert [outcome.value for outcome in outcomes] == [4, 4, 4]


def test_a_worker_has_the_folder_and_the_settings_of_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    backend = ProcessBackend()
    engine = ChunkedEngine(backend, tmp_path / "engine")
    monkeypatch.setenv("BENCH_HOME", "/elsewhere")
    environment = {**os.environ}
    del environment["BENCH_HOME"]
    monkeypatch.setattr(backend, "environment", environment)
    [outcome] = engine.map(folder_of_work, [0])
    assert outcome.value == [str(tmp_path), "/elsewhere"]


def test_a_result_that_json_does_not_keep_is_the_failure_of_its_item(tmp_path: Path) -> None:
    outcomes = {
        each.item: each
        for each in ChunkedEngine(ProcessBackend(), tmp_path).map(returns_a_set, [0, 1, 2])
    }
    assert [outcomes[0].value, outcomes[2].value] == [[0], [2]]
    assert outcomes[1].failure is not None
    assert "a set, is not the same after it was stored as JSON" in outcomes[1].failure.message


def test_an_item_that_kills_its_worker_or_hangs_costs_itself_alone(tmp_path: Path) -> None:
    backend = ProcessBackend()
    settings = WorkerSettings(timeout_s=1.0, timeout_option="--timeout")
    outcomes = list(ChunkedEngine(backend, tmp_path).map(dies_or_hangs, range(8), settings))
    assert items_of(outcomes) == list(range(8))
    failures = {each.item: each.failure.message for each in outcomes if each.failure}
    assert sorted(failures) == [2, 5]
    assert "died (exit code 3)" in failures[2]
    assert "--timeout sets the limit" in failures[5]


def test_items_that_a_lost_job_held_are_tried_again_one_by_one(tmp_path: Path) -> None:
    log, notes = tmp_path / "log", []
    backend = ProcessBackend()
    factory = partial(kills_its_job, (3,), log, 1)
    engine = ChunkedEngine(backend, tmp_path / "engine", notes.append)
    outcomes = list(engine.map(factory, ChunkOf(8)))
    assert items_of(outcomes) == list(range(8))
    assert all(outcome.failure is None for outcome in outcomes)
    # Nothing that was answered is done again, and the untouched rest is a chunk again.
    assert sorted(log.read_text().split()) == sorted([*map(str, range(8)), "3"])
    assert len(backend.jobs) == 3
    assert "was lost (exit code -9" in notes[0]
    assert "5 of its items are tried again" in notes[0]


@pytest.mark.slow
def test_an_item_that_kills_three_jobs_is_a_failure_and_no_other_is(tmp_path: Path) -> None:
    log = tmp_path / "log"
    factory = partial(kills_its_job, (3, 4), log, 9)
    engine = ChunkedEngine(ProcessBackend(2), tmp_path / "engine", lambda text: None)
    outcomes = list(engine.map(factory, range(8)))
    assert items_of(outcomes) == list(range(8))
    failures = {each.item: each.failure.message for each in outcomes if each.failure}
    assert sorted(failures) == [3, 4]
    assert failures[3].startswith("3 jobs were lost on this item, the last one ")
    assert log.read_text().split().count("3") == 3


def test_a_job_that_ends_without_its_file_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "LATE_S", 0.5)
    notes: list[str] = []
    backend = ForgetsTheFirst(tmp_path)
    engine = ChunkedEngine(backend, tmp_path / "engine", notes.append)
    outcomes = list(engine.map(square_unless_seven, ChunkOf(3)))
    assert [outcome.value for outcome in sorted(outcomes, key=lambda each: each.item)] == [0, 1, 4]
    assert "it ended without a complete outcome file" in notes[0]


def test_an_outcome_file_that_is_seen_late_is_no_loss(tmp_path: Path) -> None:
    notes: list[str] = []
    backend = ShowsFilesLate(1)
    engine = ChunkedEngine(backend, tmp_path / "engine", notes.append)
    assert items_of(list(engine.map(square_unless_seven, ChunkOf(3)))) == [0, 1, 2]
    assert notes == []
    assert len(backend.jobs) == 1


def test_work_that_cannot_be_built_ends_the_map_with_its_reason(tmp_path: Path) -> None:
    engine = ChunkedEngine(ProcessBackend(), tmp_path / "engine", lambda text: None)
    with pytest.raises(BenchError, match="^the weights are missing$"):
        list(engine.map(refuses_to_build, range(3)))


def test_jobs_that_are_lost_before_any_answer_end_the_map(tmp_path: Path) -> None:
    backend = ProcessBackend()
    log = tmp_path / "log"
    factory = partial(kills_its_job, tuple(range(9)), log, 99)
    engine = ChunkedEngine(backend, tmp_path / "engine", lambda text: None)
    with pytest.raises(BenchError, match="3 jobs in a row were lost before they had answered"):
        list(engine.map(factory, range(9)))
    assert len(backend.jobs) <= 9


def test_items_are_pulled_when_a_chunk_can_be_submitted(tmp_path: Path) -> None:
    pulled: list[int] = []

    def items() -> Iterator[int]:
        for item in itertools.count():
            pulled.append(item)
            yield item

    outcomes = ChunkedEngine(ProcessBackend(), tmp_path).map(square_unless_seven, items())
    assert pulled == []
    next(outcomes)
    assert len(pulled) == 8
    outcomes.close()  # type: ignore[attr-defined]


def test_an_iterator_may_block_on_what_another_engine_yields(tmp_path: Path) -> None:
    first = ChunkedEngine(ProcessBackend(), tmp_path / "1").map(square_unless_seven, range(4))
    roots = (outcome.value for outcome in first if outcome.value is not None)
    second = ChunkedEngine(ProcessBackend(), tmp_path / "2").map(square_unless_seven, roots)
    assert sorted(outcome.value for outcome in second if outcome.value is not None) == [
        0,
        1,
        16,
        81,
    ]


def test_a_map_that_is_left_early_cancels_its_jobs_and_leaves_no_process(tmp_path: Path) -> None:
    backend, notes = ProcessBackend(2), []
    engine = ChunkedEngine(backend, tmp_path / "engine", notes.append)
    items = [0, 1, 2, 4, 5, 6, 7, 8]
    outcomes = engine.map(partial(waits_for, tmp_path / "gate"), items, KEYED)
    assert next(outcomes).item in (0, 1, 2)
    started = [psutil.Process(int(name)) for name in backend.processes]
    started += [child for each in started for child in each.children(recursive=True)]
    outcomes.close()  # type: ignore[attr-defined]
    psutil.wait_procs(started, timeout=10)
    assert not any(each.is_running() and each.status() != "zombie" for each in started)
    assert backend.n_closed == 1
    assert f"is kept in {tmp_path / 'engine'}" in notes[0]


def test_of_a_map_without_a_key_that_is_left_early_no_file_is_left(tmp_path: Path) -> None:
    notes: list[str] = []
    engine = ChunkedEngine(ProcessBackend(), tmp_path / "engine", notes.append)
    outcomes = engine.map(partial(waits_for, tmp_path / "gate"), [0, 1, 2, 4, 5, 6, 7, 8])
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert not (tmp_path / "engine").exists()
    assert notes == []


class LosesItsController(ProcessBackend):
    def cancel(self, ids: Sequence[str]) -> None:
        if not self.n_closed:
            raise BenchError("the controller does not answer")
        super().cancel(ids)


def test_a_map_ends_for_its_own_reason_where_jobs_cannot_be_cancelled(tmp_path: Path) -> None:
    backend = LosesItsController()
    engine = ChunkedEngine(backend, tmp_path / "engine", lambda text: None)
    outcomes = engine.map(partial(waits_for, tmp_path / "gate"), [0, 1, 2, 4, 5, 6, 7, 8])
    next(outcomes)
    with pytest.raises(KeyboardInterrupt):
        outcomes.throw(KeyboardInterrupt)  # type: ignore[attr-defined]
    assert backend.n_closed == 1


def test_within_the_time_of_silence_it_prints_what_it_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "QUIET_S", 0.1)
    gate, notes = tmp_path / "gate", []

    def notify(text: str) -> None:
        notes.append(text)
        gate.touch()

    list(ChunkedEngine(ProcessBackend(), tmp_path / "e", notify).map(partial(waits_for, gate), [5]))
    assert notes[0] == "items on their way: 1; waiting for 1 processes"


def test_logs_are_removed_unless_a_job_was_lost(tmp_path: Path) -> None:
    for times in (0, 1):
        backend, notes = ProcessBackend(), []
        backend.logs = tmp_path / "logs"
        backend.logs.mkdir()
        with ChunkedEngine(backend, tmp_path / "engine", notes.append) as engine:
            list(
                engine.map(
                    partial(kills_its_job, (1,), tmp_path / f"log-{times}", times), ChunkOf(3)
                )
            )
        assert backend.logs.exists() == bool(times)
    assert notes[-1] == f"lost jobs: 1; the logs of jobs are in {backend.logs}"


DRIVER = """
import sys
from functools import partial
from pathlib import Path
from bench.engine import WorkerSettings
from bench.engine.chunked import ChunkedEngine
from tests.engine.process_backend import ProcessBackend
from tests.engine.test_chunked import stops_at
folder = Path(sys.argv[1])
engine = ChunkedEngine(ProcessBackend(2), folder / "engine")
factory = partial(stops_at, 4, folder)
for outcome in engine.map(factory, range(8), WorkerSettings(key="version 1")):
    print(outcome.item, flush=True)
"""


def stops_at(number: int, folder: Path) -> Callable[[int], int]:
    """Answers the items before ``number``, and the others once there is a file ``gate``."""
    log = folder / "log"

    def work(item: int) -> int:
        while item >= number and not (folder / "gate").exists():
            time.sleep(0.02)
        with log.open("a") as file:
            file.write(f"{item}\n")
        return item

    return work


def test_a_map_after_a_killed_driver_takes_what_is_there_and_does_the_rest(tmp_path: Path) -> None:
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert driver.stdout is not None
    driver.stdout.readline()  # one outcome was taken
    log = tmp_path / "log"
    while len(log.read_text().split()) < 4:
        time.sleep(0.05)
    time.sleep(0.3)  # the answer is on its way to the file
    jobs = psutil.Process(driver.pid).children(recursive=True)
    driver.kill()
    for job in jobs:  # a cluster would do so when the next driver cancels them
        job.kill()
    psutil.wait_procs(jobs, timeout=10)
    driver.communicate()  # the jobs had its standard output too
    (tmp_path / "gate").touch()
    backend = ProcessBackend(2)
    engine = ChunkedEngine(backend, tmp_path / "engine")
    outcomes = list(engine.map(partial(stops_at, 4, tmp_path), range(8), KEYED))
    assert items_of(outcomes) == list(range(8))
    assert sorted(log.read_text().split()) == [str(item) for item in range(8)]
    assert backend.cancelled, "the jobs of the killed driver may still run"
    assert not (tmp_path / "engine").exists()


def interrupted(folder: Path, paths: list[Path], settings: WorkerSettings = KEYED) -> list[str]:
    """Run a map that is left after its first outcome; return what its first chunk wrote."""
    engine = ChunkedEngine(ProcessBackend(), folder, lambda text: None)
    outcomes = engine.map(writes_a_file, paths, settings)
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    return [path.read_text() for path in paths]


@pytest.mark.parametrize("change", ["nothing", "file", "key", "no key"])
def test_an_outcome_is_taken_only_while_nothing_it_depends_on_has_changed(
    tmp_path: Path, change: str
) -> None:
    paths = [tmp_path / "output"]
    settings = WorkerSettings() if change == "no key" else KEYED
    before = interrupted(tmp_path / "engine", paths, settings)
    submitted = (tmp_path / "engine").glob("*/submitted")
    left = [name for path in submitted for name in path.read_text().split()]
    if change == "file":
        paths[0].write_text("another")
    if change == "key":
        settings = WorkerSettings(key="version 2")
    backend = ProcessBackend()
    engine = ChunkedEngine(backend, tmp_path / "engine")
    values = [outcome.value for outcome in engine.map(writes_a_file, paths, settings)]
    assert (values == before) == (change == "nothing")
    assert bool(backend.jobs) == (change != "nothing")
    # Those of earlier code, too, may still run, and write the same files.
    assert {*left} <= {*backend.cancelled}
    assert bool(left) == (change != "no key")
    assert values == [paths[0].read_text()]
    assert not (tmp_path / "engine").exists()


def test_failures_of_an_earlier_driver_are_tried_again(tmp_path: Path) -> None:
    for n_expected in (1, 1):
        backend = ProcessBackend()
        engine = ChunkedEngine(backend, tmp_path / "engine", lambda text: None)
        outcomes = engine.map(square_unless_seven, [7], KEYED)
        assert next(outcomes).failure is not None
        outcomes.close()  # type: ignore[attr-defined]
        assert len(backend.jobs) == n_expected


class ChunkOf:
    """Items whose number is not known, so that few make one chunk."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.number))


class ForgetsTheFirst(ProcessBackend):
    """Whose first job does nothing, and ends well."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.nothing = folder / "nothing"

    def submit(self, jobs: Sequence[Path], settings: WorkerSettings) -> list[str]:
        if self.nothing.exists():
            return super().submit(jobs, settings)
        self.nothing.touch()
        process = subprocess.Popen([sys.executable, "-c", ""], stderr=subprocess.PIPE)
        self.processes[str(process.pid)] = process
        return [str(process.pid)]


class ShowsFilesLate(ProcessBackend):
    """Whose outcome files appear a second after their job has ended, as on NFS."""

    def ended(self) -> list[tuple[str, str | None]]:
        ended = super().ended()
        for name, _ in ended:
            path = complete_path(self.jobs[name])
            path.rename(path.with_suffix(".late"))
            Timer(1.0, path.with_suffix(".late").rename, [path]).start()
        return ended
