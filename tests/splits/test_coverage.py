"""How many clips of each list of VGGSound are here, and why others are not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.datasets.vggsound import vggsound_directory
from bench.inputs.manifest import MANIFEST, read_manifest, write_manifest
from bench.splits.coverage import find_lists, list_states, name_reason
from bench.splits.verify import Findings
from tests.splits.defects import BAD, HERE, prepare_defects


@pytest.fixture
def copy(home, tmp_path) -> None:
    """A copy with one clip of each kind of defect."""
    prepare_defects(tmp_path / "copy")


def test_every_clip_that_is_missing_has_its_reason(copy):
    states = list_states(Findings([], []))
    assert {clip: states[clip].reason for clip in BAD} == BAD
    assert [states[clip].reason for clip in HERE] == ["", ""]
    assert "10" not in states["3JYjNHFJfO4_000363"].detail
    decoded = list_states(
        Findings(
            [f"{HERE[0]}: the audio of /a/b.mp4 lasts 5.000 s, the window needs more"],
            [f"{HERE[1]}: its audio is silent"],
        )
    )
    assert decoded[HERE[0]].reason == "too short"
    assert (decoded[HERE[1]].reason, decoded[HERE[1]].detail) == ("", "its audio is silent")


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("cannot read the audio of /a lasts b/x.mp4: it has no audio stream", "no audio"),
        ("cannot read the video of x.mp4: it has no video stream", "no video"),
        ("cannot read /my lasts/x.mp4: it is not a media file, or damaged", "damaged"),
        ("cannot read x.mp4: its audio is cut off after 4.0 s, its header says 10.0 s", "damaged"),
        ("the video of x.mp4 lasts 7.000 s: at 1 fps it gives 7 frames", "too short"),
        ("x.mp4 is missing", "not in your copy"),
        ("no video: 'X.mp4' differs from 'x' only in case: rename it", "not in your copy"),
        ("its worker died", "damaged"),
    ],
)
def test_sentences_on_decoding_have_a_reason(sentence, reason):
    assert name_reason(sentence) == reason


def test_lists_that_are_here_are_counted_with_those_that_are_named(copy, tmp_path, shared):
    (vggsound_directory() / "ib0.3.txt").write_text(f"{HERE[0]}\nAAAAAAAAAAA_000001\n")
    file = tmp_path / "vaura.txt"
    file.write_text("glLQrEijrKg_300000_310000\n-1pRmoJIGQc_10000_20000\n")
    lists, notes = find_lists([file, shared / "media" / "lists" / "vggsound_test_mmaudio.tsv"])
    assert notes == []
    assert {each.name: len(each.clips) for each in lists} == {
        "the official test list": 15_446,
        "vaura.txt": 2,
        "vggsound_test_mmaudio.tsv (MMAudio's test list)": 15_221,
        "ib0.3.txt": 2,
        "vggsound-clean": 5_648,
        "vggsound-foley": 4_430,
        "vggsound-onscreen": 4_821,
    }


def test_without_labels_of_people_their_splits_are_named_and_not_counted(copy, monkeypatch):
    monkeypatch.setattr("bench.datasets.vggsounder.find_spec", lambda name: None)
    lists, [note] = find_lists([])
    assert [each.name for each in lists] == ["the official test list"]
    assert note.startswith("vggsound-clean, vggsound-foley, vggsound-onscreen are not counted")


def test_clips_to_train_on_are_a_list_of_the_manifest(copy):
    path = vggsound_directory() / MANIFEST
    found = read_manifest(path)
    rows = (replace(found.rows[0], split="train"), *found.rows[1:])
    write_manifest(path, replace(found, rows=rows))
    lists, _ = find_lists([])
    assert ("to train, by the manifest", 1) in [(each.name, len(each.clips)) for each in lists]
