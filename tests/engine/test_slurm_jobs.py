"""Slurm's jobs as processes of this machine, by ``cluster=local``: lost, preempted, interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread

import psutil
import pytest

from bench.engine import WorkerSettings
from bench.engine.backend import Layout
from bench.engine.choice import SlurmOptions
from bench.engine.chunked import ChunkedEngine
from bench.engine.slurm_cluster import cancel_left
from tests.conftest import ROOT
from tests.engine.process_backend import ProcessBackend
from tests.engine.test_chunked import ChunkOf, items_of, kills_its_job, stops_at
from tests.engine.test_engine import square_unless_seven

pytest.importorskip("submitit")
from bench.engine.slurm import SlurmBackend  # noqa: E402

LOCAL = SlurmOptions(nodes=2, extra={"cluster": "local"})
KEYED = WorkerSettings(key="version 1")


def shows_its_gpu(device: str) -> Callable[[int], list[object]]:
    def work(item: int) -> list[object]:
        time.sleep(0.2)  # so that the other worker has its share
        return [device, os.environ["CUDA_VISIBLE_DEVICES"]]

    return work


@pytest.mark.slow
def test_each_worker_of_a_job_has_one_of_its_gpus(tmp_path, monkeypatch) -> None:
    class TwoGpus(ProcessBackend):
        def layout(self, settings: WorkerSettings) -> Layout:
            return Layout(1, 1, 2, settings, gpus=2)

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    engine = ChunkedEngine(TwoGpus(), tmp_path / "engine")
    outcomes = list(engine.map(shows_its_gpu, range(8), WorkerSettings(devices=("cuda",))))
    assert {tuple(each.value or ()) for each in outcomes} == {("cuda", "5"), ("cuda", "7")}


def job_processes(folder: Path) -> list[psutil.Process]:
    """Return the processes of the jobs whose files are in a folder, and their children."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in part for part in process.info["cmdline"] or ()):
            with suppress(psutil.NoSuchProcess):
                found += [process, *process.children(recursive=True)]
    return [each for each in {*found} if each.pid != os.getpid()]


def test_jobs_answer_every_item_and_leave_nothing_behind(tmp_path) -> None:
    notes: list[str] = []
    engine = ChunkedEngine(
        SlurmBackend(LOCAL, tmp_path / "engine", 2), tmp_path / "engine", notes.append
    )
    outcomes = list(engine.map(square_unless_seven, ChunkOf(10)))
    assert items_of(outcomes) == list(range(10))
    values = {each.item: each.value for each in outcomes if each.failure is None}
    assert values == {item: item * item for item in range(10) if item not in (7, 8)}
    assert notes == []
    assert not (tmp_path / "engine").exists()
    assert job_processes(tmp_path) == []


def test_a_job_that_is_killed_is_tried_again_and_its_logs_are_named(tmp_path) -> None:
    notes: list[str] = []
    made = SlurmBackend(LOCAL, tmp_path / "engine", 1)
    engine = ChunkedEngine(made, tmp_path / "engine", notes.append)
    factory = partial(kills_its_job, (3,), tmp_path / "log", 1)
    outcomes = list(engine.map(factory, ChunkOf(5)))
    assert items_of(outcomes) == list(range(5))
    assert all(outcome.failure is None for outcome in outcomes)
    assert "was lost (its process ended)" in notes[0]
    assert notes[-1] == f"lost jobs: 1; the logs of jobs are in {made.logs}"
    assert [*made.logs.glob("*_log.err")]


def until_held(log: Path, number: int) -> None:
    """Wait until a file has so many words."""
    while not log.exists() or len(log.read_text().split()) < number:
        time.sleep(0.05)


def waits_first(log: Path, gate: Path) -> Callable[[int], int]:
    """Notes each item; the last one waits for the gate."""

    def work(item: int) -> int:
        with log.open("a") as file:
            file.write(f"{item}\n")
        while item == 2 and not gate.exists():
            time.sleep(0.05)
        return item

    return work


