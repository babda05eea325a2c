"""The engines give the same results: signal columns to the bit, those of networks to 1e-5."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from bench.engine.choice import LOCAL, MODULES, EngineChoice, choose_engine
from bench.judges import open_judge
from bench.pipeline.columns import JudgeOptions
from bench.pipeline.extract import extract_features
from bench.pipeline.plan import RunPlan
from bench.pipeline.prepare import RunOptions, plan_run
from bench.pipeline.run import no_progress, run
from bench.pipeline.workers import WorkerSettings, place_networks, place_remote_system
from tests.conftest import ROOT
from tests.pipeline import systems

N_CLIPS = 3
SIGNAL = ("onset_acc", "onset_ap", "onset_f1", "mcd", "mcd_c1", "env_corr", "lsd")


def plan_mini(
    model: str, root: Path, engine: EngineChoice = LOCAL, limit: int = N_CLIPS
) -> RunPlan:
    options = RunOptions(
        model=model, split="mini", limit=limit, runs=root, workers=2, engine=engine
    )
    return plan_run(options, JudgeOptions(), lambda text: None)


@pytest.fixture
def own_home(mini_home, tmp_path, monkeypatch) -> Iterator[None]:
    """The mini clips, and no features of them: each engine has to extract its own."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "data").symlink_to(mini_home / "data")
    monkeypatch.setenv("BENCH_HOME", str(home))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def require_equal_rows(directory: Path, expected_directory: Path) -> None:
    rows, expected = (
        pd.read_parquet(each / "scores.parquet").set_index("clip")
        for each in (directory, expected_directory)
    )
    assert len(rows) == N_CLIPS
    assert [*rows.index] == [*expected.index]
    networks = [name for name in expected.select_dtypes("number") if name not in SIGNAL]
    assert {*SIGNAL} <= {*expected}
    assert len(networks) > 3
    for name in SIGNAL:
        assert rows[name].to_numpy().tobytes() == expected[name].to_numpy().tobytes(), name
    found, wanted = (each[networks].astype("float64") for each in (rows, expected))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def choose_cluster(name: str) -> EngineChoice:
    """A cluster of this machine, with two workers."""
    pytest.importorskip(MODULES[name])
    return choose_engine(name, workers=2, slurm=["cluster=local"] if name == "slurm" else None)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of ray's modules
@pytest.mark.parametrize("model", ["motion-grains", "acfoley-mini"])
def test_clusters_and_local_processes_give_the_same_scores(model, own_home, tmp_path):
    choices = [choose_cluster("ray"), choose_cluster("slurm")]
    local = run(plan_mini(model, tmp_path / "local"), no_progress)
    assert not local.failures
    assert local.provenance["engine"] == "local"
    for choice in choices:
        # The true audio's features are extracted anew, too.
        (tmp_path / "home" / "features").rename(tmp_path / f"features before {choice.name}")
        found = run(plan_mini(model, tmp_path / choice.name, choice), no_progress)
        assert not found.failures
        require_equal_rows(found.directory, local.directory)
        for name, score in found.metrics.items():
            assert score.value == pytest.approx(local.metrics[name].value, rel=1e-5), name
        facts = json.loads((found.directory / "provenance.json").read_text())
        assert facts["engine"] == choice.name
        assert not [*(tmp_path / choice.name).rglob("*.job")]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_run_that_was_begun_here_goes_on_in_a_cluster(own_home, tmp_path):
    choice = choose_cluster("ray")
    whole = run(plan_mini("motion-grains", tmp_path / "whole"), no_progress)
    begun = plan_mini("motion-grains", tmp_path / "runs")
    part = replace(begun, clips=begun.clips[:1])
    run(part, no_progress)
    counts: dict[str, int] = {}
    plan = replace(begun, engine=choice)
    done = run(plan, lambda stage, done, total: counts.update({stage: total}))
    assert counts["generate"] == counts["extract"] == N_CLIPS - 1
    require_equal_rows(done.directory, whole.directory)


def test_a_finished_run_asks_nothing_of_its_engine(make_plan):
    plan = make_plan("silence", metrics=("onset_acc",))
    first = run(plan, no_progress)
    again = run(
        replace(plan, workers=1, engine=EngineChoice("ray", 1, ray_address="no:1")), no_progress
    )
    assert again.results == first.results


class Recorder:
    """An engine of other machines that answers nothing and keeps what it was given."""

    is_remote = True
    workers = 4
    calls: list[tuple[str, WorkerSettings]]

    def __init__(self) -> None:
        self.calls = []

    def map(self, factory, items, settings):
        self.calls.append(("map", settings))
        return iter(())

    def stream(self, factory, items, settings):
        self.calls.append(("stream", settings))
        return iter(())


def test_large_networks_run_where_the_clips_are_prepared(make_plan, monkeypatch):
    engine = Recorder()
    scoring = make_plan("silence", metrics=("kl_passt", "mcd")).scoring
    on_gpu = replace(scoring, judge=open_judge("paper", "av-benchmark", None, "cuda"))
    for each in (scoring, on_gpu):
        assert list(extract_features([], each, engine)) == []
    (kind, on_cpu), (_, with_gpu) = engine.calls
    assert kind == "stream"
    assert (on_cpu.cpus, on_cpu.gpus, on_cpu.threads) == (8, 0.0, None)
    assert (with_gpu.cpus, with_gpu.gpus) == (8, 1.0)


def test_columns_without_networks_need_one_core_each(make_plan):
    engine = Recorder()
    assert list(extract_features([], make_plan("silence").scoring, engine)) == []
    ((kind, settings),) = engine.calls
    assert (kind, settings.cpus, settings.gpus, settings.threads) == ("map", 1, 0.0, 1)


def test_what_a_system_declares_decides_its_share_of_a_gpu():
    def place(device: str = "cuda", **declared: object) -> WorkerSettings:
        return place_remote_system(replace(systems.TONE, **declared), device, WorkerSettings())

    assert place().gpus == 1.0  # nothing is known: it has a GPU for itself
    assert place(workers_per_device=1, device_memory_gib=20.0).gpus == 1.0
    assert place(workers_per_device=4).gpus == 0.25
    by_memory = place(device_memory_gib=10.0)
    assert (by_memory.gpus, by_memory.gpu_gib) == (1 / 16, 10.0)  # and no more than fit
    assert place().devices == ("cuda",)
    assert (place("cpu").cpus, place("cpu").threads, place("cpu").gpus) == (1, 1, 0.0)
    assert (place("cpu", workers_per_device=1).cpus, place("cpu").devices) == (0, ("cpu",))
    assert place_networks("cpu", WorkerSettings()).gpus == 0.0


@pytest.mark.slow
def test_ctrl_c_ends_the_command_with_130_and_every_process_of_ray(own_home, tmp_path):
    pytest.importorskip("ray")
    words = "run --model motion-grains --split mini --limit 4 --no-bounds --engine ray --workers 2"
    command = [sys.executable, "-m", "bench", *words.split(), "--runs", str(tmp_path / "runs")]
    driver = subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline_s = time.monotonic() + 120
    started: list[psutil.Process] = []
    while not any(each.name().startswith("ray::Runner") for each in started):
        assert driver.poll() is None, driver.communicate()[1]
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
        started = psutil.Process(driver.pid).children(recursive=True)
    os.killpg(driver.pid, signal.SIGINT)  # as a terminal does
    errors = driver.communicate(timeout=60)[1]
    assert driver.returncode == 130, errors
    assert "the same command goes on from here" in errors
    assert "Traceback" not in errors
    _, alive = psutil.wait_procs(started, timeout=30)
    assert not alive
