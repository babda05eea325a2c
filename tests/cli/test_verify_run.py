"""``bench verify``: exit codes, sentences, and the file that a board reads."""

from __future__ import annotations

import json
import os

import pandas as pd
import pytest

from tests.cli.conftest import refused


@pytest.fixture
def run(bench, mini_home, monkeypatch, tmp_path):
    """A run of two mini clips, as the command left it."""
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    options = ("--limit", 2, "--workers", 0, "--metrics", "lsd,env_corr", "--runs", tmp_path)
    assert bench("run", "--model", "silence", "--split", "mini", *options).returncode == 0
    return tmp_path / "silence" / "mini" / "full-42" / "first-2"


def test_a_run_is_verified_and_so_it_is_on_a_board(bench, run, tmp_path):
    outcome = run / "verify.json"
    done = bench("verify", run, "--workers", 0, "--regenerate", 1, "--json", outcome)
    assert done.returncode == 0, done.stderr
    assert "verified: silence on mini, 2 clips; features of 2 extracted again" in done.stdout
    assert "the samples of 1 made again" in done.stdout
    assert "does not prove who or what made those samples" in " ".join(done.stdout.split())
    found = json.loads(outcome.read_text())
    assert found["verified"] is True
    assert found["problems"] == []
    assert f"--salt {found['salt']} chooses these clips again" in done.stdout
    again = bench("verify", run, "--workers", 0, "--salt", found["salt"])
    assert f"--salt {found['salt']} chooses" in again.stdout
    assert bench("leaderboard", run, "--out", tmp_path / "board").returncode == 0
    assert ">verified</span>" in (tmp_path / "board" / "index.html").read_text()


def test_each_problem_is_a_sentence_and_the_exit_code_1(bench, run, tmp_path):
    frame = pd.read_parquet(run / "scores.parquet")
    frame["lsd"] += 1
    frame.to_parquet(run / "scores.parquet", index=False)
    done = bench("verify", run, "--workers", 0, "--json", tmp_path / "outcome.json")
    assert done.returncode == 1
    assert "not verified: silence on mini, 2 clips: 3 problems" in done.stdout
    assert "scores.parquet: lsd of mini_000000 is" in done.stderr
    found = json.loads((tmp_path / "outcome.json").read_text())
    assert found["verified"] is False
    assert len(found["problems"]) == 3


def test_what_cannot_be_checked_is_refused(bench, run, tmp_path):
    refused(bench("verify", tmp_path / "gone"), "holds no finished run")
    refused(bench("verify", run.parent), "further inside", "first-2")
    refused(bench("verify", run, "--split", "mini-hits"), "--split opens mini-hits")
    refused(bench("verify", run, "--json", tmp_path), "is a folder; name a file")
    refused(bench("verify", run, "--sample", -1), "")
    refused(bench("verify", run, "--salt", "mine"), "the salt 'mine' is none")


def test_a_folder_with_what_is_no_file_is_not_read(bench, run):
    os.mkfifo(run / "odd")
    done = bench("verify", run)
    assert done.returncode == 1
    assert "odd is neither a file nor a folder" in done.stderr
    assert "not verified: the folder was not read: 1 problem" in done.stdout
