"""Which files of two folders are compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.runs.pairing import pair_folders


def folder(path: Path, *names: str) -> Path:
    path.mkdir()
    for name in names:
        (path / name).write_bytes(b"")
    return path


def names(pairing) -> list[tuple[str, str, str]]:
    return [(pair.name, pair.true.name, pair.generated.name) for pair in pairing.pairs]


def test_equal_stems_meet_whatever_the_suffix(tmp_path):
    true, made = folder(tmp_path / "t", "a.wav", "b.mp4"), folder(tmp_path / "m", "b.flac", "a.mp3")
    pairing = pair_folders(true, made, None)
    assert names(pairing) == [("a", "a.wav", "a.mp3"), ("b", "b.mp4", "b.flac")]
    assert pairing.failures == ()
    assert pairing.notes == ()


def test_every_true_sound_without_a_sample_is_a_failure(tmp_path):
    true, made = folder(tmp_path / "t", "a.wav", "b.wav"), folder(tmp_path / "m", "a.wav", "x.wav")
    pairing = pair_folders(true, made, None)
    assert [(f.clip, f.stage) for f in pairing.failures] == [("b", "pair")]
    assert pairing.notes == ("1 generated files belong to no reference",)


def test_two_true_sounds_of_one_name_are_a_failure_and_no_choice(tmp_path):
    true = folder(tmp_path / "t", "a.wav", "a.flac", "b.wav")
    made = folder(tmp_path / "m", "a.wav", "b.wav")
    pairing = pair_folders(true, made, None)
    assert names(pairing) == [("b", "b.wav", "b.wav")]
    assert "2 true sounds have this name: a.flac, a.wav" in pairing.failures[0].error


def test_two_samples_of_equal_claim_are_a_failure_and_no_choice(tmp_path):
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


def test_a_picture_that_is_asked_for_and_missing_is_a_failure(tmp_path):
    true, made = folder(tmp_path / "t", "a.wav", "b.wav"), folder(tmp_path / "m", "a.wav", "b.wav")
    videos = folder(tmp_path / "v", "a.mp4")
    pairing = pair_folders(true, made, videos)
    assert [(pair.name, pair.picture) for pair in pairing.pairs] == [("a", videos / "a.mp4")]
    assert [(f.clip, f.error) for f in pairing.failures] == [("b", f"no video for it in {videos}")]


def test_folders_that_share_no_name_are_refused(tmp_path):
    true, made = folder(tmp_path / "t", "a.wav"), folder(tmp_path / "m", "b.wav")
    with pytest.raises(BenchError, match="is named like one in"):
        pair_folders(true, made, None)


def test_files_that_are_no_media_are_counted_and_not_passed_over_in_silence(tmp_path):
    true, made = folder(tmp_path / "t", "a.wav", "a.txt"), folder(tmp_path / "m", "a.wav")
    assert pair_folders(true, made, None).notes == ("1 files are neither sound nor video",)
