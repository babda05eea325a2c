"""Which files of two folders are compared."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import pytest

from bench.errors import BenchError, MissingError
from bench.io import write_json
from bench.pipeline.pairing import pair_folders


def folder(path: Path, *names: str) -> Path:
    path.mkdir()
    for name in names:
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_bytes(b"")
    return path


def names(pairing) -> list[tuple[str, str, str]]:
    return [(pair.name, pair.true.name, pair.generated.name) for pair in pairing.pairs]


def test_equal_stems_pair_whatever_the_suffix(tmp_path):
    true, made = folder(tmp_path / "t", "a.wav", "b.mp4"), folder(tmp_path / "m", "b.flac", "a.mp3")
    pairing = pair_folders(true, made, None)
    assert names(pairing) == [("a", "a.wav", "a.mp3"), ("b", "b.mp4", "b.flac")]
    assert pairing.failures == ()
    assert pairing.notes == ()


def test_every_true_audio_file_without_a_sample_is_a_failure(tmp_path):
    true, made = folder(tmp_path / "t", "a.wav", "b.wav"), folder(tmp_path / "m", "a.wav", "x.wav")
    pairing = pair_folders(true, made, None)
    assert [(f.clip, f.stage) for f in pairing.failures] == [("b", "pair")]
    assert pairing.notes == ("1 generated files belong to no reference",)


def test_two_true_audio_files_of_one_name_are_a_failure_and_none_is_chosen(tmp_path):
    true = folder(tmp_path / "t", "a.wav", "a.flac", "b.wav")
    made = folder(tmp_path / "m", "a.wav", "b.wav")
    pairing = pair_folders(true, made, None)
    assert names(pairing) == [("b", "b.wav", "b.wav")]
    assert f"2 files claim it in {true}: a.flac, a.wav" in pairing.failures[0].error


def test_two_samples_of_one_name_are_a_failure_and_none_is_chosen(tmp_path):
    true = folder(tmp_path / "t", "a.wav", "b.wav")
    made = folder(tmp_path / "m", "a.wav", "a.flac", "b.wav")
    pairing = pair_folders(true, made, None)
    assert [pair.name for pair in pairing.pairs] == ["b"]
    assert "2 files claim it" in pairing.failures[0].error


def test_further_samples_of_a_clip_are_noted(tmp_path):
    clip = "---g-f_I2yQ_000001"
    true = folder(tmp_path / "t", f"{clip}.mp4")
    made = folder(tmp_path / "m", *(f"Y{clip}_{k}.wav" for k in range(3)))
    pairing = pair_folders(true, made, None)
    assert names(pairing) == [(clip, f"{clip}.mp4", f"Y{clip}_0.wav")]
    assert pairing.notes == ("2 further samples of the same clips were not scored",)


def test_transfers_belong_to_their_target_even_where_its_name_holds_the_word(tmp_path):
    target = "x_trim_to_2s"
    true = folder(tmp_path / "t", f"{target}.mp4", "lonely.mp4")
    made = folder(tmp_path / "m", f"{target}_to_y_trim_to_2s.mp4", f"{target}_to_z.mp4")
    pairing = pair_folders(true, made, None)
    assert [pair.true.stem for pair in pairing.pairs] == [target, target]
    assert [failure.clip for failure in pairing.failures] == ["lonely"]


def test_a_required_video_that_is_missing_is_a_failure(tmp_path):
    true, made = folder(tmp_path / "t", "a.wav", "b.wav"), folder(tmp_path / "m", "a.wav", "b.wav")
    videos = folder(tmp_path / "v", "a.mp4")
    pairing = pair_folders(true, made, videos)
    assert [(pair.name, pair.video) for pair in pairing.pairs] == [("a", videos / "a.mp4")]
    assert [(f.clip, f.error) for f in pairing.failures] == [("b", f"no video for it in {videos}")]


def test_folders_that_share_no_name_are_refused(tmp_path):
    true, made = folder(tmp_path / "t", "a.wav"), folder(tmp_path / "m", "b.wav")
    with pytest.raises(BenchError, match="can be paired with one in .*; 'a': no file for it"):
        pair_folders(true, made, None)


def test_files_that_are_not_media_are_counted_and_reported(tmp_path):
    true, made = folder(tmp_path / "t", "a.wav", "a.txt"), folder(tmp_path / "m", "a.wav")
    [note] = pair_folders(true, made, None).notes
    assert note == "1 file is neither audio nor video in t: a.txt"


def test_equal_names_in_class_folders_pair_by_their_path(tmp_path):
    files = ("dog/001.wav", "cat/001.wav", "dog/own.wav")
    true, made = folder(tmp_path / "t", *files), folder(tmp_path / "m", *files)
    pairing = pair_folders(true, made, None)
    assert [pair.name for pair in pairing.pairs] == ["cat/001", "dog/001", "own"]
    for pair in pairing.pairs:
        assert pair.true.relative_to(true) == pair.generated.relative_to(made)
    assert (pairing.failures, pairing.notes) == ((), ())


def test_where_one_side_has_no_folders_the_names_that_repeat_are_failures(tmp_path):
    true = folder(tmp_path / "t", "dog/001.wav", "cat/001.wav", "cat/2.wav")
    made = folder(tmp_path / "m", "001.wav", "2.wav")
    pairing = pair_folders(true, made, None)
    assert names(pairing) == [("2", "2.wav", "2.wav")]
    assert [failure.clip for failure in pairing.failures] == ["cat/001", "dog/001"]
    assert "2 references are called '001'" in pairing.failures[0].error


def test_one_reference_for_two_samples_in_folders_is_claimed_twice(tmp_path):
    true = folder(tmp_path / "t", "001.wav", "x.wav")
    made = folder(tmp_path / "m", "dog/001.wav", "cat/001.wav", "x.wav")
    pairing = pair_folders(true, made, None)
    assert [pair.name for pair in pairing.pairs] == ["x"]
    expected = f"2 files claim it in {made}: cat/001.wav, dog/001.wav; keep one"
    assert [(f.clip, f.error) for f in pairing.failures] == [("001", expected)]


def test_a_sample_beside_the_folders_is_not_taken_for_the_references_inside_them(tmp_path):
    true = folder(tmp_path / "t", "001.wav", "dog/001.wav", "cat/002.wav")
    made = folder(tmp_path / "m", "001.wav", "other/001_generated.wav", "002.wav")
    pairing = pair_folders(true, made, None)
    assert [(p.name, p.generated.relative_to(made).as_posix()) for p in pairing.pairs] == [
        ("001", "001.wav"),
        ("002", "002.wav"),
    ]
    (failure,) = pairing.failures
    assert failure.clip == "dog/001"
    assert "its path counts: 2 references are called '001'" in failure.error


def test_folders_that_differ_only_in_case_and_names_that_differ_only_in_spelling_are_reported(
    tmp_path,
):
    true = folder(tmp_path / "t", "Dog/1.wav", "Cat/1.wav", "caf\u00e9.wav", "x.wav")
    made = folder(
        tmp_path / "m", "dog/1.wav", "Cat/1.wav", "cafe\u0301.wav", "caf\u00e9.flac", "x.wav"
    )
    errors = {each.clip: each.error for each in pair_folders(true, made, None).failures}
    assert "'dog/1.wav' differs from 'Dog/1' only in case" in errors["Dog/1"]
    assert "composed otherwise (NFC, NFD)" in errors["caf\u00e9"]


def test_if_no_transfer_pairs_the_message_names_what_was_tried(tmp_path):
    true = folder(tmp_path / "t", "glass.wav", "wood.wav")
    made = folder(tmp_path / "m", "my_glass_to_wood.wav")
    with pytest.raises(BenchError, match=r"my_glass_to_wood\.wav \(tried the target 'my_glass'\)"):
        pair_folders(true, made, None)


def test_transfers_of_one_target_share_its_cluster_however_they_are_named(tmp_path):
    hits = [
        f"2015-02-16-16-49-06_denoised_trim_to_2s_from_{s}_new_fps_resized"
        for s in ("3.1200", "9.5000")
    ]
    true = folder(tmp_path / "t", *(f"{hit}_to_x.wav" for hit in hits), f"{hits[0]}.wav")
    made = folder(tmp_path / "m", *(f"{hit}_to_x_converted.wav" for hit in hits), f"{hits[0]}.wav")
    clusters = {pair.name: pair.cluster for pair in pair_folders(true, made, None).pairs}
    assert clusters == {
        f"{hits[0]}_to_x_converted": "2015-02-16-16-49-06_3.1200",
        f"{hits[1]}_to_x_converted": "2015-02-16-16-49-06_9.5000",
        hits[0]: "2015-02-16-16-49-06_3.1200",
    }


def test_if_nothing_pairs_the_message_names_the_files_whose_names_collide(tmp_path):
    true, made = folder(tmp_path / "t", "x.wav"), folder(tmp_path / "m", "x.wav", "x.flac")
    with pytest.raises(BenchError, match=r"'x': 2 files claim it in .*: x\.flac, x\.wav; keep one"):
        pair_folders(true, made, None)


def test_both_spellings_of_an_accent_pair_and_a_difference_in_case_is_reported(tmp_path):
    composed, taken_apart = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    true = folder(tmp_path / "t", f"{composed}.wav", "dog.wav", "Cat.wav")
    made = folder(tmp_path / "m", f"{taken_apart}.wav", "Dog.wav", "Cat.wav", "cat.wav")
    pairing = pair_folders(true, made, None)
    assert [pair.generated.stem for pair in pairing.pairs] == ["Cat", taken_apart]
    [failure] = pairing.failures
    expected = f"no file for it in {made}; 'Dog.wav' differs from 'dog' only in case: rename it"
    assert (failure.clip, failure.error) == ("dog", expected)


@pytest.mark.parametrize(
    "stem",
    ["-1pRmoJIGQc_000010", "--help", "50%d off #1", "a'b\"c", "semi;colon", "12:00:00", "concat:y"]
    + ["犬の声", "a.b.c", "x" * 200, "my dog", "line\nbreak"],
)
def test_any_name_that_the_file_system_allows_pairs(tmp_path, stem):
    true, made = (folder(tmp_path / side, f"{stem}.wav") for side in "tm")
    assert [pair.name for pair in pair_folders(true, made, None).pairs] == [stem]


def test_a_name_that_is_not_utf8_pairs_under_a_name_that_can_be_written(tmp_path):
    stem = os.fsdecode(b"caf\xe9")
    true, made = (folder(tmp_path / side, f"{stem}.wav", f"{stem}.txt") for side in "tm")
    pairing = pair_folders(true, made, None)
    assert [pair.name for pair in pairing.pairs] == ["caf\\xe9"]
    assert pairing.notes[0].endswith("in t: caf\\xe9.txt")
    write_json(tmp_path / "x.json", {"file": str(true / stem)})
    assert json.loads((tmp_path / "x.json").read_text()) == {"file": str(true / stem)}


def test_linked_files_and_folders_pair_and_a_link_to_nothing_takes_part(tmp_path):
    store = folder(tmp_path / "store", "part/e.wav", "a.wav")
    true, made = folder(tmp_path / "t"), folder(tmp_path / "m", "b.wav")
    for side in (true, made):
        (side / "a.wav").symlink_to(store / "a.wav")
        (side / "part").symlink_to(store / "part")
    (true / "b.wav").symlink_to("nowhere")
    pairing = pair_folders(true, made, None)
    assert [pair.name for pair in pairing.pairs] == ["a", "b", "e"]


def test_a_video_is_found_even_if_its_audio_is_in_the_same_folder(tmp_path):
    true, made = folder(tmp_path / "t", "a.wav"), folder(tmp_path / "m", "a.wav")
    videos = folder(tmp_path / "v", "a.wav", "a.mp4")
    [pair] = pair_folders(true, made, videos).pairs
    assert pair.video == videos / "a.mp4"
    (videos / "a.mp4").unlink()
    with pytest.raises(BenchError, match="holds no video file"):
        pair_folders(true, made, videos)


def test_videos_in_class_folders_belong_to_the_references_in_the_same(tmp_path):
    true, made = (folder(tmp_path / side, "dog/1.wav", "cat/1.wav") for side in "tm")
    videos = folder(tmp_path / "v", "dog/1.mp4", "cat/1.mkv", "cat/1.mp4")
    pairing = pair_folders(true, made, videos)
    assert [pair.video for pair in pairing.pairs] == [videos / "dog/1.mp4"]
    assert [(f.clip, "2 files claim it" in f.error) for f in pairing.failures] == [("cat/1", True)]


def test_by_order_the_tenth_row_of_a_table_is_not_taken_for_the_second(tmp_path):
    true = folder(tmp_path / "t", *(f"clip{n}.mp4" for n in range(12)))
    made = folder(tmp_path / "m", *(f"{n}.wav" for n in range(12)), "3.mp4")
    pairing = pair_folders(true, made, None, by="order")
    pairs = {pair.true.stem: pair.generated.name for pair in pairing.pairs}
    assert pairs == {f"clip{n}": f"{n}.wav" for n in range(12)}
    assert "pairs come from the order of the files" in pairing.notes[0]
    assert "0.wav is for clip0.mp4, 11.wav for clip11.mp4" in pairing.notes[0]


def test_by_order_there_must_be_as_many_samples_as_references(tmp_path):
    true, made = folder(tmp_path / "t", "a.wav", "b.wav"), folder(tmp_path / "m", "0000.wav")
    with pytest.raises(BenchError, match="holds 2 files and .* 1: --match order"):
        pair_folders(true, made, None, by="order")


def test_pairs_of_one_target_or_one_youtube_video_are_one_cluster(tmp_path):
    windows = ("0DCit2EBtjs_000030", "0DCit2EBtjs_000060")
    true = folder(tmp_path / "t", "a.wav", "b.wav", *(f"{name}.wav" for name in windows))
    made = folder(
        tmp_path / "m", "a_to_x.wav", "a_to_y.wav", "b.wav", *(f"{name}.wav" for name in windows)
    )
    clusters = {pair.name: pair.cluster for pair in pair_folders(true, made, None).pairs}
    assert clusters == {"a_to_x": "a", "a_to_y": "a", "b": "b"} | dict.fromkeys(
        windows, "0DCit2EBtjs"
    )


def test_transfers_of_equal_names_are_distinguished_by_their_folder_or_claimed_twice(tmp_path):
    true = folder(tmp_path / "t", "a.wav", "b.wav")
    made = folder(tmp_path / "m", "0/a_to_x.wav", "1/a_to_x.wav", "b_to_x.wav", "b_to_x.flac")
    pairing = pair_folders(true, made, None)
    assert [pair.name for pair in pairing.pairs] == ["0/a_to_x", "1/a_to_x"]
    expected = f"2 files claim it in {made}: b_to_x.flac, b_to_x.wav; keep one"
    assert [(f.clip, f.error) for f in pairing.failures] == [("b_to_x", expected)]
    assert pairing.notes == (
        "4 samples are named <target>_to_<condition> and belong to their target",
    )


def test_the_suffixes_of_transfers_are_noted(tmp_path):
    true = folder(tmp_path / "t", "a_converted.wav", "b_converted.wav")
    made = folder(tmp_path / "m", "a_to_x.wav", "b_converted_to_x.wav", "c_to_x.wav")
    pairing = pair_folders(true, made, None)
    assert {pair.name: pair.true.stem for pair in pairing.pairs} == {
        "a_to_x": "a_converted",
        "b_converted_to_x": "b_converted",
    }
    assert pairing.notes == (
        "1 generated files belong to no reference",
        "2 samples are named <target>_to_<condition> and belong to their target",
        "1 of them by names that differ in a suffix, e.g. a_to_x.wav",
        "1 names with _to_ fit no reference, or several alike, e.g. c_to_x.wav "
        "(tried the target 'c')",
    )


def test_a_missing_folder_is_named_before_another_one_is_listed(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.pipeline.pairing.list_folder", lambda folder: pytest.fail("listed"))
    for missing in ("reference", "generated", "videos"):
        folders = dict.fromkeys(("reference", "generated", "videos"), tmp_path)
        folders[missing] = tmp_path / missing
        with pytest.raises(MissingError, match=f"there is no folder .*{missing}: nothing is there"):
            pair_folders(**folders)
