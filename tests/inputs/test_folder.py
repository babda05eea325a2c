"""The files listed of a folder, and that none is dropped without a report."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from bench.errors import MissingError
from bench.inputs import list_folder, natural_sort_key
from bench.media import write_audio, write_video
from bench.types import Audio

NOISE = Audio(np.full((1, 8_000), 0.1, np.float32), 16_000)


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def below(folder: Path, paths: tuple[Path, ...]) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in paths]


def test_files_are_grouped_by_suffix_in_any_case_and_hidden_ones_are_no_data(tmp_path):
    hidden = ("._y.wav", ".DS_Store", ".cache/w.wav", "Thumbs.db", "a/desktop.ini")
    fill(tmp_path, "a/x.FLAC", "a/x.mp4", "b/y.wav", "z.MP4", "phone.3gp", "notes.txt", *hidden)
    found = list_folder(tmp_path)
    assert below(tmp_path, found.audio) == ["a/x.FLAC", "b/y.wav"]
    assert below(tmp_path, found.videos) == ["a/x.mp4", "phone.3gp", "z.MP4"]
    assert below(tmp_path, found.other) == ["notes.txt"]


def test_a_video_is_used_for_its_audio_unless_an_audio_file_has_its_name(tmp_path):
    fill(tmp_path, "a/x.flac", "a/x.mp4", "other/x.mp4", "z.m4v")
    with_audio = list_folder(tmp_path).with_audio
    assert below(tmp_path, with_audio) == ["a/x.flac", "other/x.mp4", "z.m4v"]
    [note] = list_folder(tmp_path).audio_notes()
    assert note.startswith("1 videos in ")
    assert note.endswith(" have an audio file beside them, which was taken")


def test_paths_are_absolute_since_a_colon_reads_as_a_protocol(tmp_path, monkeypatch):
    fill(tmp_path, "a:b.wav")
    monkeypatch.chdir(tmp_path)
    assert list_folder(Path()).audio == (tmp_path / "a:b.wav",)


def test_links_to_files_and_folders_are_followed_and_one_to_a_parent_ends_there(tmp_path):
    store = fill(tmp_path / "store", "part/e.wav", "a.wav")
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.wav").symlink_to(store / "a.wav")
    (folder / "shard").symlink_to(store / "part")
    (store / "part" / "up").symlink_to(folder)
    (folder / "loop").symlink_to(".")
    assert below(folder, list_folder(folder).audio) == ["a.wav", "shard/e.wav"]


def test_a_link_to_nothing_is_listed_so_that_opening_it_fails_by_name(tmp_path):
    for name in ("gone.wav", "gone.mp4", "shard", "gone.txt"):
        (tmp_path / name).symlink_to("nowhere")
    found = list_folder(tmp_path)
    assert below(tmp_path, found.audio) == ["gone.wav", "shard"]
    assert below(tmp_path, found.videos) == ["gone.mp4", "shard"]
    assert below(tmp_path, found.other) == ["gone.txt"]


def test_the_kind_of_an_unknown_suffix_is_that_of_its_content(tmp_path):
    write_audio(tmp_path / "a.wav", NOISE)
    frames = (np.full((32, 32, 3), 80, np.uint8) for _ in range(5))
    write_video(tmp_path / "b.mp4", frames, 25, NOISE)
    (tmp_path / "a.wav").rename(tmp_path / "a.sample")
    (tmp_path / "b.mp4").rename(tmp_path / "no suffix")
    (tmp_path / "c.what").write_text("plain words")
    found = list_folder(tmp_path)
    groups = [below(tmp_path, each) for each in (found.audio, found.videos, found.other)]
    assert groups == [["a.sample"], ["no suffix"], ["c.what"]]


def test_up_to_three_files_that_are_no_media_are_named(tmp_path):
    folder = fill(tmp_path / "set", *(f"{n}.txt" for n in range(5)), "a.wav", "labels.csv")
    assert list_folder(folder).notes() == (
        "5 files are neither audio nor video in set: 0.txt, 1.txt, 2.txt and 2 more",
    )
    assert list_folder(fill(tmp_path / "clean", "a.wav")).notes() == ()


def test_a_folder_that_is_missing_or_cannot_be_read_is_refused_by_name(tmp_path, monkeypatch):
    with pytest.raises(MissingError, match="there is no folder .*absent: nothing is there"):
        list_folder(tmp_path / "absent")
    locked = fill(tmp_path, "locked/a.wav") / "locked"
    scandir = os.scandir

    def refuse(folder):  # the superuser reads everything, so modes cannot stand in for this
        if Path(folder) == locked:
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(MissingError, match=re.escape(f"folder {locked}: Permission denied")):
        list_folder(tmp_path)


def test_an_empty_group_is_refused_with_the_other_files(tmp_path):
    found = list_folder(fill(tmp_path, "notes.txt"))
    expected = f"{tmp_path} holds no audio or video file; there are notes.txt"
    with pytest.raises(MissingError, match=re.escape(expected)):
        found.require(found.with_audio, "audio or video")


def test_numbers_in_names_are_sorted_by_value():
    names = ["10.wav", "2.wav", "b/1.wav", "1.wav", "0002.wav", "a/20.wav", "a/3.wav"]
    ordered = sorted(map(Path, names), key=natural_sort_key)
    expected = ["1.wav", "0002.wav", "2.wav", "10.wav", "a/3.wav", "a/20.wav", "b/1.wav"]
    assert [path.as_posix() for path in ordered] == expected
