"""``bench crosscheck`` through a stand-in with the evaluator's arguments and outputs."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

import bench
from bench.cli.app import app
from bench.errors import MissingError, RunError
from bench.isolation.av_benchmark import AV_BENCHMARK
from bench.isolation.setup import set_up
from bench.isolation.state import system_folder
from bench.pipeline.compare import find_run_folder
from bench.pipeline.crosscheck import compare_columns, crosscheck
from bench.results import Column, load_results

STANDIN = Path(__file__).with_name("av_benchmark")


@pytest.fixture(scope="module")
def run(mini_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two mini clips whose signal columns the judge "paper" has scored; no network is needed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_HOME", str(mini_home))
        options = {"judge": "paper", "metrics": ["mcd"], "limit": 2, "workers": 0}
        runs = tmp_path_factory.mktemp("runs")
        return bench.run("oracle", split="mini", runs=runs, **options).directory


@pytest.fixture
def checkout(mini_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    folder = tmp_path / "av-benchmark"
    shutil.copytree(STANDIN, folder)
    for weight in AV_BENCHMARK.weights:
        (folder / weight.path).parent.mkdir(exist_ok=True)
        (folder / weight.path).touch()
    set_up(AV_BENCHMARK, folder, Path(sys.executable), print)
    return folder


@pytest.mark.parametrize("has_json", [True, False])
def test_both_numbers_stand_side_by_side(run, checkout, has_json) -> None:
    if not has_json:
        (checkout / "no-json").touch()
    done = CliRunner().invoke(app, ["crosscheck", str(run), "--device", "cpu"])
    assert done.exit_code == 0, done.output
    rows = {line.split()[0]: line.split()[1:] for line in done.output.splitlines() if line.strip()}
    assert rows["FD-PASST"] == ["-", "2.00000", "-"]  # both samples under names that it keeps
    assert rows["IB-Score"] == ["-", "2.00000", "-"]  # pairs of both sides and a video, x 100
    assert rows["DeSync"] == ["-", "0.80000", "-"]
    assert not (system_folder(AV_BENCHMARK.name) / "work" / "crosscheck").exists()


def test_a_number_of_both_tools_has_a_difference(run) -> None:
    results = load_results(run)
    column = Column("ib", "IB", "higher", 1)
    score = replace(results.metrics["mcd"], value=33.5)
    results = replace(
        results,
        columns=(*results.columns, column),
        metrics={**results.metrics, "ib": score},
    )
    (row,) = compare_columns(results, {"IB-Score": 0.325})
    assert (row.label, row.ours, row.theirs) == ("IB", 33.5, pytest.approx(32.5))
    assert row.difference == pytest.approx(1.0)


def test_what_cannot_be_compared_is_refused(run, checkout) -> None:
    results = load_results(run)
    with pytest.raises(RunError, match="scored by the judge 'mini'"):
        crosscheck(run, run, replace(results, judge="mini"), "cpu")
    shutil.rmtree(system_folder(AV_BENCHMARK.name))
    with pytest.raises(MissingError, match="bench systems setup av-benchmark --checkout DIR"):
        crosscheck(run, run, results, "cpu")


def test_two_at_once_do_not_delete_each_others_files(run, checkout) -> None:
    other = system_folder(AV_BENCHMARK.name) / "work" / f"{os.getppid()}-crosscheck"
    (other / "generated").mkdir(parents=True)
    gone = system_folder(AV_BENCHMARK.name) / "work" / "999999999-crosscheck"
    gone.mkdir()
    folders = find_run_folder(run) / "samples"
    assert crosscheck(run, folders, load_results(run), "cpu")
    assert list(other.parent.iterdir()) == [other]
    other.rename(other.with_name("x"))
    shutil.rmtree(other.with_name("x"))


def test_scores_without_samples_of_their_own_are_refused(run, checkout, tmp_path) -> None:
    with pytest.raises(RunError, match=r"has no sample of .*: bench crosscheck needs"):
        crosscheck(run, tmp_path / "samples", load_results(run), "cpu")
