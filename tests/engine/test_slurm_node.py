"""A real Slurm of one node: arrays, jobs that are cancelled, jobs that begin again."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from functools import partial
from threading import Thread

import pytest

from bench.engine import WorkerSettings
from bench.engine import slurm_cluster as cluster
from bench.engine.choice import SlurmOptions
from bench.engine.chunked import ChunkedEngine
from bench.engine.slurm_check import check_slurm
from bench.errors import BenchError
from tests.engine.slurm_node import slurm_node, why_not
from tests.engine.test_chunked import ChunkOf, items_of, stops_at
from tests.engine.test_engine import square_unless_seven
from tests.engine.test_slurm_jobs import KEYED, shows_its_gpu, until_held, waits_first

pytest.importorskip("submitit")
from bench.engine.slurm import SlurmBackend  # noqa: E402


@pytest.fixture(scope="module")
def node(tmp_path_factory) -> Iterator[None]:
    if reason := why_not():
        pytest.skip(reason)
    with (
        pytest.MonkeyPatch.context() as patch,
        slurm_node(tmp_path_factory.mktemp("slurm")) as variables,
    ):
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setattr("bench.engine.slurm.ASK_S", 1.0)
        yield


@pytest.mark.slow
def test_on_a_real_node_a_map_is_one_array(node, tmp_path) -> None:
    made = SlurmBackend(SlurmOptions(nodes=2, partition="main"), tmp_path / "engine", 2)
    submitted: list[list[str]] = []
    submit = made.submit

    def record(jobs, settings):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        submitted.append(submit(jobs, settings))
        return submitted[-1]

    made.submit = record  # type: ignore[method-assign]
    notes: list[str] = []
    engine = ChunkedEngine(made, tmp_path / "engine", notes.append)
    outcomes = list(engine.map(square_unless_seven, range(10)))
    assert items_of(outcomes) == list(range(10))
    assert sum(outcome.failure is not None for outcome in outcomes) == 2
    [names] = submitted
    number = names[0].partition("_")[0]
    assert names == [f"{number}_{index}" for index in range(5)]
    assert notes == []
    assert not (tmp_path / "engine").exists()
    assert {job.state for job in cluster.read_jobs().values()} <= {"COMPLETED", "COMPLETING"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "is_lost"),
    [
        (["scancel"], True),
        (["scontrol", "requeue"], False),
        (["scancel", "--signal=USR2"], False),  # as before a time limit, or when it is preempted
    ],
)
def test_on_a_real_node_a_job_is_cancelled_or_goes_on(node, tmp_path, command, is_lost) -> None:
    log, gate, notes = tmp_path / "log", tmp_path / "gate", list[str]()
    made = SlurmBackend(SlurmOptions(), tmp_path / "engine", 1)
    engine = ChunkedEngine(made, tmp_path / "engine", notes.append)
    outcomes = engine.map(partial(waits_first, log, gate), ChunkOf(3))

    def disturb() -> None:
        until_held(log, 3)
        time.sleep(0.5)  # submitit has its handlers
        subprocess.run([*command, *made.jobs], check=True)
        until_held(log, 4)
        gate.touch()

    thread = Thread(target=disturb)
    thread.start()
    assert items_of(list(outcomes)) == [0, 1, 2]
    thread.join()
    assert log.read_text().split() == ["0", "1", "2", "2"]
    losses = [note for note in notes if "was lost" in note]
    assert [("(it was cancelled" in note) for note in losses] == [True] * is_lost


@pytest.mark.slow
def test_on_a_real_node_each_worker_has_one_gpu_of_its_job(node, tmp_path) -> None:
    made = SlurmBackend(SlurmOptions(gpus_per_node=2), tmp_path / "engine", None)
    engine = ChunkedEngine(made, tmp_path / "engine")
    settings = WorkerSettings(devices=("cuda",), cpus=1, gpus=1.0)
    outcomes = list(engine.map(shows_its_gpu, ChunkOf(8), settings))
    assert {tuple(each.value or ()) for each in outcomes} == {("cuda", "0"), ("cuda", "1")}


@pytest.mark.slow
def test_on_a_real_node_closing_cancels_what_runs(node, tmp_path) -> None:
    made = SlurmBackend(SlurmOptions(), tmp_path / "engine", 1)
    engine = ChunkedEngine(made, tmp_path / "engine", lambda text: None)
    outcomes = engine.map(partial(stops_at, 1, tmp_path), range(4), KEYED)
    assert next(outcomes).item == 0
    assert made.jobs
    outcomes.close()  # type: ignore[attr-defined]
    deadline_s = time.monotonic() + 30
    while not all(job.has_ended for job in cluster.read_jobs().values()):
        assert time.monotonic() < deadline_s
        time.sleep(0.5)
    (tmp_path / "gate").touch()
    again = ChunkedEngine(made, tmp_path / "engine", lambda text: None)
    settings_outcomes = list(again.map(partial(stops_at, 1, tmp_path), range(4), KEYED))
    assert items_of(settings_outcomes) == [0, 1, 2, 3]


@pytest.mark.slow
def test_on_a_real_node_impossible_options_are_refused(node) -> None:
    check_slurm(SlurmOptions(partition="main", gpus_per_node=2), needs_gpu=True)
    for options, sentence in (
        (SlurmOptions("nope"), "no partition 'nope' in this Slurm; there are: closed, main"),
        (SlurmOptions("closed"), "the partition closed of this Slurm is down"),
        (SlurmOptions(gpus_per_node=3), "no node of the partition main has more than 2 GPUs"),
        (SlurmOptions(extra={"constraint": "h100"}), "Invalid feature specification"),
        (SlurmOptions(extra={"cpus-per-task": "99"}), "node configuration is not available"),
    ):
        with pytest.raises(BenchError, match=sentence):
            check_slurm(options, needs_gpu=options.gpus_per_node is not None)
