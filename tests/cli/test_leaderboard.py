"""``bench leaderboard`` and the record of ``bench verify`` that it reads."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.results import Fairness, SeenJudge, load_results, write_bounds, write_results
from bench.verification import Verification, hash_result_files, write_verification
from tests.cli.conftest import refused
from tests.pipeline.finished import write_run

MALICE = """"><script>alert('x')</script>&<img src=x onerror="alert(1)">"""
CHROMIUM = shutil.which("chromium")


@pytest.fixture
def runs(tmp_path) -> Path:
    """Three runs of six clips, the first the best in MCD and the second in IB."""
    fairness = Fairness(
        ("video",), ("Greatest Hits",), (SeenJudge("imagebind", "reward", ("ib",)),)
    )
    step = np.arange(6.0)
    for name, mcd, ib in (("one", 4.0, 20.0), ("two", 5.0, 30.0), ("three", 6.0, 10.0)):
        scores = {"mcd": mcd + step, "ib": ib + step}
        write_run(tmp_path / "runs" / name, scores, system=name, clips="same", fairness=fairness)
    return tmp_path / "runs"


def check_run(directory: Path, path: Path, *problems: str) -> None:
    """Write the outcome of a check."""
    files = hash_result_files(directory)
    found = Verification("2026-02-03T04:05:06", "1", "one", "mini", 6, files, ("a",), (), problems)
    write_verification(path, found)


def read_page(folder: Path) -> str:
    """The page, once it was parsed."""
    text = (folder / "index.html").read_text()
    HTMLParser().feed(text)
    return text


def read_lines(folder: Path) -> Iterator[dict[str, str]]:
    """The lines of the file for spreadsheets."""
    return csv.DictReader((folder / "board.csv").read_text().splitlines())


def test_a_board_has_runs_by_their_mean_place_with_fairness_and_data_files(bench, runs, tmp_path):
    done = bench("leaderboard", runs, "--out", tmp_path / "board")
    assert done.returncode == 0, done.stderr
    page = read_page(tmp_path / "board")
    assert re.findall(r'<th scope="row" data-value="(\w+)"', page) == ["one", "two", "three"]
    assert "trained on: Greatest Hits" in page
    assert "imagebind took part in making this system: reward" in page
    assert page.count("not checked</span>") == 3
    board = json.loads((tmp_path / "board" / "board.json").read_text())["boards"][0]
    assert [row["best"] for row in board["rows"]] == [["mcd"], ["ib"], []]
    assert board["rows"][0]["metrics"]["mcd"]["value"] == 6.5
    lines = list(read_lines(tmp_path / "board"))
    assert [(line["system"], line["metric"]) for line in lines[:2]] == [
        ("one", "ib"),
        ("one", "mcd"),
    ]
    assert lines[1]["value"] == "6.5"
    assert lines[0]["trained_on"] == "Greatest Hits"


def test_runs_that_cannot_be_compared_are_on_boards_of_their_own_newest_protocol_first(
    bench, runs, tmp_path
):
    write_results(runs / "two", replace(load_results(runs / "two"), protocol_version=2))
    write_results(runs / "three", replace(load_results(runs / "three"), is_mini=False))
    bench("leaderboard", runs, "--out", tmp_path / "board")
    boards = json.loads((tmp_path / "board" / "board.json").read_text())["boards"]
    assert [board["rows"][0]["label"] for board in boards] == ["two", "three", "one"]


def test_a_check_counts_for_the_very_files_that_it_names(bench, runs, tmp_path):
    check_run(runs / "one", runs / "one" / "verify.json")
    check_run(runs / "two", runs / "two" / "verify.json", "samples/a.flac is <b>swapped</b>")
    bench("leaderboard", runs, "--out", tmp_path / "board")
    page = read_page(tmp_path / "board")
    assert ">verified</span><small>2026-02-03</small>" in page
    assert "samples/a.flac is &lt;b&gt;swapped&lt;/b&gt;" in page
    # Whose check failed is last and never best.
    assert re.findall(r'<th scope="row" data-value="(\w+)"', page) == ["one", "three", "two"]
    rows = json.loads((tmp_path / "board" / "board.json").read_text())["boards"][0]["rows"]
    assert [row["best"] for row in rows] == [["ib", "mcd"], [], []]
    (runs / "one" / "failures.jsonl").write_text("")
    bench("leaderboard", runs, "--out", tmp_path / "board")
    assert ">verified</span>" not in read_page(tmp_path / "board")


