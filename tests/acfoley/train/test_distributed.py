"""Two processes train like one."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from acfoley.train.checkpoint import list_checkpoints
from acfoley.train.distributed import join_process_group
from acfoley.train.ema import list_snapshots
from acfoley.train.log import read_log
from acfoley.train.loop import TrainingData, TrainingSettings, train
from acfoley.train.recipe import Stage
from bench.checkpoints.load import load_state
from tests.acfoley.train.small import RECIPE, write_features

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
torch.set_num_threads(1)
from acfoley.train.distributed import join_process_group
from acfoley.train.loop import train
from acfoley.train.recipe import Stage
from acfoley.train.loop import TrainingData, TrainingSettings
from tests.acfoley.train.small import RECIPE

features, held_out, run, n_accumulated = sys.argv[1:]
recipe = replace(RECIPE, stages=(Stage("overlap", 2, "inside"),))
data = TrainingData([Path(features)], [Path(held_out)])
settings = TrainingSettings(log_every=1, n_accumulated=int(n_accumulated))
with join_process_group("cpu") as processes:
    train(recipe, data, Path(run), settings, processes=processes)
"""


def run_processes(n: int, *arguments: str) -> None:
    """Run the script in ``n`` processes, as torchrun starts them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = [
        subprocess.Popen(
            [sys.executable, "-W", "error::FutureWarning", "-c", SCRIPT, *arguments],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
                "WORLD_SIZE": str(n),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
                "OMP_NUM_THREADS": "1",
            },
        )
        for rank in range(n)
    ]
    for process in started:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors


def test_two_processes_with_accumulation_give_the_weights_of_one(tmp_path):
    features = write_features(tmp_path / "features")
    held_out = write_features(tmp_path / "held", "held0", "held1", "held2")
    recipe = replace(RECIPE, stages=(Stage("overlap", 2, "inside"),))
    one, two = tmp_path / "one", tmp_path / "two"
    train(recipe, TrainingData([features], [held_out]), one, TrainingSettings(log_every=1))
    run_processes(2, str(features), str(held_out), str(two), "2")
    for step in (0, 1):
        single, double = (read_log(run / "log.csv")[step] for run in (one, two))
        for name in ("loss", "gradient_norm"):
            torch.testing.assert_close(float(single[name]), float(double[name]), rtol=1e-5, atol=0)
    [single], [double] = (read_log(run / "validation.csv") for run in (one, two))
    assert single["n_clips"] == double["n_clips"] == "3"
    torch.testing.assert_close(float(single["loss"]), float(double["loss"]), rtol=1e-5, atol=0)
    for ours, theirs in zip(list_snapshots(one), list_snapshots(two), strict=True):
        expected = load_state(ours.path)
        for name, value in load_state(theirs.path).items():
            torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5, msg=name)
    assert json.loads((two / "run.json").read_text())["n_processes"] == 2


def test_one_process_is_a_group_by_itself(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join_process_group("cpu") as processes:
        assert (processes.rank, processes.size, processes.is_first) == (0, 1, True)
        assert processes.sum(3.0) == 3.0
        assert processes.gather(["a"]) == ["a"]


@pytest.mark.slow
def test_a_killed_process_resumes_to_the_same_bits(tmp_path):
    features = write_features(tmp_path / "features")
    recipe = replace(RECIPE, stages=(Stage("overlap", 400, "inside"),))
    settings = TrainingSettings(checkpoint_every=20, keep=100, resume=True)
    script = SCRIPT.replace('"overlap", 2,', '"overlap", 400,').replace(
        "log_every=1,", "checkpoint_every=20, keep=100,"
    )
    one, two = tmp_path / "one", tmp_path / "two"
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(features), str(features), str(two), "1"], cwd=ROOT
    )
    while len(list_checkpoints(two)) < 3:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert max(list_checkpoints(two)) < 400
    data = TrainingData([features], [features])
    train(recipe, data, two, settings)
    train(recipe, data, one, settings)
    assert list_checkpoints(one).keys() == list_checkpoints(two).keys()
    for step, path in list_checkpoints(one).items():
        assert path.read_bytes() == list_checkpoints(two)[step].read_bytes()
