"""``bench report``: what it writes, what it writes again, and what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import bench as library
from tests.cli.conftest import refused
from tests.pipeline.finished import write_run
from tests.reports.test_page import read_script, two_runs


@pytest.fixture(scope="module")
def runs(mini_home, tmp_path_factory) -> Path:
    """Finished runs of two systems on three mini clips."""
    folder = tmp_path_factory.mktemp("report") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_HOME", str(mini_home))
        for model in ("reference-loop", "noise"):
            library.run(model, split="mini", limit=3, metrics="mcd,lsd", workers=0, runs=folder)
    return folder


def test_the_page_of_two_runs(bench, mini_home, runs, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    out = tmp_path / "site"
    done = bench("report", runs, "--out", out, "--media", "2", "--workers", "0")
    assert done.returncode == 0, done.stderr
    assert f"{out / 'index.html'}" in done.stderr.replace("\n", "")
    assert "media of 2 clips, about" in done.stderr
    _, clips = read_script(out / "data" / "clips.js")
    assert clips["prompts"][0]
    assert len(clips["media"]) == 2
    for path in clips["media"].values():
        _, found = read_script(out / path)
        files = [found["video"]["file"], found["tracks"]["run1"]["audio"]]
        assert all((out / file).stat().st_size > 1000 for file in files)
    page = (out / "index.html").read_text("utf-8")
    assert "2 of 3 clips have video and audio here" in page
    before = {path: path.stat().st_mtime_ns for path in out.rglob("media/*/*")}
    # The same again makes no media; more of them keeps those that are there.
    again = bench("report", runs, "--out", out, "--media", "2", "--workers", "0")
    assert "media of" not in again.stderr
    more = bench("report", runs, "--out", out, "--media", "all", "--workers", "0")
    assert "media of 1 clip," in more.stderr
    assert before.items() <= {p: p.stat().st_mtime_ns for p in out.rglob("media/*/*")}.items()
    fewer = bench("report", runs, "--out", out, "--media", "0", "--workers", "0")
    assert fewer.returncode == 0
    assert len(read_script(out / "data" / "clips.js")[1]["media"]) == 3


def test_clips_without_a_sample_or_a_video_still_have_a_page(
    bench, mini_home, runs, tmp_path, monkeypatch
):
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    copy = tmp_path / "runs"
    shutil.copytree(runs, copy)
    samples = sorted((copy / "noise").rglob("*.flac"))
    samples[0].unlink()
    samples[1].write_bytes(b"no audio")
    done = bench("report", copy, "--out", tmp_path / "site", "--workers", "0")
    assert done.returncode == 0, done.stderr
    _, clips = read_script(tmp_path / "site" / "data" / "clips.js")
    scripts = [read_script(tmp_path / "site" / path)[1] for path in clips["media"].values()]
    errors = [script["tracks"]["run0"].get("error") for script in scripts]
    assert sum(each is not None for each in errors) == 2


def test_runs_of_a_split_that_cannot_be_opened_have_a_page_without_media(bench, tmp_path):
    two = two_runs(tmp_path, split="my-clips")
    done = bench("report", two[1], "--out", tmp_path / "site")
    assert done.returncode == 0, done.stderr
    assert "the split my-clips cannot be opened" in done.stderr.replace("\n", " ")
    assert "--split folder:PATH" in done.stderr
    page = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert "the videos of my-clips were not at hand" in page


def test_a_folder_of_videos_is_named_by_its_path(bench, home, clicks_folder, tmp_path):
    folder = tmp_path / "runs"
    library.run(
        "reference-loop", split=f"folder:{clicks_folder}", metrics="lsd", workers=0, runs=folder
    )
    out = tmp_path / "site"
    done = bench("report", folder, "--out", out, "--split", f"folder:{clicks_folder}")
    assert done.returncode == 0, done.stderr
    assert len(read_script(out / "data" / "clips.js")[1]["media"]) == 3
    refused(
        bench("report", folder, "--out", out, "--split", "mini"),
        "--split mini is the split mini, and the runs are of folder-",
    )


def test_what_is_wrong_is_one_sentence(bench, tmp_path):
    first, second = two_runs(tmp_path / "runs")
    file = tmp_path / "file"
    file.touch()
    refused(bench("report", first, "--out", file), "is a file: name a folder for the page")
    refused(bench("report", tmp_path / "none"), "holds no finished run")
    refused(bench("report", first, "--out", first), "holds other files, such as scores.json")
    refused(bench("report", first, "--media", "most"), "--media 'most' is not understood")
    for name, value in (("split", "mini-hits"), ("judge", "paper"), ("protocol_version", 2)):
        other = write_run(tmp_path / name, {"mcd": [1.0, 2.0]}, system="other", **{name: value})
        done = bench("report", first, other, "--out", tmp_path / "site")
        refused(done, "cannot share a page", name)
    assert not (tmp_path / "site" / "index.html").exists()