def test_a_folder_of_checks_is_believed_instead_of_what_a_submission_brings(bench, runs, tmp_path):
    check_run(runs / "one", runs / "one" / "verify.json")
    (tmp_path / "mine").mkdir()
    board = ("leaderboard", runs, "--out", tmp_path / "board", "--verified", tmp_path / "mine")
    bench(*board)
    assert ">verified</span>" not in read_page(tmp_path / "board")
    check_run(runs / "three", tmp_path / "mine" / "any-name.json")
    (tmp_path / "mine" / "other.json").write_text("[]")
    bench(*board)
    rows = json.loads((tmp_path / "board" / "board.json").read_text())["boards"][0]["rows"]
    assert {row["label"]: row["status"] for row in rows}["three"] == "verified"
    refused(bench("leaderboard", runs, "--verified", tmp_path / "gone"), "there is no folder")


def test_ranks_are_of_columns_with_a_score_per_clip_and_of_runs_over_the_same_clips(
    bench, runs, tmp_path
):
    write_run(
        runs / "short", {"mcd": np.ones(5)}, system="short", clips="other", of_set={"fd_vgg": 2.0}
    )
    bench("leaderboard", runs, "--out", tmp_path / "board", "--ranks")
    board = json.loads((tmp_path / "board" / "board.json").read_text())["boards"][0]
    means = {row["label"]: row["mean_rank"] for row in board["rows"]}
    assert means["one"] == {"value": 1.5, "low": 1.5, "high": 1.5}
    assert means["three"]["value"] == 3.0
    assert means["short"] is None
    notes = " ".join(board["notes"])
    assert "not in the rank: FD VGG" in notes
    assert "no rank, since they scored other clips or are not verified: short" in notes
    assert "Mean rank" in read_page(tmp_path / "board")


def test_everything_that_a_run_names_is_text(bench, runs, tmp_path):
    results = load_results(runs / "one")
    fairness = Fairness((MALICE,), (MALICE,), (SeenJudge(MALICE, MALICE, ("ib",)),))
    column = replace(results.columns[0], label=MALICE, unit=MALICE)
    changed = replace(
        results,
        system=MALICE,
        condition=MALICE,
        notes=(MALICE, f"only {MALICE}"),
        columns=(column, *results.columns[1:]),
        made_by=(
            {"version": MALICE, "code": MALICE, "weights": {MALICE: MALICE}, "device": MALICE},
        ),
        fairness=fairness,
        split=MALICE,
        judge=MALICE,
    )
    write_results(runs / "one", changed)
    (runs / "one" / "provenance.json").write_text(json.dumps({"commit": MALICE, "created": MALICE}))
    check_run(runs / "one", runs / "one" / "verify.json", MALICE)
    done = bench("leaderboard", runs, "--out", tmp_path / "board", "--title", MALICE)
    assert done.returncode == 0, done.stderr
    page = read_page(tmp_path / "board")
    assert page.count("<script>") == 1
    assert "<img" not in page
    assert "default-src &#x27;none&#x27;" in page


def test_a_text_in_csv_is_no_formula(bench, runs, tmp_path):
    write_results(runs / "one", replace(load_results(runs / "one"), system="=1+1"))
    bench("leaderboard", runs, "--out", tmp_path / "board")
    lines = list(read_lines(tmp_path / "board"))
    assert "'=1+1" in {line["system"] for line in lines}


@pytest.mark.parametrize(
    ("field", "value"), [("scored", "<b>"), ("protocol_version", "2"), ("system", 7)]
)
def test_a_run_of_other_types_is_refused_by_name(bench, runs, tmp_path, field, value):
    write_results(runs / "two", replace(load_results(runs / "two"), **{field: value}))
    refused(bench("leaderboard", runs, "--out", tmp_path / "board"), "two", "malformed")
    assert not (tmp_path / "board").exists()


def test_bounds_are_below_and_runs_of_one_name_have_their_folders(bench, runs, tmp_path):
    write_results(runs / "two", replace(load_results(runs / "two"), system="one"))
    bound = replace(load_results(runs / "one"), system="ground-truth", is_anchor=True)
    write_bounds(runs / "one", [bound])
    bench("leaderboard", runs, "--out", tmp_path / "board")
    labels = re.findall(r'<th scope="row" data-value="([^"]+)"', read_page(tmp_path / "board"))
    assert labels == ["one, seed 42 (one)", "one, seed 42 (two)", "three", "ground-truth"]
    bench("leaderboard", runs, "--out", tmp_path / "board", "--no-bounds")
    assert "ground-truth" not in read_page(tmp_path / "board")
    # Of submissions, whose bounds nobody has checked, only runs count.
    (tmp_path / "mine").mkdir()
    bench("leaderboard", runs, "--out", tmp_path / "board", "--verified", tmp_path / "mine")
    assert "ground-truth" not in read_page(tmp_path / "board")


