"""``bench data filter``: the score of every clip of a list by a small ImageBind, and the list."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from acfoley.train.clips import read_prepared
from bench.backbones import imagebind
from bench.backbones.imagebind_front_end import RELEASE_GAPS, clip_spans, reference_clips
from bench.checkpoints.registry import OFFICIAL_FILES
from bench.datasets.vggsound import prepare, vggsound_directory
from bench.engine import InlineEngine
from bench.inputs.manifest import MANIFEST, MediaRow
from bench.judges import ClipMedia, open_judge
from bench.judges.paper import with_release_windows
from bench.media import read_audio, resample
from bench.pipeline import ib_filter
from bench.pipeline.ib_filter import FilterPlan, ScoredClip
from bench.pipeline.ib_list import OtherList, read_other_list, require_own_list, write_list
from bench.suite import select
from bench.types import Excerpt
from tests.cli.conftest import refused
from tests.conftest import ROOT
from tests.datasets.videos import write_mp4
from tests.pipeline.small_imagebind import load_small, write_small
from tests.pipeline.test_interrupted import wait_until

TEST = [f"test{number}-clips_00001{number}" for number in range(5)]
TRAIN = [f"train{number}-clip_00002{number}" for number in range(3)]
MISSING = "gone-gone-g_000030"
FILTER = ("data", "filter", "vggsound", "--workers", "0")


@pytest.fixture(scope="session")
def copy(tmp_path_factory) -> Path:
    """A copy of a small dataset: its table, and all clips but one."""
    folder = tmp_path_factory.mktemp("vggsound")
    for number, name in enumerate([*TEST, *TRAIN]):
        write_mp4(folder / f"{name}.mp4", 10 + 0.1 * number)
    rows = [(name, "test") for name in (*TEST, MISSING)] + [(name, "train") for name in TRAIN]
    lines = (f"{name[:11]},{int(name[12:])},a noise,{split}\n" for name, split in rows)
    (folder / "vggsound.csv").write_text("".join(lines))
    return folder


@pytest.fixture(scope="session")
def small_weights(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    write_small(folder)
    return folder


@pytest.fixture
def dataset(copy, small_weights, home, monkeypatch) -> Path:
    """The prepared dataset, and a small ImageBind that counts as the official one."""
    shutil.copytree(small_weights, home / "weights")
    monkeypatch.setitem(OFFICIAL_FILES, "imagebind", write_small(home / "weights"))
    monkeypatch.setattr(imagebind, "load_imagebind", load_small)
    prepare(copy, InlineEngine(), lambda stage, done, total: None)
    return vggsound_directory()


@pytest.fixture
def forward_calls(monkeypatch) -> list[str]:
    """The inputs that the network was given so far, one entry a clip."""
    calls: list[str] = []
    for name in ("embed_audio", "embed_video"):
        embed = getattr(imagebind, name)

        def count(network, batch, embed=embed, name=name):
            calls.extend([name] * len(batch))
            return embed(network, batch)

        monkeypatch.setattr(imagebind, name, count)
    return calls


def read_rows(path: Path) -> dict[str, dict]:
    return {row["clip"]: row for row in pq.read_table(path).to_pylist()}


def scores_of(folder: Path) -> dict[str, float]:
    rows = read_rows(folder / "ib-test-av-benchmark.parquet")
    return {name: row["score"] for name, row in rows.items() if row["score"] is not None}


def test_the_list_has_the_clips_that_reach_the_threshold(bench, dataset):
    bench(*FILTER)
    scores = scores_of(dataset)
    assert sorted(scores) == TEST
    threshold = sorted(scores.values())[2]
    done = bench(*FILTER, "--min-ib", repr(threshold))
    assert done.returncode == 1  # one clip is missing
    assert MISSING in done.stderr
    name = f"ib{threshold:g}"
    kept = (dataset / f"{name}.txt").read_text().split()
    assert kept == [clip for clip in TEST if scores[clip] >= threshold]
    assert len(kept) == 3
    report = json.loads((dataset / f"{name}.json").read_text())
    digest = hashlib.sha256((dataset / f"{name}.txt").read_bytes()).hexdigest()
    assert report["sha256"] == digest
    assert digest in done.stdout
    counted = [report[key] for key in ("kept", "clips", "scored", "missing", "failed")]
    assert counted == [3, 6, 5, 1, 0]
    assert bench(*FILTER, "--min-ib", repr(threshold), "--min-coverage", "0.8").returncode == 0
    row = read_rows(dataset / "ib-test-av-benchmark.parquet")[MISSING]
    assert (row["score"], row["reason"]) == (None, "no video")


def test_a_score_is_that_of_a_run_of_the_ground_truth_and_nothing_is_computed_twice(
    bench, dataset, forward_calls
):
    assert bench(*FILTER).returncode == 1
    assert forward_calls.count("embed_video") == len(TEST)
    n_calls = len(forward_calls)
    options = ("--split", "vggsound-test", "--metrics", "ib", "--workers", "0")
    assert bench("run", "--model", "ground-truth", *options).returncode == 1
    assert len(forward_calls) == n_calls
    (path,) = Path.cwd().rglob("scores.parquet")
    found = pd.read_parquet(path).set_index("clip")["ib"]
    assert {name: 100 * score for name, score in scores_of(dataset).items()} == dict(found)


def test_after_a_run_of_the_ground_truth_the_filter_computes_nothing(bench, dataset, forward_calls):
    options = ("--split", "vggsound-test", "--metrics", "ib", "--workers", "0")
    bench("run", "--model", "ground-truth", *options)
    assert forward_calls.count("embed_video") == len(TEST)
    n_calls = len(forward_calls)
    bench(*FILTER, "--min-ib", "-1")  # none is within 0.05 of it
    assert len(scores_of(dataset)) == len(TEST)
    assert len(forward_calls) == n_calls


def test_processes_share_a_list_and_the_last_command_merges_it(bench, dataset, home, forward_calls):
    bench(*FILTER)
    whole = {path.name: path.read_bytes() for path in dataset.glob("ib*")}
    for path in dataset.glob("ib*"):
        path.unlink()
    for part in ("0/2", "1/2"):
        bench(*FILTER, "--part", part)
    shares = [len(read_rows(dataset / f"ib-test-av-benchmark.{k}of2.parquet")) for k in (0, 1)]
    assert shares == [3, 3]
    assert not (dataset / "ib0.3.txt").exists()
    forward_calls.clear()
    shutil.rmtree(home / "features")  # rows that are finished need them no more
    bench(*FILTER)
    assert forward_calls == []
    assert {path.name: path.read_bytes() for path in dataset.glob("ib*")} == whole


def test_part_takes_no_option_of_the_list(bench, dataset):
    refused(bench(*FILTER, "--part", "0/2", "--force"), "--part only scores")
    refused(bench(*FILTER, "--part", "2/2"), "no part 2 of 2")


def test_after_kill_9_the_same_command_scores_the_rest_with_the_same_bytes(
    bench, dataset, forward_calls, tmp_path
):
    path = dataset / "ib-test-av-benchmark.parquet"
    command = [sys.executable, "-m", "tests.pipeline.small_imagebind", *FILTER]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL)
    wait_until(path.exists)
    process.send_signal(signal.SIGKILL)
    process.wait()
    n_before = len(scores_of(dataset))
    assert 1 <= n_before < len(TEST)
    bench(*FILTER)
    assert forward_calls.count("embed_video") <= len(TEST) - n_before
    resumed = {path.name: path.read_bytes() for path in dataset.glob("ib*")}
    assert all(not name.endswith(".work") for name in resumed)
    for name in resumed:
        (dataset / name).unlink()
    bench(*FILTER)
    assert {path.name: path.read_bytes() for path in dataset.glob("ib*")} == resumed


def test_a_clip_that_fails_is_a_named_row_and_is_tried_again(bench, dataset, copy, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(copy, own)
    shutil.rmtree(dataset)
    prepare(own, InlineEngine(), lambda stage, done, total: None)
    (own / f"{TEST[1]}.mp4").write_bytes(b"no video")
    done = bench(*FILTER)
    assert done.returncode == 1
    assert TEST[1] in done.stderr
    row = read_rows(dataset / "ib-test-av-benchmark.parquet")[TEST[1]]
    assert row["score"] is None
    assert row["reason"].startswith("generate: ")
    assert json.loads((dataset / "ib0.3.json").read_text())["failed"] == 1
    shutil.copy(copy / f"{TEST[1]}.mp4", own)
    bench(*FILTER)
    assert sorted(scores_of(dataset)) == TEST


def test_a_list_of_somebody_else_is_replaced_only_by_force(bench, dataset):
    (dataset / "ib0.3.txt").write_text(f"{TEST[0]}\n")
    done = bench(*FILTER)
    refused(done, "was not computed by the profile av-benchmark here", "--force")
    assert len(done.stderr.strip().splitlines()) <= 2
    assert (dataset / "ib0.3.txt").read_text() == f"{TEST[0]}\n"
    assert bench(*FILTER, "--force").returncode == 1
    assert bench(*FILTER).returncode == 1  # its own
    refused(bench(*FILTER, "--profile", "strict"), "by the profile strict here")


def test_scores_of_the_clips_to_train_on_are_those_that_fine_tuning_reads(bench, dataset):
    assert bench(*FILTER, "--list", "train").returncode == 0
    rows = read_rows(dataset / "ib-train-av-benchmark.parquet")
    clips = read_prepared(dataset / MANIFEST, "train").clips
    assert {clip.name: clip.score for clip in clips} == {
        name: rows[name]["score"] for name in TRAIN
    }
    assert not (dataset / "ib0.3.txt").exists()
    assert bench(*FILTER, "--list", "train", "--min-ib", "0.2").returncode == 0
    (dataset / "scores.csv").write_text(f"name,score\n{TRAIN[0]},0.9\n")
    refused(bench(*FILTER, "--list", "train"), "scores.csv is there already")


def test_results_over_a_computed_list_have_its_size_and_hash(bench, dataset):
    bench(*FILTER)
    scores = scores_of(dataset)
    (dataset / "ib0.3.txt").write_text("".join(f"{name}\n" for name in [*scores][:2]))
    digest = hashlib.sha256((dataset / "ib0.3.txt").read_bytes()).hexdigest()[:12]
    options = ("--split", "vggsound-ib0.3", "--metrics", "ib", "--workers", "0", "--runs", "r")
    note = f"ib0.3.txt names 2 clips, the paper has 8,676 (SHA-256 {digest})"
    assert note in bench("run", "--model", "ground-truth", *options).stdout
    (path,) = Path("r").rglob("scores.json")
    assert note in json.loads(path.read_text())["notes"]
    assert note in bench("table", path.parent).stdout


def make_plan(home: Path, names: list[str]) -> FilterPlan:
    (metric,) = select("av-benchmark", ["ib"])
    rows = tuple(MediaRow(name, split="test", path="x") for name in names)
    return FilterPlan("test", rows, open_judge("paper", "av-benchmark"), metric, 0.3, 0)


def test_a_score_of_exactly_the_threshold_is_kept(home):
    below = float(np.nextafter(0.3, 0))
    rows = [ScoredClip("a", 0.3), ScoredClip("b", below), ScoredClip("c"), ScoredClip("d", 0.9)]
    plan = make_plan(home, ["a", "b", "c", "d"])
    report = write_list(plan, rows)
    assert (vggsound_directory() / "ib0.3.txt").read_text() == "a\nd\n"
    assert (report.kept, report.failed, report.paper) == (2, 1, 8_676)
    assert report.border == {"0.005": 2, "0.01": 2}
    require_own_list(plan)


def test_the_report_counts_what_other_windows_change(home):
    rows = [
        ScoredClip("a", 0.31, release_score=0.29),
        ScoredClip("b", 0.29, release_score=0.33),
        ScoredClip("c", 0.29, release_score=0.28),
        ScoredClip("d", 0.9),
    ]
    windows = write_list(make_plan(home, ["a", "b", "c", "d"]), rows).windows
    assert (windows.clips, windows.gained, windows.lost) == (3, 1, 1)
    assert windows.largest_change == pytest.approx(0.04)


def test_a_list_to_compare_with_may_name_clips_by_milliseconds(bench, dataset, tmp_path):
    other = tmp_path / "vaura.txt"
    other.write_text(f"{TEST[0][:11]}_10000_20000\n{TEST[4]}.mp4\nxxxxxxxxxxx_000001\n")
    plan = make_plan(tmp_path, TEST)
    found = read_other_list(plan, other)
    assert found == OtherList("vaura.txt", frozenset({TEST[0], TEST[4], "xxxxxxxxxxx_000001"}))
    rows = [ScoredClip(name, 0.5 if name in TEST[:2] else 0.1) for name in TEST]
    overlap = write_list(plan, rows, found).compared
    assert overlap is not None
    numbers = (overlap.both, overlap.only_here, overlap.only_there, overlap.unscored)
    assert numbers == (1, 1, 2, 1)
    other.write_text("someone\n")
    refused(bench(*FILTER, "--force", "--compare", other), "names no clip of the test list")


def test_clips_near_the_threshold_are_scored_in_the_windows_of_the_release_too(
    bench, dataset, forward_calls
):
    bench(*FILTER, "--min-ib", "-1")
    score = scores_of(dataset)[TEST[0]]
    forward_calls.clear()
    done = bench(*FILTER, "--min-ib", repr(score))
    rows = read_rows(dataset / "ib-test-av-benchmark.parquet")
    near = [name for name, each in scores_of(dataset).items() if abs(each - score) <= 0.05]
    assert [name for name in TEST if rows[name]["release_score"] is not None] == near
    assert forward_calls == ["embed_audio"] * len(near)
    assert any(rows[name]["release_score"] != rows[name]["score"] for name in near)
    assert "kept by windows at 0, 2, 4 s instead of 0, 3, 6 s" in done.stdout


def test_the_release_cuts_windows_at_0_2_and_4_of_8_seconds(copy):
    starts = [span.start / 16_000 for span in clip_spans(8 * 16_000, RELEASE_GAPS)]
    assert starts == [0, 2, 4]
    assert [span.start / 16_000 for span in clip_spans(8 * 16_000)] == [0, 3, 6]
    path = copy / f"{TEST[0]}.mp4"
    judge = open_judge("paper", "av-benchmark")
    release = with_release_windows(judge.extractors, judge.profile)
    mels = release.prepare(ClipMedia(Excerpt(path, 0.0, 8.0)))["mels"]
    audio = read_audio(Excerpt(path))
    samples = resample(audio.samples, audio.sample_rate_hz, 16_000, method="sinc_hann")
    file = torch.from_numpy(samples)
    assert np.array_equal(mels, reference_clips(file, RELEASE_GAPS).numpy())
    assert not np.array_equal(mels, reference_clips(file).numpy())


def test_scores_in_another_process_are_refused_while_it_works(bench, dataset):
    from bench.pipeline.run import lock_folder

    with lock_folder(dataset / "ib-test-av-benchmark.work"):
        refused(bench(*FILTER), "another process works on")


def test_the_disk_has_to_hold_the_samples_of_one_chunk(bench, dataset, monkeypatch):
    full = shutil._ntuple_diskusage(10, 10, 0)
    monkeypatch.setattr("shutil.disk_usage", lambda path: full)
    refused(bench(*FILTER), "5 clips at a time need about", "0.0 GiB free")


def test_samples_of_a_filter_that_is_stopped_are_named_and_go_when_it_is_finished(
    bench, dataset, monkeypatch
):
    def stop(plan, progress):
        (plan.work / "samples").mkdir(parents=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ib_filter, "score_list", stop)
        done = bench(*FILTER, "--part", "0/2")
    work = dataset / "ib-test-av-benchmark.0of2.work"
    assert done.returncode == 130
    words = " ".join(done.stderr.split())
    assert f"{work} has the samples of up to 1,000 clips: delete it if you will not go on" in words
    other = dataset / "ib-test-strict.0of2.work"
    other.mkdir()
    bench(*FILTER)
    assert [path.name for path in dataset.glob("*.work")] == [other.name]


def test_samples_of_a_part_that_works_are_kept(bench, dataset):
    from bench.pipeline.run import lock_folder

    work = dataset / "ib-test-av-benchmark.1of2.work"
    with lock_folder(work):
        assert bench(*FILTER).returncode == 1  # for the clip that is missing
        assert work.is_dir()


def test_chunks_give_the_same_rows_and_leave_no_samples(bench, dataset, monkeypatch):
    bench(*FILTER)
    whole = (dataset / "ib-test-av-benchmark.parquet").read_bytes()
    (dataset / "ib-test-av-benchmark.parquet").unlink()
    monkeypatch.setattr(ib_filter, "CHUNK", 2)
    bench(*FILTER)
    assert (dataset / "ib-test-av-benchmark.parquet").read_bytes() == whole
    assert not [*dataset.rglob("*.flac")]


def test_a_list_that_the_manifest_has_not_is_refused(bench, dataset, copy, tmp_path):
    refused(bench(*FILTER, "--list", "val"), "--list 'val' is not known; there are: test, train")
    refused(bench("data", "filter", "wavcaps"), "there is no filter for 'wavcaps'")
