"""``bench table`` on finished runs of every kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.cli.table import table
from bench.results import Column, Results, Score, load_results, write_bounds, write_results
from tests.cli.conftest import refused
from tests.pipeline.finished import write_run

MCD = Column("mcd", "MCD", "lower", 2, "dB")


@pytest.fixture
def runs(tmp_path):
    """A run on the mini world and one on real clips, as they lie on disk."""
    for split, is_mini in (("folder-clips-with-a-long-name-abc123", False), ("mini", True)):
        about = ("noise", split, "full", 42, "signal", "av-benchmark", 1, is_mini, False, 9, 9, 0)
        write_results(tmp_path / split, Results(*about, (MCD,), {"mcd": Score(1.0, 0.5, 1.5, 9)}))
    return tmp_path


@pytest.mark.parametrize("style", ["terminal", "markdown", "latex"])
def test_a_folder_of_mini_and_real_runs_gives_a_titled_table_of_each(runs, style, capsys):
    table([runs], style)
    out = capsys.readouterr().out
    assert out.count("noise") == 2
    assert out.count("mini world, not comparable with published numbers") == 1
    assert out.index("folder-clips-with-a-long-name-abc123") < out.index("mini world")


@pytest.mark.parametrize("style", ["terminal", "markdown", "latex", "csv"])
def test_floor_and_ceiling_of_a_run_are_rows_in_every_format(runs, style, capsys):
    bound = replace(load_results(runs / "mini"), system="ground-truth", is_anchor=True)
    write_bounds(runs / "mini", [bound])
    table([runs], style)
    assert capsys.readouterr().out.count("ground-truth") == 1
    table([runs], style, bounds=False)
    assert "ground-truth" not in capsys.readouterr().out


def test_csv_holds_all_of_them_and_goes_to_a_file(runs, tmp_path):
    table([runs], "csv", out=tmp_path / "all.csv")
    lines = (tmp_path / "all.csv").read_text().splitlines()
    assert len(lines) == 3
    assert "signal" in lines[1]


def test_a_run_on_mini_is_printed_by_action(bench, mini_home, monkeypatch):
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    run = ("run", "--model", "silence", "--split", "mini", "--limit", 4, "--workers", 0)
    assert bench(*run, "--metrics", "fd_vgg,lsd,env_corr").returncode == 0
    done = bench("table", "runs", "--by", "action", "--extras")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["mini", "by", "action"]
    numbers = {line[0]: line[1] for line in lines if line and line[0].endswith("ing")}
    assert numbers == dict.fromkeys(("bouncing", "dripping", "stepping", "striking"), "1")
    assert "1 clip: an interval needs at least 2" in done.stdout
    assert "FD VGG: not computed by group: the value of a whole set depends on" in done.stdout


def test_an_unknown_axis_and_runs_without_groups_are_one_sentence(bench, runs, rng):
    write_run(runs / "a", {"mcd": rng.normal(size=4)})
    refused(bench("table", runs / "a", "--by", "action"), "has no groups of clips")
    path = runs / "a" / "scores.parquet"
    pd.read_parquet(path).assign(by_action="tapping").to_parquet(path)
    refused(bench("table", runs / "a", "--by", "size"), "no run has groups by 'size'", "action")
    write_run(runs / "b", {"mcd": rng.normal(size=4)})
    done = bench("table", runs / "a", runs / "b", "--by", "action", "--format", "csv")
    assert done.returncode == 0
    assert "b has no groups by 'action' and is left out" in " ".join(done.stderr.split())
    assert len(done.stdout.splitlines()) == 3


def test_the_terminal_prints_the_intervals_of_groups(bench, runs):
    write_run(runs / "a", {"mcd": np.array([1.0, 2.0, 5.0, 5.0])})
    path = runs / "a" / "scores.parquet"
    pd.read_parquet(path).assign(by_action=["a", "a", "b", "b"]).to_parquet(path)
    done = bench("table", runs / "a", "--by", "action")
    # Student's t with one degree of freedom: 12.706 times a standard error of 0.5.
    assert "1.50 ±6.35" in done.stdout
    assert "5.00 ±0.00" in done.stdout
