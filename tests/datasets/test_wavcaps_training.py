"""WavCaps to train on: its files cut into pieces, unpacked or in zips."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from acfoley.train.clips import CropLayout, read_prepared
from acfoley.train.dataset import FeatureDataset
from acfoley.train.features import Source
from acfoley.train.precompute import precompute
from bench.datasets import wavcaps_training
from bench.datasets.wavcaps import BLACKLIST
from bench.datasets.zips import list_members
from bench.engine import InlineEngine
from bench.errors import BenchError, MissingError
from bench.inputs.manifest import MANIFEST
from bench.media import read_audio
from tests.acfoley.train.small import ENCODING, LAYOUT

RATE_HZ = 4_000


def prepare(module, source: Path, **options):
    return module.prepare(source, InlineEngine(), lambda stage, done, total: None, **options)


def write_ramp(path: Path, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A ramp, so that a piece can be told by its first sample.
    soundfile.write(path, np.linspace(0, 0.5, round(seconds * RATE_HZ)), RATE_HZ, subtype="PCM_24")


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


def pack(wavcaps: Path, part: str, method: int) -> Path:
    """Put the files of a part into a zip, as WavCaps has them, and remove them."""
    folder = wavcaps / "Zip_files" / "mnt" / "fast" / f"{part}_flac"
    path = wavcaps / "Zip_files" / f"{part}.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for each in sorted(folder.iterdir()):
            archive.write(each, f"mnt/fast/nobackup/{each.name}")
        archive.writestr("mnt/fast/nobackup/._1.flac", b"AppleDouble")
    shutil.rmtree(folder)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_files_in_zips_give_the_same_pieces(method, wavcaps, home):
    expected = prepare(wavcaps_training, wavcaps)
    for part in ("SoundBible", "FreeSound", "AudioSet_SL"):
        pack(wavcaps, part, method)
    unpacked = home / "data" / "wavcaps-training" / "unpacked"
    for _ in range(2):  # read from the zip, then from memory
        found = prepare(wavcaps_training, wavcaps)
        rows = zip(found.rows, expected.rows, strict=True)
        assert all(replace(row, path=known.path) == known for row, known in rows)
        assert unpacked.is_dir() == (method == zipfile.ZIP_DEFLATED)
    listed = read_prepared(home / "data" / "wavcaps-training" / MANIFEST)
    pieces = {clip.name: read_audio(clip.audio) for clip in listed.clips}
    assert pieces["SoundBible_1_000010"].samples[0, 0] == pytest.approx(0.2, abs=1e-4)
    assert len(pieces) == 5
    if method == zipfile.ZIP_DEFLATED:
        kept = {f"{clip.rpartition('_0000')[0] or clip}.flac" for clip in pieces}
        assert {path.name for path in unpacked.iterdir()} == kept | {"SoundBible_2.flac"}


def test_a_file_that_is_unpacked_outranks_the_one_in_its_zip(wavcaps, home, tmp_path):
    before = prepare(wavcaps_training, wavcaps)
    shutil.copytree(wavcaps / "Zip_files" / "mnt", tmp_path / "mnt")
    pack(wavcaps, "SoundBible", zipfile.ZIP_STORED)
    shutil.copytree(tmp_path / "mnt", wavcaps / "Zip_files" / "mnt", dirs_exist_ok=True)
    assert prepare(wavcaps_training, wavcaps).rows == before.rows


def test_a_zip_in_parts_and_a_damaged_one_are_named_and_the_rest_is_read(wavcaps, home):
    parts = pack(wavcaps, "FreeSound", zipfile.ZIP_STORED)
    parts.with_suffix(".z01").write_bytes(b"the first part")
    (wavcaps / "Zip_files" / "BBC_Sound_Effects.zip").write_bytes(b"PK")
    manifest = prepare(wavcaps_training, wavcaps)
    rows = {row.clip: row for row in manifest.rows}
    assert rows["FreeSound_1"].problem == "no audio"
    assert rows["SoundBible_1_000000"].problem == ""
    notes = [note for note in manifest.notes if "zip -s- " in note]
    assert len(notes) == 2
    assert "join them by `zip -s- FreeSound.zip -O FreeSound_whole.zip`" in notes[1]
    assert "BBC_Sound_Effects.zip (File is not a zip file)" in notes[0]
    shutil.copy(parts, parts.with_name("FreeSound_whole.zip"))  # joined, beside its parts
    manifest = prepare(wavcaps_training, wavcaps)
    assert {row.clip: row for row in manifest.rows}["FreeSound_1"].problem == ""
    assert not any("FreeSound" in note for note in manifest.notes)
    parts.with_name("FreeSound_whole.zip").unlink()
    parts.with_suffix(".z01").unlink()
    rows = {row.clip: row for row in prepare(wavcaps_training, wavcaps).rows}
    assert rows["FreeSound_1"].problem == ""


def test_a_file_in_two_zips_is_named_by_both(wavcaps, home):
    path = pack(wavcaps, "SoundBible", zipfile.ZIP_STORED)
    shutil.copy(path, path.with_name("SoundBible_copy.zip"))
    rows = {row.clip: row for row in prepare(wavcaps_training, wavcaps).rows}
    assert rows["SoundBible_1"].problem == (
        "2 files have this name: SoundBible.zip/mnt/fast/nobackup/1.flac, "
        "SoundBible_copy.zip/mnt/fast/nobackup/1.flac"
    )


def test_a_damaged_member_of_a_zip_is_a_row_with_its_reason(wavcaps, home):
    path = pack(wavcaps, "SoundBible", zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("mnt/fast/nobackup/1.flac").header_offset + 100
    content = bytearray(path.read_bytes())
    content[start : start + 50] = bytes(50)
    path.write_bytes(content)
    rows = {row.clip: row for row in prepare(wavcaps_training, wavcaps).rows}
    problem = rows["SoundBible_1"].problem
    assert problem.startswith("mnt/fast/nobackup/1.flac of SoundBible.zip cannot be unpacked: ")
    assert rows["FreeSound_1"].problem == ""


def test_what_a_zip_compresses_needs_space(wavcaps, home, monkeypatch):
    pack(wavcaps, "SoundBible", zipfile.ZIP_DEFLATED)
    full = shutil._ntuple_diskusage(10, 10, 0)
    monkeypatch.setattr("shutil.disk_usage", lambda path: full)
    with pytest.raises(BenchError, match=r"unpacking 2 files of WavCaps takes up to 0\.\d GiB"):
        prepare(wavcaps_training, wavcaps)


def test_the_blacklist_of_one_part_does_not_take_the_same_number_of_another(wavcaps, home):
    (wavcaps / BLACKLIST).write_text(json.dumps({"FreeSound": ["1"], "AudioSet": []}))
    manifest = prepare(wavcaps_training, wavcaps)
    rows = {row.clip: row for row in manifest.rows}
    assert rows["FreeSound_1"].problem == "VGGSound has it too"
    assert rows["SoundBible_1_000000"].problem == ""
    assert "2 of 7 files are left out: VGGSound has them too" in manifest.notes


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


def test_a_list_of_members_in_several_files_is_that_of_parts(wavcaps, home):
    path = pack(wavcaps, "SoundBible", zipfile.ZIP_STORED)
    assert len(list_members(path, {".flac"})) == 2
    content = bytearray(path.read_bytes())
    last = content.rindex(b"PK\x01\x02")
    content[last + 34] = 1  # the part in which a member begins
    path.write_bytes(content)
    with pytest.raises(BenchError, match="its members are in several files"):
        list_members(path, {".flac"})
