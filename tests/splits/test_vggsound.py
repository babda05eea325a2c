"""The paper's clips, from the user's own files, and the messages about missing ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError, MissingError
from bench.splits import open_split
from bench.types import Excerpt

NAMES = ["glLQrEijrKg_000300", "-1pRmoJIGQc_000010", "6jiO0tPLK7U_000090"]


@pytest.fixture
def data(home) -> Path:
    """The official list of three clips, of which two have a video."""
    folder = home / "data" / "vggsound"
    (folder / "videos").mkdir(parents=True)
    rows = [f"{name}.mp4,label {number}" for number, name in enumerate(NAMES)]
    (folder / "test.csv").write_text("\n".join(rows) + "\n")
    for name in NAMES[:2]:
        (folder / "videos" / f"{name}.mp4").write_bytes(b"")
    return folder


def test_listed_clips_have_prompt_target_and_reference_and_missing_ones_are_refused(data):
    split = open_split("vggsound-test")
    assert [clip.name for clip in split.clips] == NAMES[:2]
    assert [(each.clip, "no video in" in each.reason) for each in split.refused] == [
        (NAMES[2], True)
    ]
    clip, path = split.clips[1], data / "videos" / f"{NAMES[1]}.mp4"
    assert clip.prompt == "label 1"
    assert (clip.audio, clip.video) == (Excerpt(path, 0.0, 8.0), Excerpt(path, 0.0, 8.0))
    assert clip.reference == Excerpt(path, 8.0, 2.0)
    assert not split.is_mini


def test_videos_may_have_any_suffix_and_scheme_and_be_in_folders_or_links(data, tmp_path):
    videos = data / "videos"
    (tmp_path / "elsewhere.mp4").touch()
    for path in videos.iterdir():
        path.unlink()
    (videos / "test").mkdir()
    (videos / "test" / f"{NAMES[0]}.MKV").touch()
    (videos / "-1pRmoJIGQc_10000_20000.mp4").symlink_to(tmp_path / "elsewhere.mp4")
    for suffix in (".mp4", ".webm"):
        (videos / f"{NAMES[2]}{suffix}").touch()
    split = open_split("vggsound-test")
    assert [clip.name for clip in split.clips] == NAMES[:2]
    assert [clip.cluster for clip in split.clips] == [name[:11] for name in NAMES[:2]]
    [refusal] = split.refused
    assert refusal.reason.startswith(f"2 videos in {videos} are this clip, keep one: ")


def test_only_the_test_rows_of_the_list_of_vggsound_count(data):
    rows = "glLQrEijrKg,300,organ,test\n-1pRmoJIGQc,10,dog,train\n6jiO0tPLK7U,90,ball,test\n"
    (data / "test.csv").write_text(rows)
    split = open_split("vggsound-test")
    assert [(clip.name, clip.prompt) for clip in split.clips] == [(NAMES[0], "organ")]
    assert [refusal.clip for refusal in split.refused] == [NAMES[2]]


def test_the_filtered_split_has_the_clips_of_its_list_in_its_order(data):
    (data / "ib0.3.txt").write_text(f"{NAMES[1]}\n\n{NAMES[0]}\n")
    split = open_split("vggsound-ib0.3")
    assert [clip.name for clip in split.clips] == [NAMES[1], NAMES[0]]
    assert split.refused == ()


def test_a_missing_list_is_reported_in_one_sentence(home):
    with pytest.raises(MissingError, match=r"VGGSound needs .*test.csv: the official list"):
        open_split("vggsound-ib0.3")


def test_a_missing_filter_and_missing_videos_are_reported(data):
    with pytest.raises(MissingError, match=r"needs .*ib0.3.txt: names of the test clips"):
        open_split("vggsound-ib0.3")
    for path in (data / "videos").iterdir():
        path.unlink()
    with pytest.raises(MissingError, match="needs 3 videos and .*videos has none of them"):
        open_split("vggsound-test")


def test_a_name_that_is_not_in_the_test_list_is_refused(data):
    (data / "ib0.3.txt").write_text("someone_else_000001\n")
    with pytest.raises(BenchError, match=r"names 'someone_else_000001', .* \(1 of 1 names\)"):
        open_split("vggsound-ib0.3")
    (data / "ib0.3.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(BenchError, match=r"ib0\.3\.txt, line 1: it is not UTF-8"):
        open_split("vggsound-ib0.3")


def test_the_official_list_is_read_completely(shared, home):
    folder = home / "data" / "vggsound"
    (folder / "videos").mkdir(parents=True)
    listed = (shared / "media" / "lists" / "vggsound_test_official.csv").read_bytes()
    (folder / "test.csv").write_bytes(listed)
    for path in (shared / "media" / "vggsound").glob("*.mp4"):
        (folder / "videos" / path.name).symlink_to(path)
    split = open_split("vggsound-test")
    assert len(split.clips) + len(split.refused) == 15_446
    assert len(split.clips) == 8
    assert {clip.name: clip.prompt for clip in split.clips}["-1pRmoJIGQc_000010"]
