"""AudioCaps, to train on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from acfoley.train.clips import read_prepared
from bench.datasets import audiocaps
from bench.engine import InlineEngine
from bench.errors import BenchError, MissingError
from bench.inputs.manifest import MANIFEST
from bench.media import read_audio
from bench.types import Excerpt

RATE_HZ = 4_000
HEADER = "audiocap_id,youtube_id,start_time,caption\n"


def prepare(module, source: Path, **options):
    return module.prepare(source, InlineEngine(), lambda stage, done, total: None, **options)


def write_ramp(path: Path, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A ramp, so that a piece can be told by its first sample.
    soundfile.write(path, np.linspace(0, 0.5, round(seconds * RATE_HZ)), RATE_HZ, subtype="PCM_24")


@pytest.fixture
def captions(tmp_path) -> Path:
    """A folder with the tables of both versions, and a file under each known name."""
    folder = tmp_path / "copy"
    (folder / "dataset").mkdir(parents=True)
    (folder / "dataset2.0").mkdir()
    (folder / "dataset" / "train.csv").write_text(HEADER + "9,aaaaaaaaaaa,30,Old\n")
    (folder / "dataset2.0" / "train.csv").write_text(
        HEADER
        + '1,aaaaaaaaaaa,30,"a dog, barking"\n2,-bbbbbbbbbb,0,rain\n3,ccccccccccc,5,wind\n'
        + "4,ddddddddddd,7,a car\n5,eeeeeeeeeee,20,a bell\n6,fffffffffff,1,too short\n7,g,1,gone\n"
    )
    (folder / "dataset2.0" / "test.csv").write_text(
        HEADER + "101,hhhhhhhhhhh,0,one\n102,hhhhhhhhhhh,0,two\n"
    )
    for name, seconds in (
        ("Yaaaaaaaaaaa", 10.0),
        ("-bbbbbbbbbb", 10.02),
        ("ccccccccccc_5", 9.9),
        ("4", 10.0),
        ("Yeeeeeeeeeee", 40.0),
        ("Yfffffffffff", 4.0),
        ("Yhhhhhhhhhhh", 10.0),
    ):
        write_ramp(folder / "audio" / f"{name}.wav", seconds)
    return folder


def test_audio_of_every_known_name_is_found(captions, home):
    manifest = prepare(audiocaps, captions)
    rows = {row.label: row for row in manifest.rows}
    assert {label: Path(row.path).stem for label, row in rows.items() if not row.problem} == {
        "a dog, barking": "Yaaaaaaaaaaa",
        "rain": "-bbbbbbbbbb",
        "wind": "ccccccccccc_5",
        "a car": "4",
        "a bell": "Yeeeeeeeeeee",
        "one": "Yhhhhhhhhhhh",
        "two": "Yhhhhhhhhhhh",
    }
    assert rows["a dog, barking"].clip == "aaaaaaaaaaa_000030_1"
    assert (rows["a dog, barking"].start_s, rows["a bell"].start_s) == (0.0, 20.0)
    assert rows["gone"].problem == "no audio"
    assert rows["too short"].problem == "its audio lasts 4.00 s, a target needs 8 s"
    assert {row.split for row in manifest.rows} == {"train", "test"}
    assert audiocaps.summarize(manifest) == "7 of 9 captions have audio: test 2, train 5"


def test_a_manifest_of_audio_is_read_for_training(captions, home):
    prepare(audiocaps, captions)
    listed = read_prepared(home / "data" / "audiocaps" / MANIFEST)
    clips = {clip.prompt: clip for clip in listed.clips}
    assert all(clip.video is None for clip in listed.clips)
    # A file of its own is read to its end, a part of one for 10 s.
    assert clips["wind"].audio == Excerpt(captions / "audio" / "ccccccccccc_5.wav")
    assert clips["a bell"].audio == Excerpt(captions / "audio" / "Yeeeeeeeeeee.wav", 20.0, 10.0)
    assert read_audio(clips["rain"].audio).seconds == 10.0
    assert {name for name, _ in listed.refused} == {"fffffffffff_000001_6", "g_000001_7"}
    assert len(read_prepared(home / "data" / "audiocaps" / MANIFEST, "test").clips) == 2


def test_a_named_table_counts_alone_and_its_name_is_the_split(captions, home):
    table = captions / "dataset" / "train.csv"
    manifest = prepare(audiocaps, captions, table=table)
    assert [(row.label, row.split) for row in manifest.rows] == [("Old", "train")]
    assert list(manifest.lists) == ["train.csv"]


def test_captions_of_videos_that_vggsound_tests_are_left_out_of_training(captions, home):
    table = captions / "val.csv"
    table.write_text(HEADER + "1,aaaaaaaaaaa,30,a\n2,glLQrEijrKg,0,b\n3,glLQrEijrKg,0,c\n")
    write_ramp(captions / "audio" / "YglLQrEijrKg.wav", 10.0)
    manifest = prepare(audiocaps, captions, table=table)
    rows = {row.label: row.problem for row in manifest.rows}
    shared = "VGGSound's test list has its video"
    assert rows == {"a": "", "b": shared, "c": shared}
    assert manifest.notes == (
        "2 of 3 captions are left out, of 1 videos that VGGSound's test list has",
    )
    listed = read_prepared(home / "data" / "audiocaps" / MANIFEST, "val")
    assert [clip.prompt for clip in listed.clips] == ["a"]
    table.rename(captions / "test.csv")  # what AudioCaps tests is not trained on
    manifest = prepare(audiocaps, captions, table=captions / "test.csv")
    assert [row.problem for row in manifest.rows] == ["", "", ""]


def test_a_file_that_may_be_either_of_two_clips_is_refused(captions, home):
    table = captions / "val.csv"
    table.write_text(HEADER + "1,aaaaaaaaaaa,0,first\n2,aaaaaaaaaaa,30,second\n3,eeeeeeeeeee,5,c\n")
    rows = {row.label: row for row in prepare(audiocaps, captions, table=table).rows}
    assert rows["first"].problem == (
        "2 clips of this video are listed, and Yaaaaaaaaaaa.wav may be any of them: "
        "name it aaaaaaaaaaa_0"
    )
    assert rows["c"].problem == ""


def test_tables_and_folders_without_captions_are_refused(captions, home, tmp_path):
    table = tmp_path / "train.csv"
    for text, message in (
        ("a,b\n1,2\n", "has the columns a, b, a table of AudioCaps has audiocap_id, caption"),
        (HEADER + "1,a,x,c\n", "line 2: start_time is 'x', expected seconds"),
        (HEADER + "1,a,1,c\n1,a,1,c\n", "the caption a_000001_1 is listed more than once"),
    ):
        table.write_text(text)
        with pytest.raises(BenchError, match=message):
            prepare(audiocaps, captions, table=table)
    (captions / "more").mkdir()
    (captions / "more" / "test.csv").write_text(HEADER)
    (captions / "dataset2.0" / "test.csv").rename(captions / "dataset" / "test.csv")
    with pytest.raises(BenchError, match=r"has several tables test\.csv"):
        prepare(audiocaps, captions)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingError, match="name one by --table"):
        prepare(audiocaps, tmp_path / "empty")
    table.write_text(HEADER + "1,zzzzzzzzzzz,1,c\n")
    with pytest.raises(MissingError, match=r"none of the 1 captions: .* Yzzzzzzzzzzz or zzzz"):
        prepare(audiocaps, captions, table=table)
