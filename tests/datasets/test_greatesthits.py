"""Greatest Hits in every form, its annotations, and the split of CondFoley's pairs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.datasets.greatesthits import (
    Hit,
    greatesthits_directory,
    prepare,
    read_hit_record,
    read_pairs,
    read_times,
)
from bench.engine import InlineEngine
from bench.errors import BenchError, MissingError
from bench.inputs.manifest import MANIFEST, read_manifest
from bench.media import read_audio
from bench.splits import open_split
from tests.datasets.videos import write_mp4

TARGET, FIRST, SECOND = (
    "2015-02-21-17-09-17_3.0667", "2015-10-06-20-27-19-220_1.5333", "2015-02-16-17-52-15_0.0000",
)  # fmt: skip
HITS = "2.677438 ceramic hit static\n3.066700 wood hit static\n4.1 wood hit deform\n5.5 None None\n"


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The originals of three segments, as the authors publish them."""
    folder = tmp_path_factory.mktemp("vis-data")
    for number, segment in enumerate((TARGET, FIRST, SECOND)):
        video = segment.rpartition("_")[0]
        write_mp4(folder / f"{video}_denoised.mp4", 6 + number)
        noise = np.random.default_rng(number).normal(0, 0.1, 96_000 * (6 + number))
        soundfile.write(folder / f"{video}_denoised.wav", noise, 96_000)
        (folder / f"{video}_times.txt").write_text(HITS)
    (folder / "AMT_test_set.json").write_text(json.dumps({TARGET: [FIRST, SECOND]}))
    (folder / "AMT_test_set_match_dict.json").write_text(
        json.dumps({TARGET: {FIRST: True, SECOND: False}})
    )
    return folder


def prepare_here(source, **options):
    return prepare(source, InlineEngine(), lambda stage, done, total: None, **options)


def test_segments_are_windows_of_the_originals_with_the_separate_audio(copy, home):
    manifest = prepare_here(copy)
    rows = {row.clip: row for row in manifest.rows}
    assert set(rows) == {TARGET, FIRST, SECOND}
    row = rows[TARGET]
    assert (row.start_s, row.seconds, row.audio_rate_hz) == (3.0667, 2.0, 96_000)
    assert row.label == "hit wood"
    assert read_manifest(greatesthits_directory() / MANIFEST) == manifest
    split = open_split("greatesthits-pairs")
    assert [(clip.name, clip.group) for clip in split.clips] == [
        (f"{TARGET}_to_{FIRST}", "same action"),
        (f"{TARGET}_to_{SECOND}", "other action"),
    ]
    clip = split.clips[0]
    assert read_audio(clip.audio).samples.shape == (1, 192_000)
    assert clip.reference.start_s == 1.5333
    assert clip.cluster == TARGET
    assert clip.truth == {"hits": [0.0, 1.0333]}
    assert "onset_acc_hits" in split.metrics


def test_trimmed_files_count_before_originals(copy, home, tmp_path):
    shutil.copytree(copy, tmp_path / "data")
    video, start = TARGET.rsplit("_", 1)
    trimmed = tmp_path / "data" / f"{video}_denoised_trim_to_2s_from_{start}_new_fps_resized.mp4"
    write_mp4(trimmed, 2.2)
    rows = {row.clip: row for row in prepare_here(tmp_path / "data").rows}
    assert (rows[TARGET].path, rows[TARGET].start_s) == (str(trimmed), 0.0)
    assert rows[TARGET].audio_path == ""


def test_the_small_download_and_the_microphone_stand_in(copy, home, tmp_path):
    video = TARGET.rpartition("_")[0]
    shutil.copytree(copy, tmp_path / "data")
    (tmp_path / "data" / f"{video}_denoised.mp4").rename(
        tmp_path / "data" / f"{video}_denoised_thumb.mp4"
    )
    (tmp_path / "data" / f"{video}_denoised.wav").rename(tmp_path / "data" / f"{video}_mic.wav")
    row = next(row for row in prepare_here(tmp_path / "data").rows if row.clip == TARGET)
    assert row.path.endswith("_denoised_thumb.mp4")
    assert row.audio_path.endswith("_mic.wav")
    assert row.problem == ""


