"""Ray as an engine: values, losses, and that nothing is left behind.

A cluster of this machine starts in about four seconds: one fast test has it, the others are slow.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from bench.engine import WorkerSettings
from bench.engine.chunked import ChunkedEngine
from bench.engine.ray_cluster import RayBackend, _Actor
from bench.engine.ray_connection import _remove_left, disconnect, share
from bench.engine.ray_nodes import Need, choose_need, count_places
from bench.errors import BenchError
from tests.conftest import ROOT

pytest.importorskip("ray")

CPU_NODE, GPU_NODE = {"CPU": 32.0}, {"CPU": 16.0, "GPU": 2.0}


@pytest.fixture(autouse=True)
def _no_address(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    # What ray's own modules warn of is theirs.
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")


def doubles_unless(poison: int, seconds: float = 0.0) -> Callable[[int], list[int]]:
    """Return twice the item, and die at one of them."""

    def double(item: int) -> list[int]:
        if item == poison:
            os._exit(3)
        time.sleep(seconds)
        return [2 * item, os.getpid()]

    return double


def cannot_be_built() -> Callable[[int], int]:
    raise BenchError("the model does not load")


@pytest.mark.filterwarnings("ignore")  # of ray's modules, which are loaded here
def test_a_map_has_every_outcome_and_leaves_nothing_behind(tmp_path):
    before = {each.pid for each in psutil.Process().children(recursive=True)}
    folders = {*Path(tempfile.gettempdir()).glob("bench-ray-*")}
    token = Path.home() / ".ray" / "auth_token"
    had_token = token.exists()
    backend = RayBackend("", 2)
    share()
    with ChunkedEngine(backend, tmp_path / "engine") as engine:
        outcomes = list(engine.map(partial(doubles_unless, 7), range(40), WorkerSettings()))
        started = psutil.Process().children(recursive=True)
        assert len(backend.actors) == 2
        values = {each.item: each.value[0] for each in outcomes if each.value}
        assert values == {item: 2 * item for item in range(40) if item != 7}
        (failed,) = [each for each in outcomes if each.failure]
        assert failed.item == 7
        assert "died (exit code 3)" in failed.failure.message
        # Each worker has built the work once, and the one that died once more.
        assert len({each.value[1] for each in outcomes if each.value}) <= 3
        assert engine.n_lost == 0
    with pytest.raises(BenchError, match="the model does not load"):  # with the same cluster
        list(ChunkedEngine(backend, tmp_path / "engine").map(cannot_be_built, [1]))
    with pytest.raises(BenchError, match="no node of the Ray cluster has .* 1 GPUs"):
        list(
            ChunkedEngine(backend, tmp_path / "engine").map(
                partial(doubles_unless, -1), [1], WorkerSettings(gpus=1.0)
            )
        )
    disconnect()
    assert len(started) > 6
    _, alive = psutil.wait_procs([each for each in started if each.pid not in before], timeout=20)
    assert not alive
    assert {*Path(tempfile.gettempdir()).glob("bench-ray-*")} == folders
    assert token.exists() == had_token


def test_the_folder_of_a_cluster_that_was_killed_is_removed_by_the_next_one(tmp_path):
    killed, running, unknown = (tmp_path / f"bench-ray-{name}" for name in "abc")
    for folder in (killed, running, unknown):
        folder.mkdir()
    (killed / "lock").touch()
    with (running / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _remove_left(tmp_path)
        assert [each.exists() for each in (killed, running, unknown)] == [False, True, True]


class Remote:
    """A stand-in for the module ``ray`` whose actors start at once and answer when told."""

    exceptions = SimpleNamespace(RayTaskError=KeyError, RayError=OSError)

    def __init__(self) -> None:
        self.ready = {"started"}
        self.killed: list[object] = []

    def wait(self, references: list[str], timeout: float) -> tuple[list[str], list[str]]:
        return [each for each in references if each in self.ready], []

    def get(self, reference: str) -> None:
        pass

    def kill(self, handle: object, no_restart: bool) -> None:
        self.killed.append(handle)


def test_an_actor_of_an_earlier_map_leaves_its_place_once_it_has_answered(monkeypatch):
    remote, needs = Remote(), iter([Need(2, 0.0), Need(1, 0.0)])
    backend = RayBackend("", 1)
    handle = SimpleNamespace(answer=SimpleNamespace(remote=lambda job: job))
    monkeypatch.setitem(sys.modules, "ray", remote)
    monkeypatch.setattr(backend, "_plan", lambda settings: (next(needs), 1))
    monkeypatch.setattr(backend, "_start_actor", lambda: _Actor(handle, backend.need, "started"))
    backend.submit([Path("1.job")], WorkerSettings())
    backend.ended()
    # The driver has seen the file of the first map: it is faster than the reply of the actor.
    backend.submit([Path("2.job")], WorkerSettings())
    remote.ready |= {"1.job", "2.job"}
    for _ in range(4):
        backend.ended()
    assert remote.killed
    assert [actor.need for actor in backend.actors] == [Need(1, 0.0)]
    assert not backend.queue


@pytest.mark.parametrize(
    ("settings", "nodes", "need"),
    [
        (WorkerSettings(), [CPU_NODE], Need(1, 0.0)),
        (WorkerSettings(cpus=8), [{"CPU": 4.0}], Need(4, 0.0)),  # no node has more
        (WorkerSettings(cpus=0), [CPU_NODE, GPU_NODE], Need(32, 0.0)),  # all of one
        (WorkerSettings(cpus=12, gpus=1.0), [CPU_NODE, GPU_NODE], Need(8, 1.0)),
        (WorkerSettings(cpus=2, gpus=0.25), [GPU_NODE], Need(2, 0.25)),
        (WorkerSettings(cpus=4, gpus=0.25), [GPU_NODE], Need(2, 0.25)),
        (WorkerSettings(cpus=4, gpus=1.0), [{"CPU": 1.0, "GPU": 8.0}], Need(1, 1.0)),
    ],
)
def test_a_worker_needs_no_more_cores_than_go_with_its_gpu(settings, nodes, need):
    assert choose_need(settings, nodes) == need


@pytest.mark.parametrize(
    ("need", "nodes", "number"),
    [
        (Need(1, 0.0), [CPU_NODE, GPU_NODE], 48),
        (Need(3, 0.0), [{"CPU": 8.0}, {"CPU": 8.0}], 4),  # not 5: a worker is on one node
        (Need(2, 1.0), [CPU_NODE, GPU_NODE], 2),
        (Need(2, 0.25), [GPU_NODE, GPU_NODE], 16),
        (Need(1, 0.4), [GPU_NODE], 4),  # two on each GPU
        (Need(1, 2.0), [GPU_NODE, {"CPU": 8.0, "GPU": 1.0}], 1),
        (Need(1, 1.0), [CPU_NODE], 0),
    ],
)
def test_places_are_counted_by_node_and_gpu(need, nodes, number):
    assert count_places(need, nodes) == number


@pytest.mark.parametrize(("size", "share"), [(80.0, 0.25), (30.0, 1.0), (141.0, 0.25), (None, 1.0)])
def test_copies_share_a_gpu_as_declared_and_no_more_than_fit(monkeypatch, size, share):
    monkeypatch.setattr("bench.engine.ray_nodes._gpu_gib", lambda: size)
    monkeypatch.setattr("bench.engine.ray_cluster.list_nodes", lambda: [GPU_NODE])
    monkeypatch.setattr(RayBackend, "_open", lambda self: None)
    settings = WorkerSettings(cpus=1, gpus=0.25, gpu_gib=20.0)
    assert RayBackend("", None).layout(settings).n_slots == round(2 / share)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_a_killed_actor_held_is_tried_again(tmp_path):
    lines: list[str] = []
    backend = RayBackend("", 2)
    with ChunkedEngine(backend, tmp_path / "engine", lines.append) as engine:
        outcomes = engine.map(partial(doubles_unless, -1, 0.05), range(200), WorkerSettings())
        found = [next(outcomes)]
        runners = [
            each
            for each in psutil.Process().children(recursive=True)
            if each.name().startswith("ray::Runner")
        ]
        assert len(runners) == 2
        runners[0].kill()
        found += outcomes
    assert sorted(each.item for each in found) == [*range(200)]
    assert not [each.failure for each in found if each.failure]
    assert any("was lost" in line and "tried again" in line for line in lines)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_actors_that_have_no_place_are_waited_for_aloud(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.engine.chunked.QUIET_S", 2.0)
    lines: list[str] = []
    share()
    backend = RayBackend("", 2)
    backend._open()
    import ray

    hog = ray.remote(num_cpus=ray.cluster_resources()["CPU"])(occupy)
    running = hog.remote(12)
    with ChunkedEngine(backend, tmp_path / "engine", lines.append) as engine:
        outcomes = list(engine.map(partial(doubles_unless, -1), range(10), WorkerSettings()))
    assert len(outcomes) == 10
    assert any("waiting for 0 of 2 Ray actors started, each with 1 CPUs" in line for line in lines)
    assert any("free in the cluster: 0 of" in line for line in lines)
    del running
    disconnect()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_pool_shrinks_while_others_work(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.engine.ray_cluster.IDLE_S", 1.0)
    backend = RayBackend("", 2)
    with ChunkedEngine(backend, tmp_path / "engine") as engine:
        sizes = []
        for _ in engine.map(partial(sleeps_long_on, 0), range(8), WorkerSettings()):
            sizes.append(len(backend.actors))
    assert sizes[0] == 2
    assert sizes[-1] == 1


def occupy(seconds: float) -> None:
    time.sleep(seconds)


def sleeps_long_on(item: int) -> Callable[[int], int]:
    def sleep(each: int) -> int:
        time.sleep(8.0 if each == item else 0.1)
        return each

    return sleep


DRIVER = """
import sys
from functools import partial
from pathlib import Path
from bench.engine import WorkerSettings
from bench.engine.chunked import ChunkedEngine
from bench.engine.ray_cluster import RayBackend
from tests.engine.test_ray import doubles_unless

