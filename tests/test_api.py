"""The library: its examples run, it needs no command line, and importing it loads nothing."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bench
from bench import api
from bench.cli.ablate import ablate
from bench.cli.compare import compare
from bench.cli.run import run
from bench.cli.score import score
from bench.errors import BenchError
from bench.media import write_audio
from bench.pipeline.columns import JudgeOptions, choose_columns
from bench.types import Audio
from tests.conftest import ROOT

#: Options of Slurm, which the library takes as an engine that ``choose_engine`` has made of them.
SLURM = {"partition", "gpus_per_node", "nodes", "slurm"}
#: Options of commands that only print or write what the library returns.
PRINTING = {"json", "junit", "parquet", "out", "format", "dry_run", "gpus", "min_coverage"}


@pytest.fixture
def mini(mini_home, one_process, tmp_path, monkeypatch) -> Path:
    """A working directory with the mini clips, and two folders that have a file in common."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    time_s = np.arange(22_050) / 22_050
    for folder, level in (("OUT", 0.3), ("TRUE", 0.5)):
        wave = level * np.sin(2 * np.pi * 440 * time_s) * np.exp(-6 * (time_s % 0.5))
        audio = Audio(wave[np.newaxis].astype(np.float32), 22_050)
        write_audio(tmp_path / folder / "clip_a.wav", audio)
    return tmp_path


@pytest.mark.parametrize("name", ["run", "score", "compare"])
def test_the_example_of_each_function_runs(name, mini):
    function = getattr(bench, name)
    (example,) = doctest.DocTestFinder().find(function, name, globs={})
    assert example.examples
    found = doctest.DocTestRunner().run(example)
    assert found.failed == 0


def test_importing_the_package_loads_no_other_package():
    code = (
        "import sys, bench; bench.__version__, dir(bench)\n"
        "third = {'numpy', 'torch', 'pandas', 'typer', 'rich', 'scipy'} & set(sys.modules)\n"
        "print(sorted(third), [name for name in sys.modules if name.startswith('bench.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[] []", done.stderr


@pytest.mark.parametrize(
    ("function", "command"), [(api.run, run), (api.score, score), (api.compare, compare)]
)
def test_functions_have_the_options_of_their_commands_with_the_same_defaults(function, command):
    library = inspect.signature(function).parameters
    typed = inspect.signature(command).parameters
    renamed = {"clip": "clips"}
    # --repeat asks another question, whether a run is the same again.
    options = {renamed.get(name, name) for name in typed} - PRINTING - SLURM - {"repeat"}
    assert options == set(library) - {"progress", "notify"}
    for name in options - {"clips", "bounds", "runs", "weights"}:
        assert library[name].default == typed[name].default


def test_a_run_and_an_ablation_share_their_options():
    own = {"stage", "pooling", "conflict", "plot"}
    missing = {"clap", "dry_run", "fresh", "gpus", "verify_bytes"}
    options = set(inspect.signature(run).parameters)
    assert set(inspect.signature(ablate).parameters) - own == options - missing


def test_a_refusal_is_an_error_with_one_sentence(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchError, match="no split 'minni'; there are: mini"):
        bench.run("silence", split="minni")
    with pytest.raises(BenchError, match="holds no finished run"):
        bench.compare(tmp_path, tmp_path)
    with pytest.raises(BenchError, match="--unpaired compares whole sets"):
        bench.score("a", "b", unpaired=True, match="order")
    assert not (tmp_path / "runs").exists()


def test_names_may_be_a_list_or_a_text_and_missing_columns_are_reported(mini):
    notes: list[str] = []
    options = {"split": "mini", "limit": 1, "workers": 0, "notify": notes.append}
    first = bench.run("silence", metrics=["onset_acc", "mcd"], **options)
    again = bench.run("silence", metrics="onset_acc,mcd", **options)
    assert first.results == again.results
    assert notes == ["split mini: 128 clips"] * 2
    with pytest.raises(BenchError, match="no metric 'fad'"):
        bench.run("silence", metrics="fad", **options)


def test_an_unknown_attribute_of_the_package_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'bench' has no attribute 'rnu'"):
        bench.rnu  # noqa: B018


def test_a_column_without_its_package_is_refused_with_the_command_for_it(
    monkeypatch,
):
    for module in ("bench.judges", "bench.extras"):
        monkeypatch.setattr(f"{module}.has_module", lambda name: name != "torch")
    options = JudgeOptions(metrics="ib", judge="paper")
    with pytest.raises(BenchError, match=r"cannot compute ib; .*pip install"):
        choose_columns(options, (), 8.0, print, is_mini=False)


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan")])
def test_a_time_limit_that_no_work_meets_is_refused(timeout, mini):
    with pytest.raises(BenchError, match="the time limit is .* expected at least 0.1"):
        bench.run("silence", split="mini", limit=1, timeout=timeout)
    with pytest.raises(BenchError, match="the time limit is"):
        bench.score("OUT", "TRUE", metrics="onset_acc", timeout=timeout)
