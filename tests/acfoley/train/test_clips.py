"""Lists of clips, folders of VGGSound, and sounds that are cut in pieces."""

from __future__ import annotations

import numpy as np
import pytest

from acfoley.train.clips import ClipList, TrainingClip, cut_pieces, list_split, read_list
from bench.errors import BenchError
from bench.media import write_audio, write_video
from bench.types import Audio, Excerpt


def test_a_list_names_videos_and_sounds(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("file,caption,score,start_s\nv/a.mp4,a dog,0.35,\nb.flac,rain,,20\n")
    first, second = read_list(path).clips
    assert first == TrainingClip(
        "a", Excerpt(tmp_path / "v/a.mp4"), Excerpt(tmp_path / "v/a.mp4"), "a dog", 0.35
    )
    excerpt = Excerpt(tmp_path / "b.flac", 20.0, 10.0)
    assert second == TrainingClip("b_000020", excerpt, None, "rain", None)


def test_a_long_sound_is_cut_in_pieces_that_follow_one_another(tmp_path):
    audio = Audio(np.full((1, 25 * 1_000), 0.1, np.float32), 1_000)
    write_audio(tmp_path / "rain.wav", audio)
    path = tmp_path / "list.tsv"
    path.write_text("file\tprompt\nrain.wav\train\nmissing.wav\t\n")
    found = read_list(path)
    assert [clip.name for clip in found.clips] == ["rain_000000", "rain_000010"]
    assert [clip.audio.start_s for clip in found.clips] == [0.0, 10.0]
    assert {clip.audio.seconds for clip in found.clips} == {10.0}
    assert {clip.prompt for clip in found.clips} == {"rain"}
    [(name, reason)] = found.refused
    assert name == "missing"
    assert "missing.wav" in reason


def test_the_content_says_whether_a_file_is_a_video(tmp_path):
    audio = Audio(np.full((1, 16_000), 0.1, np.float32), 16_000)
    frames = (np.full((32, 32, 3), 80, np.uint8) for _ in range(25))
    write_audio(tmp_path / "a.wav", audio)
    (tmp_path / "a.wav").rename(tmp_path / "a.mp4")
    write_video(tmp_path / "b.mp4", frames, 25, audio)
    path = tmp_path / "list.csv"
    path.write_text("file;prompt\na.mp4;rain\nb.mp4;wind, loud\n")
    first, second = read_list(path).clips
    assert (first.video, second.video) == (None, Excerpt(tmp_path / "b.mp4"))
    assert second.prompt == "wind, loud"


def test_a_prompt_may_hold_line_breaks(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text('file,prompt\na.mp4,"one\ntwo\u2028three"\nb.mp4,x\n', encoding="utf-8")
    assert [clip.prompt for clip in read_list(path).clips] == ["one\ntwo\u2028three", "x"]


def test_a_sound_of_less_than_two_pieces_stays_whole():
    clip = TrainingClip("a", Excerpt("a.wav"))
    assert cut_pieces(clip, 9.0) == cut_pieces(clip, 19.9) == [clip]
    assert len(cut_pieces(clip, 20.0)) == 2


def test_the_folder_of_vggsound_is_read_by_its_table(tmp_path):
    (tmp_path / "vggsound.csv").write_text(
        '-a_b,30,"dog, barking",train\nxyz,4,rain,test\nuvw,5,rain,train\n'
    )
    (tmp_path / "scores.csv").write_text("name,score\n-a_b_000030,0.41\n")
    found = list_split(f"vggsound-train:{tmp_path}").clips
    assert [clip.name for clip in found] == ["-a_b_000030", "uvw_000005"]
    assert found[0].prompt == "dog, barking"
    assert [clip.score for clip in found] == [0.41, None]
    assert found[0].video == Excerpt(tmp_path / "-a_b_000030.mp4")
    assert len(list_split(f"vggsound-test:{tmp_path}").clips) == 1


def test_what_is_no_list_is_refused(tmp_path):
    def table(text: str):
        path = tmp_path / "list.csv"
        path.write_text(text)
        return path

    with pytest.raises(BenchError, match="cannot read the list"):
        read_list(tmp_path / "missing.csv")
    with pytest.raises(BenchError, match="columns name, prompt; a list needs `file`"):
        read_list(table("name,prompt\na,b\n"))
    with pytest.raises(BenchError, match="score is 'high', expected a number"):
        read_list(table("file,score\na.mp4,high\n"))
    with pytest.raises(BenchError, match="'a' is listed more than once"):
        read_list(table("file\na.mp4\nb/a.mp4\n"))
    with pytest.raises(BenchError, match="no clip is listed"):
        ClipList(())
    with pytest.raises(BenchError, match="no split 'mini' to train on"):
        list_split("mini")
    (tmp_path / "vggsound.csv").write_text("a,b\n")
    with pytest.raises(BenchError, match="line 1: expected id, start, label, split"):
        list_split(f"vggsound-train:{tmp_path}")
