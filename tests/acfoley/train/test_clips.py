"""Which clips are trained on, from lists and manifests, and which samples of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from acfoley.train.clips import (
    ClipList,
    CropLayout,
    Span,
    TrainingClip,
    cut_pieces,
    read_list,
    read_prepared,
)
from bench.errors import BenchError, MediaError, MissingError
from bench.inputs.manifest import MANIFEST, Manifest, MediaRow, write_manifest
from bench.media import write_audio, write_video
from bench.types import Audio, Excerpt


def test_a_list_may_have_video_and_audio_files(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("file,caption,score,start_s\nv/a.mp4,a dog,0.35,\nb.flac,rain,,20\n")
    first, second = read_list(path).clips
    assert first == TrainingClip(
        "a", Excerpt(tmp_path / "v/a.mp4"), Excerpt(tmp_path / "v/a.mp4"), "a dog", 0.35
    )
    excerpt = Excerpt(tmp_path / "b.flac", 20.0, 10.0)
    assert second == TrainingClip("b_000020", excerpt, None, "rain", None)


def test_a_long_audio_file_is_cut_into_consecutive_pieces(tmp_path):
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


def test_the_tracks_of_a_file_decide_whether_it_is_a_video(tmp_path):
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


def test_a_prompt_may_contain_line_breaks(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text('file,prompt\na.mp4,"one\ntwo\u2028three"\nb.mp4,x\n', encoding="utf-8")
    assert [clip.prompt for clip in read_list(path).clips] == ["one\ntwo\u2028three", "x"]


def test_audio_shorter_than_two_pieces_is_not_cut():
    clip = TrainingClip("a", Excerpt("a.wav"))
    assert cut_pieces(clip, 9.0) == cut_pieces(clip, 19.9) == [clip]
    assert len(cut_pieces(clip, 20.0)) == 2


ROWS = (
    MediaRow("-a_b0123456_000030", "dog, barking", "train", "/data/v.mp4", video_codec="h264"),
    MediaRow("uvw01234567_000005", "rain", "train", "/data/u.wav"),
    MediaRow(
        "vvv01234567_000012",
        "rain",
        "train",
        "/data/v.mp4",
        "/data/v.wav",
        12.0,
        10.0,
        video_codec="h264",
    ),
    MediaRow("www01234567_000001", "wind", "train", problem="no video"),
    MediaRow("xyz01234567_000004", "rain", "test", "/data/x.mp4", video_codec="h264"),
)


@pytest.fixture
def manifest(tmp_path):
    write_manifest(tmp_path / MANIFEST, Manifest("vggsound", ROWS))
    return tmp_path / MANIFEST


def test_a_prepared_dataset_is_read_by_its_manifest(manifest, tmp_path):
    (tmp_path / "scores.csv").write_text("name,score\n-a_b0123456_30000_40000,0.41\n")
    found = read_prepared(manifest)
    assert [(clip.name, clip.prompt, clip.score) for clip in found.clips] == [
        ("-a_b0123456_000030", "dog, barking", 0.41),
        ("uvw01234567_000005", "rain", None),
        ("vvv01234567_000012", "rain", None),
    ]
    own, audio, cut = found.clips
    assert own.video == own.audio == Excerpt(Path("/data/v.mp4"))
    assert (audio.video, audio.audio) == (None, Excerpt(Path("/data/u.wav")))
    assert cut.audio == Excerpt(Path("/data/v.wav"), 12.0, 10.0)
    assert cut.video == Excerpt(Path("/data/v.mp4"), 12.0, 10.0)
    assert found.refused == (("www01234567_000001", "no video"),)
    assert [clip.name for clip in read_prepared(manifest, "test").clips] == ["xyz01234567_000004"]


def test_manifests_without_a_clip_to_train_on_are_refused(manifest, tmp_path):
    with pytest.raises(BenchError, match="no clip of the split 'valid': to train on VGG"):
        read_prepared(manifest, "valid")
    with pytest.raises(MissingError, match="there is no manifest"):
        read_prepared(tmp_path / "gone.parquet")
    (tmp_path / "scores.csv").write_text("clip,score\na,1\n")
    with pytest.raises(BenchError, match="columns clip, score; it needs name and score"):
        read_prepared(manifest)
    write_manifest(manifest, Manifest("vggsound", ROWS[3:4]))
    (tmp_path / "scores.csv").unlink()
    with pytest.raises(MissingError, match="none of the 1 train clips in"):
        read_prepared(manifest)


def test_invalid_lists_are_refused(tmp_path):
    def table(text: str):
        path = tmp_path / "list.csv"
        path.write_text(text)
        return path

    with pytest.raises(BenchError, match="cannot read the list"):
        read_list(tmp_path / "missing.csv")
    with pytest.raises(BenchError, match="columns name, prompt; a list needs `file`"):
        read_list(table("name,prompt\na,b\n"))
    for row in ("a.mp4,nan,", "a.mp4,inf,", "a.mp4,0,nan"):
        with pytest.raises(BenchError, match=r"line 2: .* is '(nan|inf)', expected a number"):
            read_list(table(f"file,start_s,score\n{row}\n"))
    with pytest.raises(BenchError, match="line 2: start_s is -3, expected 0 or more"):
        read_list(table("file,start_s\na.mp4,-3\n"))
    with pytest.raises(BenchError, match="score is 'high', expected a number"):
        read_list(table("file,score\na.mp4,high\n"))
    with pytest.raises(BenchError, match="'a' is listed more than once"):
        read_list(table("file\na.mp4\nb/a.mp4\n"))
    with pytest.raises(BenchError, match="no clip is listed"):
        ClipList(())


PAPER = CropLayout()


def test_ten_seconds_contain_target_and_reference():
    assert PAPER.target(441_000) == Span(0, 353_280)
    assert PAPER.after(441_000) == Span(353_280, 441_000)


@pytest.mark.parametrize("n_samples", [375_500, 400_000, 440_832, 441_000, 441_344, 600_000])
def test_the_reference_of_stage_two_never_overlaps_the_target(n_samples):
    target, after = PAPER.target(n_samples), PAPER.after(n_samples)
    assert after is not None
    assert after.start >= target.stop
    assert after.stop <= min(n_samples, 441_000)
    assert after.stop - after.start <= 88_200


@pytest.mark.parametrize("seconds", [2.0, 4.0, 8.0])
def test_references_of_stage_one_are_at_many_positions_inside_the_target(seconds):
    layout = CropLayout(seconds)
    target = layout.target(441_000)
    spans = [layout.inside("clip", number) for number in range(300)]
    assert all(target.start <= span.start < span.stop <= target.stop for span in spans)
    assert {span.stop - span.start for span in spans} == {88_200}
    if seconds == 8:
        starts = [span.start for span in spans]
        assert min(starts) < 10_000
        assert max(starts) > 353_280 - 88_200 - 10_000
        assert starts != [layout.inside("other", number).start for number in range(300)]


def test_a_short_rest_after_the_target_is_no_reference():
    assert PAPER.after(353_280 + 22_049) is None
    assert PAPER.after(353_280 + 22_050) == Span(353_280, 375_330)


def test_a_clip_shorter_than_its_target_is_refused():
    with pytest.raises(MediaError, match=r"lasts 8\.000 s, the target alone needs 8\.011 s"):
        PAPER.target(352_800)
    with pytest.raises(BenchError, match="not 3 s"):
        CropLayout(2.0, 3.0)
