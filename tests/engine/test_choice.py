"""The choice of an engine by options: what is refused, and that nothing heavy is loaded."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.engine import InlineEngine, LocalEngine
from bench.engine.choice import LOCAL, choose_engine
from bench.errors import BenchError, MissingError
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def _no_address(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def test_the_default_is_this_machine(tmp_path):
    assert choose_engine() == LOCAL
    assert isinstance(LOCAL.open(2, tmp_path), LocalEngine)
    assert isinstance(LOCAL.open(0, tmp_path), InlineEngine)
    assert not LOCAL.is_remote


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("spark", {}, "no engine 'spark'; there are: local, slurm, ray"),
        ("local", {"partition": "gpu"}, "--partition is an option of --engine slurm"),
        ("ray", {"gpus_per_node": 1}, "--gpus-per-node is an option of --engine slurm"),
        ("ray", {"nodes": 2}, "--nodes is an option of --engine slurm, and the engine is ray"),
        ("ray", {"slurm": ["account=lab"]}, "--slurm is an option of --engine slurm"),
        ("slurm", {"slurm": ["account"]}, "--slurm 'account' is not KEY=VALUE"),
        ("slurm", {"slurm": ["=lab"]}, "--slurm '=lab' is not KEY=VALUE"),
        ("slurm", {"slurm": ["nodes=4"]}, "--slurm nodes=4: --nodes 4 does that"),
        ("slurm", {"slurm": ["qos=a", "qos=b"]}, "--slurm qos is given twice: a and b"),
        ("ray", {"workers": 0}, "--workers 0 works in this process; --engine ray needs at least 1"),
    ],
)
def test_options_that_contradict_one_another_are_refused(name, options, words):
    with pytest.raises(BenchError, match=words.replace("'", ".").replace("(", ".")):
        choose_engine(name, **options)


def test_an_engine_whose_package_is_missing_names_the_extra(monkeypatch):
    monkeypatch.setattr("bench.engine.choice.has_module", lambda name: False)
    with pytest.raises(MissingError, match=r"--engine ray needs the package ray.*foley-bench\[ray"):
        choose_engine("ray")
    with pytest.raises(MissingError, match=r"foley-bench\[slurm\]"):
        choose_engine("slurm")


def test_options_of_slurm_are_kept():
    chosen = choose_engine(
        "slurm",
        workers=8,
        partition="gpu",
        gpus_per_node=4,
        nodes=2,
        slurm=["account=lab", "--time=2-00:00:00", "comment=a=b"],
    )
    assert (chosen.slurm.partition, chosen.slurm.gpus_per_node, chosen.slurm.nodes) == ("gpu", 4, 2)
    assert chosen.slurm.extra == {"account": "lab", "time": "2-00:00:00", "comment": "a=b"}
    assert chosen.workers == 8
    assert chosen.is_remote


def test_the_address_of_a_ray_cluster_is_a_variable(monkeypatch):
    assert choose_engine("ray").ray_address == ""
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    assert choose_engine("ray").ray_address == "head:6379"
    monkeypatch.setenv("RAY_ADDRESS", "local")
    assert choose_engine("ray").ray_address == ""
    monkeypatch.setenv("RAY_ADDRESS", "head")  # the variable may be there for other programs
    assert choose_engine("local") == LOCAL


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ray://head:10001", "RAY_ADDRESS is ray://head:10001, of Ray's client.* on a node of it"),
        ("head", "RAY_ADDRESS is 'head', expected HOST:PORT, auto or local"),
        ("head:port", "RAY_ADDRESS is 'head:port', expected HOST:PORT"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(monkeypatch, address, words):
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(BenchError, match=words):
        choose_engine("ray")


def test_a_choice_that_is_made_stays_and_takes_the_number_of_workers():
    chosen = choose_engine("slurm", partition="gpu")
    assert choose_engine(chosen) is chosen
    assert choose_engine(chosen, workers=3) == replace(chosen, workers=3)


def test_one_gpu_of_a_machine_is_no_device_of_a_cluster():
    with pytest.raises(BenchError, match="cuda:1 is a GPU of one machine.*the device is cuda"):
        choose_engine("ray").require_ready("cuda:1", "cpu")


def test_choosing_ray_loads_neither_ray_nor_submitit(tmp_path: Path):
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from bench.engine.choice import choose_engine\n"
        "choice = choose_engine('ray', workers=2)\n"
        "with choice.session():\n"
        "    choice.open(2, Path(sys.argv[1]))\n"
        "assert not {'ray', 'submitit'} & {*sys.modules}\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
