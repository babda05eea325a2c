"""The five references of Table 7."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.datasets.wavcaps import BLACKLIST, NAMES, prepare, wavcaps_directory
from bench.engine import InlineEngine
from bench.errors import BenchError, MissingError
from bench.inputs.manifest import MANIFEST, Manifest, MediaRow, write_manifest
from bench.media import read_audio
from bench.splits import open_split

RATE_HZ = 8_000


def draw(source: Path, **options):
    return prepare(source, InlineEngine(), lambda stage, done, total: None, **options)


@pytest.fixture(scope="module")
def audio_folder(tmp_path_factory) -> Path:
    """Eight files that can serve, and one each that is short, silent, shared and no audio."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    for number in range(8):
        soundfile.write(folder / f"{number}.flac", rng.normal(0, 0.1, 3 * RATE_HZ), RATE_HZ)
    soundfile.write(folder / "short.flac", rng.normal(0, 0.1, RATE_HZ), RATE_HZ)
    soundfile.write(folder / "silent.flac", np.zeros(3 * RATE_HZ), RATE_HZ)
    # A YouTube id of VGGSound's test list, as WavCaps names audio of AudioSet.
    soundfile.write(folder / "YglLQrEijrKg.flac", rng.normal(0, 0.1, 3 * RATE_HZ), RATE_HZ)
    (folder / "broken.flac").write_bytes(b"fLaC")
    return folder


def test_five_files_are_drawn_by_the_seed_and_unusable_ones_never(audio_folder, home):
    drawn = {seed: [row.label for row in draw(audio_folder, seed=seed).rows] for seed in range(12)}
    assert draw(audio_folder, seed=3).rows == draw(audio_folder, seed=3).rows
    assert len({tuple(labels) for labels in drawn.values()}) > 6
    assert {label for labels in drawn.values() for label in labels} <= set("01234567")
    manifest = draw(audio_folder, seed=1)
    assert [row.clip for row in manifest.rows] == list(NAMES)
    assert all(len(manifest.lists[name]) == 64 for name in NAMES)
    assert manifest.notes[0] == "drawn by the seed 1"


def test_files_in_a_zip_give_the_same_draw(audio_folder, home, tmp_path):
    with zipfile.ZipFile(tmp_path / "SoundBible.zip", "w") as archive:
        for path in audio_folder.iterdir():
            archive.write(path, f"mnt/data/{path.name}")
    expected = draw(audio_folder)
    for source in (tmp_path, tmp_path / "SoundBible.zip"):
        found = draw(source)
        assert [row.label for row in found.rows] == [row.label for row in expected.rows]
        assert found.lists == expected.lists
    kept = {path.name for path in wavcaps_directory().iterdir()} - {MANIFEST}
    assert kept == {f"{row.label}.flac" for row in expected.rows}


def test_files_of_one_name_in_two_zips_are_two_references(home, tmp_path):
    rng = np.random.default_rng(0)
    for part, n in (("FreeSound", 3), ("SoundBible", 2)):
        with zipfile.ZipFile(tmp_path / f"{part}.zip", "w") as archive:
            for number in range(n):
                path = tmp_path / "made.flac"
                soundfile.write(path, rng.normal(0, 0.1, 3 * RATE_HZ), RATE_HZ)
                archive.write(path, f"{number}.flac")
    path.unlink()
    manifest = draw(tmp_path)
    assert sorted(row.label for row in manifest.rows) == ["0", "0", "1", "1", "2"]
    assert len(set(manifest.lists.values())) == 5


def test_damaged_members_of_a_zip_are_passed_over_and_named(audio_folder, home, tmp_path):
    path = tmp_path / "some.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(6):
            archive.write(audio_folder / f"{number}.flac", f"{number}.flac")
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("0.flac").header_offset + 200
    content = bytearray(path.read_bytes())
    content[start : start + 50] = bytes(50)
    path.write_bytes(content)
    found = [draw(path, seed=seed) for seed in range(8)]
    assert all({row.label for row in each.rows} == set("12345") for each in found)
    named = {"1 drawn files are short, silent, damaged or badly named: 0"}
    assert {each.notes[-1] for each in found} >= named


