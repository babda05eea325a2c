"""``folder:PATH``: its clips, their names, and refusals."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.media import write_video
from bench.splits import open_split
from bench.types import Audio


def silent_video(path: Path, seconds: float, *, audio_seconds: float | None = None) -> None:
    """A grey video with silence of its length by default; without audio for 0 seconds."""
    frames = (np.full((32, 32, 3), 80, dtype=np.uint8) for _ in range(round(seconds * 25)))
    audio_seconds = seconds if audio_seconds is None else audio_seconds
    audio = np.zeros((1, round(audio_seconds * 44_100)), dtype=np.float32)
    write_video(path, frames, 25, Audio(audio, 44_100) if audio.size else None)


def test_the_target_is_the_first_eight_seconds_and_the_reference_the_next_two(clicks_folder):
    split = open_split(f"folder:{clicks_folder}")
    clip = split.clips[0]
    assert [each.name for each in split.clips] == [f"clip_{n:06d}" for n in range(3)]
    assert (clip.audio.start_s, clip.audio.seconds, clip.seconds) == (0.0, 8.0, 8.0)
    assert (clip.reference.start_s, clip.reference.seconds) == (8.0, 2.0)
    assert split.refused == ()


def test_prompts_come_from_the_labels_and_else_from_a_file_name_that_has_words(
    clicks_folder, tmp_path
):
    shutil.copy(clicks_folder / "clip_000002.mp4", tmp_path / "dog_barking.mp4")
    shutil.copy(clicks_folder / "clip_000002.mp4", tmp_path / "-26aVYRtEAc_000030.mp4")
    labelled = open_split(f"folder:{clicks_folder}").clips
    assert [clip.prompt for clip in labelled] == ["a click", "a tick", ""]
    named = {clip.name: clip.prompt for clip in open_split(f"folder:{tmp_path}").clips}
    assert named == {"dog_barking": "dog barking", "-26aVYRtEAc_000030": ""}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("labels.csv", "a.mp4,rain\nb.mp4,wind\n"),
        ("labels.tsv", "id\tlabel\na\train\nb\twind\n"),
        ("labels.csv", "label,clip\nrain,a\nwind,b\n"),
        ("labels.csv", "file,prompt\na.wav,rain\nb.flac,wind\n"),
    ],
)
def test_labels_are_read_with_and_without_a_header(tmp_path, clicks_folder, file, text):
    for name in ("a", "b"):
        shutil.copy(clicks_folder / "clip_000000.mp4", tmp_path / f"{name}.mp4")
    (tmp_path / file).write_text(text)
    prompts = [clip.prompt for clip in open_split(f"folder:{tmp_path}").clips]
    assert prompts == ["rain", "wind"]


def test_a_label_row_without_a_label_is_refused(tmp_path, clicks_folder):
    shutil.copy(clicks_folder / "clip_000000.mp4", tmp_path / "a.mp4")
    (tmp_path / "labels.csv").write_text("a\n")
    with pytest.raises(BenchError, match="has no name or no label"):
        open_split(f"folder:{tmp_path}")


def test_clips_that_cannot_take_part_are_refused_by_name_and_never_dropped(tmp_path):
    silent_video(tmp_path / "short.mp4", 3.0)
    silent_video(tmp_path / "mute.mp4", 10.0, audio_seconds=0)
    (tmp_path / "text.mp4").write_text("not a video")
    silent_video(tmp_path / "nine.mp4", 9.0)
    split = open_split(f"folder:{tmp_path}")
    assert [clip.name for clip in split.clips] == ["nine"]
    assert split.clips[0].reference is None
    reasons = {refusal.clip: refusal.reason for refusal in split.refused}
    assert "lasts 3.0" in reasons["short"]
    assert "no audio stream" in reasons["mute"]
    assert "text.mp4" in reasons["text"]


def test_the_length_that_counts_is_that_of_the_audio(tmp_path):
    silent_video(tmp_path / "seven.mp4", 10.0, audio_seconds=7.5)
    silent_video(tmp_path / "nine.mp4", 10.0, audio_seconds=9.0)
    split = open_split(f"folder:{tmp_path}")
    assert [clip.name for clip in split.clips] == ["nine"]
    assert split.clips[0].reference is None
    assert re.search(r"audio of \S+seven\.mp4 lasts 7\.5\d s", split.refused[0].reason)


def test_names_of_nested_files_are_distinct(tmp_path, clicks_folder):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        shutil.copy(clicks_folder / "clip_000000.mp4", tmp_path / folder / "a.mp4")
    names = [clip.name for clip in open_split(f"folder:{tmp_path}").clips]
    assert names == ["x=a", "y=a"]


def test_names_that_cannot_be_file_names_stay_distinct(tmp_path, clicks_folder):
    for stem in ("犬", "猫", "a b", "a;b", "z" * 220, "z" * 221):
        shutil.copy(clicks_folder / "clip_000000.mp4", tmp_path / f"{stem}.mp4")
    split = open_split(f"folder:{tmp_path}")
    assert len({clip.name for clip in split.clips}) == 6
    assert split.refused == ()


def test_videos_that_differ_only_by_their_suffix_are_each_refused(tmp_path, clicks_folder):
    for file in ("a.mp4", "a.mkv", "b.mp4", "a.mkv.mp4"):
        shutil.copy(clicks_folder / "clip_000000.mp4", tmp_path / file)
    split = open_split(f"folder:{tmp_path}")
    assert [clip.name for clip in split.clips] == ["a.mkv", "b"]
    assert [refusal.clip[:6] for refusal in split.refused] == ["a.mkv-", "a.mp4-"]
    for refusal in split.refused:
        assert "2 videos in" in refusal.reason
        assert refusal.reason.endswith("called 'a', rename all but one: a.mkv, a.mp4")


def test_hidden_files_are_not_clips(tmp_path, clicks_folder):
    shutil.copy(clicks_folder / "clip_000000.mp4", tmp_path / "a.mp4")
    shutil.copy(clicks_folder / "clip_000000.mp4", tmp_path / ".b.mp4")
    assert [clip.name for clip in open_split(f"folder:{tmp_path}").clips] == ["a"]


def test_videos_of_any_suffix_and_case_and_behind_links_take_part(tmp_path, clicks_folder):
    source = clicks_folder / "clip_000000.mp4"
    folder, shard = tmp_path / "clips", tmp_path / "store" / "shard"
    folder.mkdir()
    shard.mkdir(parents=True)
    for target in (folder / "UPPER.MP4", folder / "what.film", folder / "plain", shard / "a.mp4"):
        shutil.copy(source, target)
    (folder / "shard").symlink_to(shard)
    (folder / "linked.mp4").symlink_to(source)
    (folder / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    split = open_split(f"folder:{folder}")
    names = ["UPPER", "linked", "plain", "shard=a", "what"]
    assert sorted(clip.name for clip in split.clips) == names
    [refusal] = split.refused
    assert refusal.clip == "gone"
    assert "No such file" in refusal.reason


def test_other_files_are_counted_and_named_in_the_notes(tmp_path, clicks_folder):
    shutil.copy(clicks_folder / "clip_000000.mp4", tmp_path / "dog_barking.mp4")
    for name in ("dog_barking.wav", "notes.txt", "._dog_barking.mp4"):
        (tmp_path / name).touch()
    assert open_split(f"folder:{tmp_path}").notes == (
        "1 prompts are the words of the file name, e.g. 'dog barking'",
        "1 audio files are no clips of a folder of videos: dog_barking.wav",
        f"1 file is neither audio nor video in {tmp_path.name}: notes.txt",
    )


def test_windows_of_one_youtube_video_are_one_cluster(tmp_path, clicks_folder):
    for stem in ("0DCit2EBtjs_000030", "0DCit2EBtjs_000060", "walk"):
        shutil.copy(clicks_folder / "clip_000000.mp4", tmp_path / f"{stem}.mp4")
    clips = open_split(f"folder:{tmp_path}").clips
    assert [clip.cluster for clip in clips] == ["0DCit2EBtjs", "0DCit2EBtjs", "walk"]


def test_the_list_of_vggsound_gives_words_and_never_a_number(tmp_path, clicks_folder):
    for stem in ("0DCit2EBtjs_000030", "--U7joUcTCo"):
        shutil.copy(clicks_folder / "clip_000000.mp4", tmp_path / f"{stem}.mp4")
    (tmp_path / "labels.csv").write_text("0DCit2EBtjs,30,pigeon,test\n--U7joUcTCo,0,cough,train\n")
    split = open_split(f"folder:{tmp_path}")
    assert [clip.prompt for clip in split.clips] == ["cough", "pigeon"]
    assert split.label_file == "labels.csv"
    (tmp_path / "labels.csv").write_text("someone_else,30,pigeon,test\n")
    with pytest.raises(BenchError, match=r"labels\.csv names none of the 2 clips"):
        open_split(f"folder:{tmp_path}")


def test_a_folder_that_is_missing_or_empty_is_refused(tmp_path):
    with pytest.raises(BenchError, match="there is no folder"):
        open_split(f"folder:{tmp_path / 'nowhere'}")
    with pytest.raises(BenchError, match="holds no video"):
        open_split(f"folder:{tmp_path}")


def test_the_real_clips_all_take_part(shared):
    split = open_split(f"folder:{shared / 'media' / 'vggsound'}")
    assert len(split.clips) == 11
    assert split.refused == ()
    assert all(clip.reference is not None for clip in split.clips)
