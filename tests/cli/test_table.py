"""``bench table`` on finished runs of every kind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.cli.table import table
from bench.results import Column, Results, Score, load_results, write_bounds, write_results

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