@pytest.mark.slow
def test_a_cancelled_job_is_a_loss_and_a_preempted_one_goes_on(tmp_path) -> None:
    for signals in ("cancelled", "preempted"):
        folder = tmp_path / signals
        folder.mkdir()
        log, gate, notes = folder / "log", folder / "gate", list[str]()
        made = SlurmBackend(LOCAL, folder / "engine", 1)
        engine = ChunkedEngine(made, folder / "engine", notes.append)
        outcomes = engine.map(partial(waits_first, log, gate), ChunkOf(3), KEYED)

        def disturb(
            made: SlurmBackend = made, log: Path = log, gate: Path = gate, signals: str = signals
        ) -> None:
            until_held(log, 3)
            (name,) = made.jobs
            if signals == "cancelled":
                made.cancel([name])
            else:  # Slurm sends it to all processes of a job
                for process in psutil.Process(int(name)).children(recursive=True):
                    process.send_signal(signal.SIGUSR2)
            gate.touch()

        thread = Thread(target=disturb)
        thread.start()
        assert items_of(list(outcomes)) == [0, 1, 2]
        thread.join()
        assert log.read_text().split() == ["0", "1", "2", "2"]
        assert ["was lost" in note for note in notes] == (
            [True, False] if signals == "cancelled" else []
        )


DRIVER = """
import signal
import sys
from functools import partial
from pathlib import Path
from bench.engine.chunked import ChunkedEngine
from bench.engine.slurm import SlurmBackend
from tests.engine.test_chunked import stops_at
from tests.engine.test_slurm_jobs import KEYED, LOCAL
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
folder = Path(sys.argv[1])
engine = ChunkedEngine(SlurmBackend(LOCAL, folder / "engine", 2), folder / "engine")
for outcome in engine.map(partial(stops_at, 4, folder), range(8), KEYED):
    print(outcome.item, flush=True)
"""


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has taken an outcome of a map, and waits for the rest."""
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    [submitted] = (tmp_path / "engine").glob("*/submitted")
    until_held(submitted, 6)  # two at a time: four have answered
    yield process
    for left in job_processes(tmp_path):
        left.kill()
    process.kill()
    process.communicate()


def test_after_a_killed_driver_its_jobs_are_cancelled_and_outcomes_taken(tmp_path, driver) -> None:
    driver.kill()
    assert job_processes(tmp_path), "jobs outlive their driver, as those of Slurm do"
    made = SlurmBackend(LOCAL, tmp_path / "engine", 2)
    engine = ChunkedEngine(made, tmp_path / "engine", lambda text: None)
    before = {each.pid for each in job_processes(tmp_path)}
    outcomes = engine.map(partial(stops_at, 4, tmp_path), range(8), KEYED)
    taken = [next(outcomes) for _ in range(4)]
    assert items_of(taken) == [0, 1, 2, 3]
    assert not before & {each.pid for each in job_processes(tmp_path)}
    (tmp_path / "gate").touch()
    assert items_of([*taken, *outcomes]) == list(range(8))
    assert sorted((tmp_path / "log").read_text().split()) == [str(item) for item in range(8)]


@pytest.mark.slow
def test_jobs_that_a_killed_driver_left_end_before_another_engine_goes_on(tmp_path, driver) -> None:
    driver.kill()
    assert job_processes(tmp_path)
    cancel_left(tmp_path / "engine")
    assert job_processes(tmp_path) == []
    cancel_left(tmp_path / "engine")


def test_ctrl_c_leaves_no_process_behind(tmp_path, driver) -> None:
    assert job_processes(tmp_path)
    os.killpg(driver.pid, signal.SIGINT)  # as a terminal does
    _, stderr = driver.communicate(timeout=60)
    assert job_processes(tmp_path) == []
    assert stderr.decode().count("Traceback") == 1  # that of this driver alone
