"""Clips on disk: the content of files and rows, and the problems that verify reports."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError, MissingError
from bench.io import write_json
from bench.media import read_audio, read_frames
from bench.synthetic import dataset
from bench.synthetic.audio import render_audio
from bench.synthetic.protocols import REFERENCE_NAMES, reference_scenes
from bench.synthetic.scene import make_scene, scene_from_truth
from bench.synthetic.video import render_frames
from bench.types import Excerpt


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dataset.Row]]:
    """A directory with three clips and the references, and their rows; not to be changed."""
    directory = tmp_path_factory.mktemp("mini")
    dataset.start_directory(directory)
    rows = [dataset.render_clip(directory, "mini", index) for index in (0, 3, 12)]
    rows += [dataset.render_reference(directory, name) for name in REFERENCE_NAMES]
    dataset.write_manifest(directory, reversed(rows))
    return directory, rows


@pytest.fixture
def directory(rendered: tuple[Path, list[dataset.Row]], tmp_path: Path) -> Path:
    """A copy of those clips that a test may damage."""
    return Path(shutil.copytree(rendered[0], tmp_path / "copy"))


def test_a_row_describes_its_clip(rendered: tuple[Path, list[dataset.Row]]) -> None:
    row = rendered[1][1]
    assert row["name"] == "mini_000003"
    assert row["file"] == "mini_000003.mp4"
    assert row["prompt"] == "water dripping on plastic"
    assert row["seconds"] == 10.0
    assert len(row["sha256"]) == 64
    assert scene_from_truth(row["truth"]) == make_scene("mini", 3)


def test_a_file_holds_250_frames_like_those_rendered(rendered: tuple[Path, list]) -> None:
    frames = read_frames(Excerpt(rendered[0] / "mini_000000.mp4"), 25.0)
    assert frames.pixels.shape == (250, 128, 128, 3)
    np.testing.assert_allclose(frames.times_s, np.arange(250) / 25.0, atol=1e-9)
    true = np.stack(list(render_frames(make_scene("mini", 0)))).astype(float)
    assert np.abs(frames.pixels - true).mean() < 6.0


@pytest.mark.parametrize("index", [0, 3, 12])
def test_a_file_holds_ten_seconds_whose_onsets_survive_the_codec(
    rendered: tuple[Path, list[dataset.Row]], index: int
) -> None:
    scene = make_scene("mini", index)
    audio = read_audio(Excerpt(rendered[0] / f"{scene.name}.mp4", 0.0, 10.0))
    assert audio.sample_rate_hz == 44_100
    assert audio.samples.shape == (1, 441_000)
    true, decoded = render_audio(scene), audio.samples[0]
    assert np.corrcoef(true, decoded)[0, 1] > 0.99
    for event in scene.events:
        start = round(event.time_s * 44_100)
        around = np.abs(decoded[start - 1323 : start + 1323])
        past = np.abs(decoded[start - 2205 : start - 441]).max()
        first = np.flatnonzero(around > max(1.5 * past, 0.1 * around.max()))[0] - 1323
        assert abs(first) / 44_100 < 0.005


def test_an_existing_clip_is_not_rendered_again(directory: Path) -> None:
    path = directory / "mini_000003.mp4"
    before = path.stat().st_mtime_ns
    assert dataset.render_clip(directory, "mini", 3)["name"] == "mini_000003"
    assert path.stat().st_mtime_ns == before


def test_a_clip_rendered_again_has_the_same_bytes(rendered: tuple[Path, list], tmp_path: Path):
    # A reference, since it is a clip of 2 s.
    again = dataset.render_reference(tmp_path, "ref_a")
    assert again == rendered[1][3]


def test_a_manifest_is_read_back_sorted(rendered: tuple[Path, list[dataset.Row]]) -> None:
    directory, rows = rendered
    assert dataset.read_manifest(directory) == rows
    assert dataset.verify(directory) == []


def test_a_duplicate_name_is_refused(rendered: tuple[Path, list], tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="mini_000000 comes twice"):
        dataset.write_manifest(tmp_path, [rendered[1][0], rendered[1][0]])


def test_a_missing_manifest_is_reported_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no mini clips in .*bench data prepare mini"):
        dataset.read_manifest(tmp_path)


def test_a_damaged_manifest_is_refused(directory: Path) -> None:
    (directory / dataset.MANIFEST).write_text('{"name": ')
    with pytest.raises(BenchError, match=r"manifest.jsonl is damaged.*bench data prepare mini"):
        dataset.read_manifest(directory)


def test_clips_of_another_world_are_refused_and_then_replaced(directory: Path) -> None:
    write_json(directory / dataset.WORLD, {"world_version": 0})
    other = directory / "notes.mp4"
    other.write_bytes(b"not a mini clip")
    with pytest.raises(BenchError, match=r"world version 0, .*bench data prepare mini"):
        dataset.read_manifest(directory)
    removed = dataset.start_directory(directory)
    assert [path.name for path in removed] == [
        *(f"mini_{k:06d}.mp4" for k in (0, 3, 12)),
        *(f"{name}.mp4" for name in REFERENCE_NAMES),
    ]
    assert not any(path.exists() for path in removed)
    assert other.exists()
    assert not (directory / dataset.MANIFEST).exists()
    assert dataset.start_directory(directory) == []


def test_a_directory_of_the_current_world_is_left_unchanged(directory: Path) -> None:
    assert dataset.start_directory(directory) == []
    assert dataset.verify(directory) == []


def test_a_reference_has_a_row_like_a_clip(rendered: tuple[Path, list[dataset.Row]]) -> None:
    row = rendered[1][3]
    assert (row["name"], row["file"]) == ("ref_a", "references/ref_a.mp4")
    assert row["seconds"] == 2.0
    assert scene_from_truth(row["truth"]) == reference_scenes()["ref_a"]


def test_verify_finds_references_that_are_damaged_missing_or_not_listed(directory: Path) -> None:
    (directory / "references" / "ref_b.mp4").write_bytes(b"something else")
    (directory / "references" / "ref_d.mp4").unlink()
    rows = [row for row in dataset.read_manifest(directory) if row["name"] != "ref_e"]
    dataset.write_manifest(directory, rows)
    assert dataset.verify(directory) == [
        "ref_e: manifest.jsonl has no row for this reference: run `bench data prepare mini`",
        "ref_b: ref_b.mp4 is not the file that was written",
        "ref_d: ref_d.mp4 is missing",
    ]


def test_verify_names_every_problem(directory: Path) -> None:
    rows = dataset.read_manifest(directory)
    (directory / rows[0]["file"]).unlink()
    (directory / rows[1]["file"]).write_bytes(b"something else")
    rows[2]["truth"]["material"] = "cheese"
    (directory / dataset.MANIFEST).write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert dataset.verify(directory) == [
        "mini_000000: mini_000000.mp4 is missing",
        "mini_000003: mini_000003.mp4 is not the file that was written",
        "mini_000012: the row in manifest.jsonl is not that of its scene",
    ]