def test_five_references_are_five_different_files(audio_folder, home, tmp_path):
    for number in range(5):
        for copy in "abc"[: 3 if number == 0 else 1]:
            (tmp_path / f"{copy}{number}.flac").symlink_to(audio_folder / f"{number}.flac")
    found = [draw(tmp_path, seed=seed) for seed in range(4)]
    assert {len(set(each.lists.values())) for each in found} == {5}
    assert any("drawn files equal a reference: " in each.notes[-1] for each in found)


def test_no_file_is_left_of_a_member_that_equals_a_reference(audio_folder, home, tmp_path):
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        for number in range(5):
            for copy in "abc"[: 3 if number == 0 else 1]:
                archive.write(audio_folder / f"{number}.flac", f"{copy}{number}.flac")
    notes = []
    for seed in range(4):
        drawn = draw(tmp_path / "some.zip", seed=seed)
        notes.append(drawn.notes[-1])
        written = set(wavcaps_directory().glob("*.flac"))
        assert written == {Path(row.path) for row in drawn.rows}
        for path in written:
            path.unlink()
    assert any("drawn files equal a reference: " in note for note in notes)


def test_the_blacklist_is_respected(audio_folder, home, tmp_path):
    path = tmp_path / BLACKLIST
    path.write_text(json.dumps({"AudioSet": ["Yabc.wav"], "FreeSound": ["0", "1", "2"]}))
    for seed in range(6):
        manifest = draw(audio_folder, table=path, seed=seed)
        assert {row.label for row in manifest.rows} == set("34567")
    assert BLACKLIST in manifest.lists
    path.write_text(json.dumps({"FreeSound": list("0123")}))
    with pytest.raises(BenchError, match="has 4 files that can serve as references, of 12"):
        draw(audio_folder, table=path)
    path.write_text("[]")
    with pytest.raises(BenchError, match="is no blacklist of WavCaps"):
        draw(audio_folder, table=path)


def test_a_part_of_a_zip_and_a_folder_without_audio_are_refused(home, tmp_path):
    (tmp_path / "FreeSound.zip").write_bytes(b"PK\x05\x06 the last part")
    with pytest.raises(
        BenchError, match=r"join them by `zip -s- FreeSound\.zip -O FreeSound_whole\.zip`"
    ):
        draw(tmp_path)
    (tmp_path / "FreeSound.zip").unlink()
    with pytest.raises(MissingError, match="holds no audio file and no zip"):
        draw(tmp_path)


def test_every_test_clip_is_under_each_reference(audio_folder, home):
    with pytest.raises(MissingError, match="run `bench data prepare wavcaps --from PATH`"):
        open_split("wavcaps-references")
    draw(audio_folder)
    rows = (
        MediaRow("glLQrEijrKg_000300", "organ", "test", "/data/a.mp4", audio_s=10.0),
        MediaRow("zzzzzzzzzzz_000001", "rain", "test", problem="no video"),
    )
    write_manifest(home / "data" / "vggsound" / MANIFEST, Manifest("vggsound", rows))
    split = open_split("wavcaps-references")
    assert [clip.name for clip in split.clips] == [f"glLQrEijrKg_000300_to_{n}" for n in NAMES]
    assert [clip.group for clip in split.clips] == list(NAMES)
    assert {clip.cluster for clip in split.clips} == {"glLQrEijrKg"}
    assert {(clip.groups["class"], clip.groups["taxonomy"]) for clip in split.clips} == {
        ("organ", "other class")
    }
    assert [read_audio(clip.reference).seconds for clip in split.clips] == [2.0] * 5
    assert len(split.refused) == 5
    assert "mcd_ref" in split.metrics
    assert split.notes[-1].startswith("references drawn by the seed 0 (SHA-256: ref_a ")