def test_pairs_without_a_segment_are_refused_with_its_reason(copy, home, tmp_path):
    shutil.copytree(copy, tmp_path / "data")
    first, second = (each.rpartition("_")[0] for each in (FIRST, SECOND))
    (tmp_path / "data" / f"{first}_denoised.mp4").unlink()
    write_mp4(tmp_path / "data" / f"{second}_denoised.mp4", 1.0)
    (tmp_path / "data" / f"{second}_denoised.wav").unlink()
    prepare_here(tmp_path / "data")
    with pytest.raises(MissingError, match="no pair of Greatest Hits has both segments"):
        open_split("greatesthits-pairs")
    write_mp4(tmp_path / "data" / f"{first}_denoised.mp4", 7.0)
    prepare_here(tmp_path / "data")
    [refusal] = open_split("greatesthits-pairs").refused
    assert refusal.clip == f"{TARGET}_to_{SECOND}"
    assert refusal.reason.startswith(f"{SECOND}: its audio lasts 1.0")


def test_without_annotations_and_match_list_there_are_no_groups(copy, home, tmp_path):
    shutil.copytree(copy, tmp_path / "data")
    (tmp_path / "data" / "AMT_test_set_match_dict.json").unlink()
    for path in (tmp_path / "data").glob("*_times.txt"):
        path.unlink()
    prepare_here(tmp_path / "data")
    split = open_split("greatesthits-pairs")
    assert {(clip.group, clip.prompt, tuple(clip.truth)) for clip in split.clips} == {("", "", ())}
    assert "onset_acc_hits" not in split.metrics


def test_without_the_match_list_actions_are_compared(copy, home, tmp_path):
    shutil.copytree(copy, tmp_path / "data")
    (tmp_path / "data" / "AMT_test_set_match_dict.json").unlink()
    path = tmp_path / "data" / f"{SECOND.rpartition('_')[0]}_times.txt"
    path.write_text("0.5 wood scratch static\n")
    prepare_here(tmp_path / "data")
    groups = [clip.group for clip in open_split("greatesthits-pairs").clips]
    assert groups == ["same action", "other action"]


def test_hits_are_read_strictly_with_the_line(tmp_path):
    path = tmp_path / "a_times.txt"
    path.write_text("0.0 wood hit static\n\n1.5 None None None\n2 metal\n3\n")
    assert read_times(path) == [
        Hit(0.0, "wood", "hit"), Hit(1.5, "", ""), Hit(2.0, "metal", ""), Hit(3.0, "", ""),
    ]  # fmt: skip
    for line in ("x wood hit static", "-1 wood hit static", "nan a", "1 a b c d"):
        path.write_text(f"0.5 wood hit static\n{line}\n")
        with pytest.raises(BenchError, match=r"a_times\.txt, line 2: .* is no hit, expected"):
            read_times(path)
    record = tmp_path / "hit_record.json"
    record.write_text('[[0.533, "None None"], [1.0, "dirt scratch"]]')
    assert read_hit_record(record) == [Hit(0.533, "", ""), Hit(1.0, "dirt", "scratch")]
    record.write_text('{"a": 1}')
    with pytest.raises(BenchError, match="expected .seconds, 'material action'."):
        read_hit_record(record)


def test_lists_of_names_and_of_paths_are_the_same_pairs(shared):
    lists = shared / "media" / "lists"
    pairs = read_pairs(lists / "AMT_test_set.json")
    assert len(pairs) == 194
    assert sum(map(len, pairs.values())) == 582
    assert read_pairs(lists / "AMT_test_set_path.json") == pairs


def test_other_lists_are_refused(tmp_path):
    path = tmp_path / "AMT_test_set.json"
    for text, message in (("[]", "is no list of pairs"), ('{"a": ["b"]}', "names 'a', expected")):
        path.write_text(text)
        with pytest.raises(BenchError, match=message):
            read_pairs(path)


def test_another_list_of_matches_is_refused(copy, home, tmp_path):
    shutil.copytree(copy, tmp_path / "data")
    for text in ("[]", '{"a": ["b"]}'):
        (tmp_path / "data" / "AMT_test_set_match_dict.json").write_text(text)
        with pytest.raises(BenchError, match=r"match_dict\.json is no list of matches: expected"):
            prepare_here(tmp_path / "data")


def test_a_missing_list_and_a_missing_manifest_are_one_sentence(home, tmp_path):
    with pytest.raises(MissingError, match="the pairs are AMT_test_set.json of CondFoley"):
        prepare_here(tmp_path)
    with pytest.raises(MissingError, match="run `bench data prepare greatesthits --from PATH`"):
        open_split("greatesthits-pairs")


def test_real_pairs_run_in_place(shared, home):
    lists = shared / "media" / "lists"
    prepare_here(shared / "media" / "greatesthits", table=lists / "AMT_test_set.json")
    split = open_split("greatesthits-pairs")
    assert len(split.clips) == 4
    assert len(split.refused) == 578
    for clip in split.clips:
        assert read_audio(clip.audio).seconds == 2.0
        assert read_audio(clip.reference).seconds == 2.0
