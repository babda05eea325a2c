"""Audio with captions to train on: AudioCaps, and WavCaps cut into pieces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from acfoley.train.clips import CropLayout, read_prepared
from acfoley.train.dataset import FeatureDataset
from acfoley.train.features import Source
from acfoley.train.precompute import precompute
from bench.datasets import audiocaps, wavcaps_training
from bench.datasets.wavcaps import BLACKLIST
from bench.engine import InlineEngine
from bench.errors import BenchError, MissingError
from bench.inputs.manifest import MANIFEST
from bench.media import read_audio
from bench.types import Excerpt
from tests.acfoley.train.small import ENCODING, LAYOUT

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


@pytest.fixture
def wavcaps(tmp_path) -> Path:
    """Parts of WavCaps as they unpack, two of which number their files alike."""
    folder = tmp_path / "WavCaps"
    parts = {
        "SoundBible/sb_final.json": [
            {"id": "1", "caption": "a long rain", "duration": 25.0},
            {"id": "2", "caption": "short"},
            {"id": "3", "caption": "gone"},
        ],
        "FreeSound/fsd_final.json": [
            {"id": "1", "caption_1": "a bell", "caption_2": "another"},
            {"id": "7", "caption": "shared"},
        ],
        "AudioSet_SL/as_final.json": [
            {"id": "YglLQrEijrKg.wav", "caption": "an organ"},
            {"id": "Yzzzzzzzzzzz.wav", "caption": "steps"},
        ],
    }
    for name, rows in parts.items():
        path = folder / "json_files" / name
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"num_captions_per_audio": 1, "data": rows}))
    flac = folder / "Zip_files" / "mnt" / "fast"
    write_ramp(flac / "SoundBible_flac" / "1.flac", 25.0)
    write_ramp(flac / "SoundBible_flac" / "2.flac", 5.0)
    write_ramp(flac / "FreeSound_flac" / "1.flac", 15.0)
    write_ramp(flac / "FreeSound_flac" / "7.flac", 10.0)
    write_ramp(flac / "AudioSet_SL_flac" / "YglLQrEijrKg.flac", 10.0)
    write_ramp(flac / "AudioSet_SL_flac" / "Yzzzzzzzzzzz.flac", 9.98)
    return folder


def test_files_of_wavcaps_are_cut_into_pieces_of_10_s(wavcaps, home):
    (wavcaps / BLACKLIST).write_text(json.dumps({"FreeSound": ["7"], "AudioSet": []}))
    manifest = prepare(wavcaps_training, wavcaps)
    assert [(row.clip, row.start_s, row.label, row.problem) for row in manifest.rows] == [
        ("AudioSet_SL_YglLQrEijrKg", 0.0, "an organ", "VGGSound has it too"),
        ("AudioSet_SL_Yzzzzzzzzzzz", 0.0, "steps", ""),
        ("FreeSound_1", 0.0, "a bell", ""),
        ("FreeSound_7", 0.0, "shared", "VGGSound has it too"),
        ("SoundBible_1_000000", 0.0, "a long rain", ""),
        ("SoundBible_1_000010", 10.0, "a long rain", ""),
        ("SoundBible_2", 0.0, "short", "its audio lasts 5.00 s, a target needs 8 s"),
        ("SoundBible_3", 0.0, "gone", "no audio"),
    ]
    assert BLACKLIST in manifest.lists
    assert wavcaps_training.summarize(manifest) == (
        "4 pieces of 10 s; 2 files are missing or cannot be used, 2 are left out because VGGSound "
        "has them"
    )
    listed = read_prepared(home / "data" / "wavcaps-training" / MANIFEST)
    pieces = {clip.name: read_audio(clip.audio) for clip in listed.clips}
    seconds = {name: round(piece.seconds, 2) for name, piece in pieces.items()}
    assert seconds == {
        "AudioSet_SL_Yzzzzzzzzzzz": 9.98,
        "FreeSound_1": 10.0,
        "SoundBible_1_000000": 10.0,
        "SoundBible_1_000010": 10.0,
    }
    # The second piece starts where the first ends: at 10 of 25 s, the ramp is at 0.2.
    assert pieces["SoundBible_1_000010"].samples[0, 0] == pytest.approx(0.2, abs=1e-4)


def test_pieces_are_encoded_each_from_its_start(wavcaps, home, tmp_path):
    prepare(wavcaps_training, wavcaps)
    listed = read_prepared(home / "data" / "wavcaps-training" / MANIFEST)
    sources = {clip.name: Source(clip, CropLayout()) for clip in listed.clips}
    assert {len(source.target) for source in sources.values()} == {353_280}
    # Peaks are scaled to 0.95: the piece from 10 to 20 s of a ramp begins at half of its peak.
    first, second = (sources[f"SoundBible_1_{start}"].target for start in ("000000", "000010"))
    assert (float(first[1_000]), float(second[1_000])) == pytest.approx((0.0, 0.475), abs=0.01)
    precompute(listed, ENCODING, tmp_path / "features", LAYOUT)
    dataset = FeatureDataset([tmp_path / "features"])
    assert {row.name for row in dataset.clips} == set(sources)
    assert not any(row.has_video for row in dataset.clips)


def test_a_number_that_two_parts_have_needs_a_folder_that_names_the_part(wavcaps, home):
    folder = wavcaps / "Zip_files" / "mnt" / "fast"
    (folder / "SoundBible_flac" / "1.flac").rename(folder / "1.flac")
    rows = {row.clip: row for row in prepare(wavcaps_training, wavcaps).rows}
    assert rows["SoundBible_1"].problem == "no audio"
    assert Path(rows["FreeSound_1"].path).parent.name == "FreeSound_flac"
    assert rows["FreeSound_7"].problem == ""
    write_ramp(folder / "FreeSound_flac" / "more" / "1.flac", 10.0)
    rows = {row.clip: row for row in prepare(wavcaps_training, wavcaps).rows}
    assert rows["FreeSound_1"].problem.startswith("2 files have this name: FreeSound_flac/1.flac")


def test_captions_that_are_missing_or_no_captions_are_refused(wavcaps, home, tmp_path):
    path = wavcaps / "json_files" / "SoundBible" / "sb_final.json"
    for text in ("[]", "{}", '{"data": [1]}', '{"data": [{"id": "1"}]}', "text"):
        path.write_text(text)
        with pytest.raises(BenchError, match=r"sb_final\.json is no list of captions of WavCaps"):
            prepare(wavcaps_training, wavcaps)
    path.write_text('{"data": []}')
    (wavcaps / "sb_final.json").write_text('{"data": [{"id": "1", "caption": "a"}]}')
    (wavcaps / "json_files" / "sb_final.json").write_bytes((wavcaps / "sb_final.json").read_bytes())
    with pytest.raises(BenchError, match="has the caption of SoundBible/1 more than once"):
        prepare(wavcaps_training, wavcaps)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingError, match="the captions are as_final.json, bbc_final.json"):
        prepare(wavcaps_training, tmp_path / "empty")
