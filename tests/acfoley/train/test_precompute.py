"""Features on disk: complete, resumable, independent of who writes them, or refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from acfoley.train.clips import ClipList, CropLayout
from acfoley.train.dataset import FeatureDataset
from acfoley.train.features import Encoding, Source, encode_clip
from acfoley.train.precompute import ShardOptions, precompute
from acfoley.train.shards import Part, damaged_shards
from bench.errors import BenchError, MediaError, MissingError, RunError
from tests.acfoley.train.small import (
    COLUMNS,
    ENCODING,
    LAYOUT,
    NAMES,
    clip,
    make_list,
    write_features,
)

WHOLE = ShardOptions(shard_clips=3, dtype="float32")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".lock"}


def test_features_come_back_as_they_were_made(tmp_path):
    dataset = FeatureDataset([write_features(tmp_path / "features")])
    assert [row.name for row in dataset.clips] == sorted(NAMES)
    for row in dataset.clips:
        made = encode_clip(ENCODING, clip(row.name), LAYOUT)
        assert set(row.column_index) == set(made)
        for column, array in made.items():
            np.testing.assert_array_equal(dataset.read(row, column), array)
        np.testing.assert_array_equal(dataset.read(row, "inside.mean", 1), made["inside.mean"][1])
    assert [row.has_video for row in dataset.clips] == [True] * 6 + [False] * 2
    np.testing.assert_array_equal(dataset.empty_text(), ENCODING.empty_text())
    assert damaged_shards(tmp_path / "features") == []


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_arrays_in_fortran_order_are_stored_correctly(tmp_path, dtype):
    def turned(column):
        return lambda source: {n: np.asfortranarray(a) for n, a in column(source).items()}

    columns = {name: turned(column) for name, column in COLUMNS.items()}
    whole = ShardOptions(shard_clips=3, dtype=dtype)
    precompute(make_list("a", "b"), replace(ENCODING, columns=columns), tmp_path, LAYOUT, whole)
    dataset = FeatureDataset([tmp_path])
    made = encode_clip(ENCODING, clip("b"), LAYOUT)
    for column, array in made.items():
        found = dataset.read(dataset.clips[1], column)
        np.testing.assert_allclose(found, array, rtol=1e-3, atol=1e-4)


def test_half_precision_is_close(tmp_path):
    precompute(make_list("a"), ENCODING, tmp_path, LAYOUT)
    dataset = FeatureDataset([tmp_path])
    made = encode_clip(ENCODING, clip("a"), LAYOUT)
    found = dataset.read(dataset.clips[0], "target.mean")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, made["target.mean"], rtol=1e-3, atol=1e-4)


def test_statistics_of_latents_are_those_of_all_targets_of_the_first_folder(tmp_path):
    first, second = write_features(tmp_path / "a"), write_features(tmp_path / "b", "other")
    made = [encode_clip(ENCODING, clip(name), LAYOUT)["target.mean"] for name in NAMES]
    stack_batch = np.concatenate(made)
    latents = FeatureDataset([first, second]).latents()
    np.testing.assert_allclose(latents.mean, stack_batch.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(latents.std, stack_batch.std(axis=0), rtol=1e-5)


def test_values_too_large_for_half_precision_are_refused(tmp_path):
    def column(source):
        return {"target.mean": np.full((44, 4), 1e5, np.float32)}

    large = replace(ENCODING, columns={"target": column})
    summary = precompute(make_list("a"), large, tmp_path, LAYOUT)
    assert "reaches 100000, more than float16 can hold: store float32" in summary.failed["a"]


class Killed(BaseException):
    """Like a signal: nothing catches it."""


@pytest.mark.parametrize("n_before", [0, 1, 3, 4, 7])
def test_a_killed_and_resumed_process_leaves_the_same_files(tmp_path, n_before):
    count = 0

    def stopping(source):
        nonlocal count
        count += 1
        if count > n_before:
            raise Killed
        return COLUMNS["target"](source)

    killed = replace(ENCODING, columns={**COLUMNS, "target": stopping})
    with pytest.raises(Killed):
        precompute(make_list(*NAMES), killed, tmp_path / "killed", LAYOUT, WHOLE)
    seen = []
    counted = {**COLUMNS, "target": lambda s: seen.append(s.clip.name) or COLUMNS["target"](s)}
    precompute(
        make_list(*NAMES), replace(ENCODING, columns=counted), tmp_path / "killed", LAYOUT, WHOLE
    )
    assert seen == list(NAMES[n_before - n_before % 3 :])
    assert contents(tmp_path / "killed") == contents(write_features(tmp_path / "whole"))


def test_a_shard_without_its_table_is_written_again(tmp_path):
    folder = write_features(tmp_path / "features")
    before = contents(folder)
    (folder / "0of1-00001.json").unlink()
    (folder / "0of1-00002.json").unlink()
    (folder / "0of1-00001.safetensors").write_bytes(b"half")
    assert contents(write_features(folder)) == before


def test_parts_make_the_same_dataset(tmp_path):
    whole = FeatureDataset([write_features(tmp_path / "whole")])
    for index in (2, 0, 1):
        writing = replace(WHOLE, part=Part(index, 3))
        precompute(make_list(*NAMES), ENCODING, tmp_path / "parts", LAYOUT, writing)
    parts = FeatureDataset([tmp_path / "parts"])
    assert [row.name for row in parts.clips] == [row.name for row in whole.clips]
    for one, other in zip(whole.clips, parts.clips, strict=True):
        np.testing.assert_array_equal(
            whole.read(one, "target.mean"), parts.read(other, "target.mean")
        )


def test_failed_clips_are_recorded_and_tried_again_by_the_next_call(tmp_path):
    def broken(source):
        if source.clip.name == "clip1":
            raise MediaError("its audio is gone")
        if source.clip.name == "clip2":
            return {"target.mean": np.full((44, 4), np.nan, np.float32)}
        if source.clip.name == "clip3":
            return {"target.mean": np.zeros((45, 4), np.float32)}
        return COLUMNS["target"](source)

    bad = replace(ENCODING, columns={**COLUMNS, "target": broken})
    clips = ClipList(make_list(*NAMES).clips, (("gone", "cannot be read"),))
    summary = precompute(clips, bad, tmp_path, LAYOUT, WHOLE)
    assert (summary.n_encoded, summary.n_clips) == (5, 9)
    assert list(summary.failed) == ["gone", "clip1", "clip2", "clip3"]
    assert summary.failed["clip1"] == "its audio is gone"
    assert "not finite" in summary.failed["clip2"]
    assert "[45, 4], those of other clips are [44, 4]" in summary.failed["clip3"]
    rows = [json.loads(x) for x in (tmp_path / "0of1-failures.jsonl").read_text().splitlines()]
    assert [row["clip"] for row in rows] == ["gone", "clip1", "clip2", "clip3"]
    again = precompute(clips, ENCODING, tmp_path, LAYOUT, WHOLE)
    assert (again.n_encoded, again.n_clips) == (8, 9)
    assert list(again.failed) == ["gone"]
    assert failures(tmp_path).keys() == {"gone"}


def failures(folder):
    rows = map(json.loads, (folder / "0of1-failures.jsonl").read_text("utf-8").splitlines())
    return {row["clip"]: row for row in rows}


def test_an_unexpected_error_is_recorded_with_its_traceback_and_tried_again(tmp_path):
    def out_of_memory(source):
        raise RuntimeError("CUDA out of memory")

    bad = replace(ENCODING, columns={"target": out_of_memory})
    summary = precompute(make_list("clip0"), bad, tmp_path, LAYOUT, WHOLE)
    assert summary.failed == {"clip0": "RuntimeError: CUDA out of memory"}
    row = failures(tmp_path)["clip0"]
    assert row["error"] == "RuntimeError: CUDA out of memory"
    assert "in out_of_memory" in row["traceback"]
    assert contents(write_features(tmp_path, "clip0"))["0of1-failures.jsonl"] == b""


def test_failures_of_another_list_stay_recorded_and_an_incomplete_line_is_dropped(tmp_path):
    def broken(source):
        raise MediaError("gone")

    write_features(tmp_path, "clip0")
    path = tmp_path / "0of1-failures.jsonl"
    path.write_text('{"clip": "other", "error": "lost"}\n{"clip": "cli')
    bad = replace(ENCODING, columns={"target": broken})
    summary = precompute(make_list("clip1", "clip2"), bad, tmp_path, LAYOUT, WHOLE)
    assert summary.failed == {"clip1": "gone", "clip2": "gone"}
    assert list(failures(tmp_path)) == ["other", "clip1", "clip2"]


def test_features_of_another_kind_are_refused(tmp_path):
    folder = write_features(tmp_path / "features")
    other = replace(ENCODING, identity="random-2")
    with pytest.raises(RunError, match="identity: random-1 or random-2"):
        precompute(make_list("a"), other, folder, LAYOUT, WHOLE)
    with pytest.raises(RunError, match="reference_seconds"):
        precompute(make_list("a"), ENCODING, folder, CropLayout(1.0, 0.5), WHOLE)
    precompute(make_list("a"), other, tmp_path / "other", LAYOUT, WHOLE)
    with pytest.raises(BenchError, match="have features of different kinds"):
        FeatureDataset([folder, tmp_path / "other"])


def test_features_that_cannot_be_trained_on_are_refused(tmp_path):
    folder = write_features(tmp_path / "features")
    with pytest.raises(MissingError, match="has no features"):
        FeatureDataset([tmp_path / "nowhere"])
    with pytest.raises(BenchError, match="'clip0' is in more than one folder"):
        FeatureDataset([folder, folder])
    with pytest.raises(BenchError, match=r"no part 2 of 2: parts are counted from 0 to 1"):
        Part(2, 2)
    (folder / "0of1-00000.safetensors").write_bytes(b"damaged")
    dataset = FeatureDataset([folder])
    with pytest.raises(BenchError, match="cannot read the shard"):
        dataset.read(dataset.clips[0], "target.mean")
    assert [path.name for path in damaged_shards(folder)] == ["0of1-00000.safetensors"]


def test_a_source_is_read_only_when_needed():
    source = Source(clip("a"), LAYOUT)
    with pytest.raises(MediaError, match=r"nowhere\.mp4"):
        source.waveform  # noqa: B018 - reading is what fails
    assert isinstance(ENCODING, Encoding)