with ChunkedEngine(RayBackend(sys.argv[2], 2), Path(sys.argv[1])) as engine:
    settings = WorkerSettings(key="one")
    factory = partial(doubles_unless, -1, 0.1)
    for outcome in engine.map(factory, range(100), settings):
        print(outcome.item, outcome.value[0], flush=True)
"""


def start_driver(log: Path, address: str = "", **environment: str) -> subprocess.Popen[bytes]:
    """A map of 100 items, whose outcomes and messages are in ``log``."""
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(log.parent / "engine"), address],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )


def wait_for_outcome(log: Path) -> None:
    deadline_s = time.monotonic() + 90
    while not read_outcomes(log):
        assert time.monotonic() < deadline_s, log.read_text()
        time.sleep(0.05)


def read_outcomes(log: Path) -> list[str]:
    return sorted(line for line in log.read_text().splitlines() if line[:1].isdigit())


EXPECTED = sorted(f"{item} {2 * item}" for item in range(100))


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_driver_that_is_stopped_leaves_no_process_and_the_next_one_goes_on(tmp_path, how):
    log, next_log = tmp_path / "first.log", tmp_path / "next.log"
    folders = {*Path(tempfile.gettempdir()).glob("bench-ray-*")}
    driver = start_driver(log)
    wait_for_outcome(log)
    started = psutil.Process(driver.pid).children(recursive=True)
    assert any(each.name().startswith("ray::Runner") for each in started)
    os.killpg(driver.pid, how)  # as a terminal does
    assert driver.wait(timeout=60) != 0
    assert len(read_outcomes(log)) < 100
    _, alive = psutil.wait_procs(started, timeout=30)
    assert not alive
    assert start_driver(next_log).wait(timeout=120) == 0, next_log.read_text()
    assert read_outcomes(next_log) == EXPECTED
    assert not (tmp_path / "engine").exists()
    for folder in {*Path(tempfile.gettempdir()).glob("bench-ray-*")} - folders:  # of SIGKILL
        shutil.rmtree(folder)


@pytest.mark.slow
def test_a_node_that_is_lost_costs_no_item(tmp_path):
    """A cluster of two nodes on this machine; the daemon of the second one is killed."""
    script = """
import sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
node = cluster.add_node(num_cpus=1)
print(cluster.address, flush=True)
sys.stdin.readline()
cluster.remove_node(node, allow_graceful=False)
print("removed", flush=True)
sys.stdin.readline()
cluster.shutdown()
"""
    environment = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
    cluster = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = ""
        while ":" not in address:
            address = cluster.stdout.readline().strip()
        log = tmp_path / "log"
        driver = start_driver(log, address, **environment)
        wait_for_outcome(log)
        cluster.stdin.write("\n")
        cluster.stdin.flush()
        assert driver.wait(timeout=200) == 0, log.read_text()
        assert read_outcomes(log) == EXPECTED
        assert "was lost" in log.read_text()
    finally:
        started = psutil.Process(cluster.pid).children(recursive=True)
        cluster.communicate("\n", timeout=60)
        for each in started:
            if each.is_running():
                each.kill()
