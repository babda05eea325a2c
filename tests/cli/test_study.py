"""``bench study``: what it prints, and one line for each error."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import refused
from tests.study.conftest import run_folders  # noqa: F401 - a fixture
from tests.study.test_analyse import write_simulable


@pytest.fixture
def study(tmp_path):
    return write_simulable(tmp_path / "study")


def test_a_study_is_simulated_analysed_and_exported(bench, study, tmp_path):
    truth = ("--truth", "fidelity=0.8", "--truth", "sync=0.5/0.3")
    done = bench("study", "simulate", study, "--raters", 8, *truth)
    assert "160 votes of 8 simulated raters" in done.stderr
    files = tmp_path / "numbers.json", tmp_path / "forest.svg"
    done = bench("study", "analyse", study, "--json", files[0], "--figure", files[1])
    assert done.returncode == 0
    for words in (
        "Human study of one and two (simulated raters, mini clips)",
        "8 sessions, 8 raters count; left out: none",
        "Table 3: simulated raters, mini clips",
        "61.1 (±4.3)",
        "its text 61.6",
        "Which metric do raters agree with? (simulated raters, judge mini)",
        "any agreement with a metric is chance, and no finding",
        "DeSync",
    ):
        assert words in done.stdout, words
    numbers = json.loads(files[0].read_text("utf-8"))
    assert numbers["is_simulated"] is True
    assert numbers["questions"][1]["pairs"][0]["rates"]["tie"]["truth"] == pytest.approx(0.3)
    assert [row["percent"] for row in numbers["table3"]] == [61.1, 21.8, 83.5]
    assert numbers["table3"][1]["measured"]["binomial"]["n"] == 128
    assert files[1].stat().st_size > 1_000
    done = bench("study", "export", study)
    assert done.stdout.startswith("session,source,position,kind,clip,a,b,question,choice,chosen")
    assert bench("study", "export", study, "--comments").stdout == "session,position,comment\n"
    codes = bench("study", "export", study, "--codes").stdout.splitlines()
    assert codes[0] == "panel_id,completion_code,answered,trials"
    assert [line.split(",")[0::2] for line in codes[1:]] == [["", "20"]] * 8
    refused(bench("study", "export", study, "--codes", "--comments"), "write one at a time")
    bench("study", "export", study, "--out", tmp_path / "votes.csv")
    assert (tmp_path / "votes.csv").read_text("utf-8") == done.stdout


def test_power_states_raters_and_the_limits_of_few_videos(bench):
    done = bench("study", "power", "--effect", 0.6, "--per-rater", 16, "--icc", 0.05)
    assert "22 raters (340 votes, design effect 1.75)" in done.stdout
    assert "the paper's 496 votes resolve 56.3 % if independent, 58.3 %" in done.stdout
    done = bench("study", "power", "--video-icc", 0.1)
    assert "no number of raters is enough: with 16 videos" in done.stdout
    refused(bench("study", "power", "--effect", 0.5), "cannot plan this study")


def test_wrong_input_is_one_clear_line(bench, study, tmp_path):
    refused(bench("study", "analyse", tmp_path), "holds no study")
    refused(bench("study", "analyse", study), "has no answers yet")
    refused(bench("study", "analyse", study, "--figure", "forest.bmp"), "a figure is")
    refused(bench("study", "export", tmp_path), "holds no study")
    refused(bench("study", "simulate", study, "--truth", "sync:0.5"), "write QUESTION=WIN")
    refused(bench("study", "simulate", study, "--truth", "sync=0.5"), "for each question")
    refused(bench("study", "design", tmp_path), "compares two or more runs")
    refused(bench("study", "design", tmp_path, study), "holds no finished run")


def test_a_study_is_designed_from_runs(
    bench,
    monkeypatch,
    run_folders,  # noqa: F811
    mini_home,
    tmp_path,
):
    def write(video, audio, destination, *, start_s):
        destination.write_bytes(b"video")

    monkeypatch.setattr("bench.study.media.mux_audio", write)
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    done = bench("study", "design", *run_folders[:2], "--videos", 3, "--out", tmp_path / "new")
    assert (
        "3 clips, 1 pair of systems, 3 trials per rater, beside practice and checks" in done.stdout
    )
    assert "power: " in done.stdout
    assert "note: checks show clips of the study" in done.stderr
    done = bench("study", "design", *run_folders[:2], "--videos", 3, "--out", tmp_path / "new")
    refused(done, "exists already")