def test_a_row_of_bounds_that_is_no_anchor_never_competes(bench, runs, tmp_path):
    write_bounds(runs / "one", [replace(load_results(runs / "one"), system="mine")])
    done = bench("leaderboard", runs, "--out", tmp_path / "board")
    refused(done, "bounds.json has a row of 'mine', which is no anchor")


@pytest.mark.parametrize("name", ["failures.jsonl", "scores.parquet", "provenance.json"])
def test_what_is_no_file_is_refused_and_never_waited_for(bench, runs, tmp_path, name):
    (runs / "one" / name).unlink(missing_ok=True)
    os.mkfifo(runs / "one" / name)
    refused(bench("leaderboard", runs, "--out", tmp_path / "board"), f"{name} is no file")


def test_ranks_are_of_one_row_for_each_scored_clip(bench, runs, tmp_path):
    board = ("leaderboard", runs, "--out", tmp_path / "board", "--ranks")
    path = runs / "one" / "scores.parquet"
    frame = pd.read_parquet(path)
    for rows in (pd.concat([frame, frame]), frame.iloc[[0, 0, 1, 2, 3, 4]], frame.iloc[1:]):
        rows.to_parquet(path, index=False)
        refused(bench(*board), "one/scores.parquet is malformed", "rows")
    frame.drop(columns="cluster").to_parquet(path, index=False)
    refused(bench(*board), "one/scores.parquet is malformed")


def test_a_folder_without_runs_is_refused(bench, tmp_path):
    refused(bench("leaderboard", tmp_path), "holds no finished run")


@pytest.mark.skipif(not CHROMIUM, reason="needs chromium")
def test_a_click_on_a_heading_sorts_the_table(bench, runs, tmp_path):
    bench("leaderboard", runs, "--out", tmp_path / "board")
    page = read_page(tmp_path / "board")
    # The headings are System, Check, Clips, IB, MCD: twice on IB is descending.
    clicks = "".join(f'document.querySelectorAll("thead button")[{i}].click();' for i in (0, 3, 3))
    # The page allows no script but its own: that of the test needs another policy.
    page = re.sub(r"<meta http-equiv=[^>]*>", "", page)
    path = tmp_path / "clicked.html"
    path.write_text(page.replace("</body>", f"<script>{clicks}</script></body>"))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", path.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    assert re.findall(r'<th scope="row" data-value="(\w+)"', dom) == ["two", "one", "three"]
    assert 'aria-sort="descending"' in dom


def test_what_all_runs_were_limited_to_is_printed_once(bench, runs, tmp_path):
    part = "only the first 6 of 128 clips"
    for each in ("one", "two", "three"):
        write_results(runs / each, replace(load_results(runs / each), notes=(part,)))
    board = ("leaderboard", runs, "--out", tmp_path / "board")
    bench(*board)
    page = read_page(tmp_path / "board")
    caption, notes = f"direction; {part}.</span></caption>", f"<li>{part}</li>"
    assert page.count(caption) == page.count(notes) == 1
    assert page.count(part) == 2
    # Where they differ, each has its own.
    write_results(runs / "two", replace(load_results(runs / "two"), notes=("only 6 named clips",)))
    bench(*board)
    page = read_page(tmp_path / "board")
    assert caption not in page
    assert page.count(f"<small>{part}</small>") == 2
    assert "<small>only 6 named clips</small>" in page


def test_a_board_explains_what_it_has(bench, runs, tmp_path):
    results = load_results(runs / "one")
    columns = tuple(replace(each, has_chance=each.name == "mcd") for each in results.columns)
    scores = {**results.metrics, "mcd": replace(results.metrics["mcd"], chance=8.25)}
    fairness = Fairness(("video",))
    changed = replace(results, columns=columns, metrics=scores, fairness=fairness)
    write_results(runs / "one", changed)
    bench("leaderboard", runs, "--out", tmp_path / "board")
    page = read_page(tmp_path / "board")
    assert "±" not in page
    assert "<small>chance 8.25</small>" in page
    assert "<li>chance: the same samples against the truth of other clips</li>" in page
    # As on the report page.
    assert "<small>trained on: none</small><small>judges seen: none</small>" in page
