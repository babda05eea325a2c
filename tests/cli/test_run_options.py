"""The options of ``bench run``, through the command line: files they keep, and refusals."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from bench.results import load_bounds
from tests.cli.conftest import refused

#: A system whose code a user edits.
MINE = """
import numpy as np
from bench.system import System, one_by_one
from bench.types import Audio

LEVEL = 0.1


def make(request):
    time_s = np.arange(round(16_000 * request.seconds)) / 16_000
    wave = LEVEL * np.sin(2 * np.pi * 440 * time_s) * np.exp(-6 * (time_s % 0.5))
    return Audio(wave[None].astype(np.float32), 16_000)


def open_model(device):
    return one_by_one(make)


SYSTEM = System("mine", "mine", frozenset({"video"}), open_model)
"""


@pytest.fixture
def mine(bench, clicks_folder, tmp_path):
    """Run the user's own system on the click clips with some options."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine.py").write_text(MINE)
    split = f"folder:{clicks_folder}"

    def call(*options: object):
        # One column that is quick to extract, in one process, which is all that they need.
        quick = ("--workers", 0, "--metrics", "onset_acc")
        return bench("run", "--model", "mine:SYSTEM", "--split", split, *quick, *options)

    return call


def finished(tmp_path):
    (run,) = (tmp_path / "here" / "runs").glob("*/*/full-42")
    return run


def test_edited_code_makes_samples_again_and_results_name_them(mine, tmp_path):
    before = mine()
    assert before.returncode == 0, before.stderr
    (tmp_path / "here" / "mine.py").write_text(MINE.replace("0.1", "0.7"))
    kept = mine("--keep-samples")
    assert kept.returncode == 0
    assert "3 of 3 samples are kept that would be made otherwise now" in kept.stdout
    again = mine()
    assert "its code has changed" in again.stderr
    assert "made again" in again.stderr
    scores = json.loads((finished(tmp_path) / "scores.json").read_text())
    assert [each["samples"] for each in scores["made_by"]] == [3]
    refused(mine("--keep-samples", "--yes"), "--keep-samples", "--yes", "give one")


def test_parts_of_a_finished_run_leave_its_files_as_they_are(mine, tmp_path):
    assert mine().returncode == 0
    run = finished(tmp_path)
    files = [run / name for name in ("scores.json", "scores.parquet", "failures.jsonl")]
    before = [path.read_bytes() for path in files]
    assert mine("--limit", 2).returncode == 0
    assert mine("--clip", "clip_000002", "--clip=clip_000000").returncode == 0
    (tmp_path / "only.txt").write_text("clip_000001\n")
    only = mine("--only", tmp_path / "only.txt")
    assert only.returncode == 0
    assert "only 1 of 3 clips" in only.stdout
    assert [path.read_bytes() for path in files] == before
    parts = {path.parent.name for path in run.glob("*/scores.parquet")}
    assert {name.rpartition("-")[0] for name in parts} == {"first", "only-2", "only-1"}
    (two,) = run.glob("only-2-*")
    rows = pd.read_parquet(two / "scores.parquet")
    assert list(rows["clip"]) == ["clip_000000", "clip_000002"]
    refused(mine("--clip", "nope"), "has no clip 'nope'")


def test_coverage_decides_the_exit_code(bench, clicks_folder, tmp_path):
    folder = tmp_path / "samples"
    folder.mkdir()
    command = ("run", "--model", f"precomputed:{folder}", "--split", f"folder:{clicks_folder}")
    source = next(clicks_folder.glob("*.mp4"))
    for name in ("clip_000000", "clip_000001"):
        (folder / f"{name}.mp4").write_bytes(source.read_bytes())
    options = ("--metrics", "onset_acc", "--workers", 0)
    whole = bench(*command, *options)
    assert whole.returncode == 1
    assert "clip_000002" in whole.stderr
    assert bench(*command, *options, "--min-coverage", 0.6).returncode == 0
    assert bench(*command, *options, "--min-coverage", 0.7).returncode == 1


def test_floor_and_ceiling_are_printed_beside_the_columns(mine, tmp_path):
    out = tmp_path / "result.json"
    done = mine("--bounds", "--json", out)
    assert done.returncode == 0, done.stderr
    assert "ground-truth  shuffled  silence  reference-loop" in done.stdout
    bounds = json.loads(out.read_text())["metrics"]["onset_acc"]["bounds"]
    assert bounds["ground-truth"] == 1.0
    assert bounds["silence"] == 0.0
    assert [each.system for each in load_bounds(finished(tmp_path))] == list(bounds)
