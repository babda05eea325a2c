"""The groups of VGGSound's clips: by class, and by what is audible and visible in them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench.datasets.vggsound import read_list
from bench.datasets.vggsound_groups import read_groups, read_taxonomy
from bench.datasets.vggsounder import find_relabels
from bench.inputs.manifest import MANIFEST, Manifest, MediaRow, write_manifest
from bench.splits import open_split


@pytest.fixture(scope="module")
def labels():
    return {clip: each.label for clip, each in read_list(Path("/nowhere"))[0].items()}


@pytest.fixture(scope="module")
def found(labels, tmp_path_factory):
    """The groups of all test clips."""
    folder = tmp_path_factory.mktemp("no-copy")
    if find_relabels(folder) is None:
        pytest.skip("needs the package vggsounder (pip install --no-deps vggsounder==1.0)")
    groups = read_groups(folder)
    return [groups.of(clip, label) for clip, label in labels.items()]


@pytest.fixture
def without_labels(monkeypatch):
    monkeypatch.setattr("bench.datasets.vggsounder.find_spec", lambda name: None)


def test_each_of_the_309_classes_has_one_of_12_groups(labels):
    taxonomy = read_taxonomy()
    assert taxonomy.keys() == set(labels.values())
    assert len(taxonomy) == 309
    assert len(set(taxonomy.values())) == 12
    # A class twice in the file would be one entry here.
    path = Path(__file__).parents[2] / "bench/datasets/lists/vggsound_taxonomy.csv"
    assert len(path.read_text().splitlines()) == 1 + 309


def test_the_counts_of_groups_are_those_of_the_published_labels(found):
    counts = {axis: Counter(each[axis] for each in found) for axis in found[0]}
    assert counts["modality"]["heard and seen"] == 8_481
    assert counts["modality"].keys() == {
        *("heard and seen", "heard only", "seen only", "label not confirmed", "unlabelled")
    }
    confirmed = ("heard and seen", "heard only", "seen only")
    assert sum(counts["modality"][name] for name in confirmed) == 11_905
    assert counts["flags"]["none"] == 8_762
    assert sum(n for flags, n in counts["flags"].items() if "still picture" in flags) == 1_622
    assert {counts[axis]["unlabelled"] for axis in ("modality", "speech", "flags")} == {377}
    assert len(counts["class"]) == 309
    assert {sum(each.values()) for each in counts.values()} == {15_446}


def test_several_flags_of_a_clip_are_one_group(found):
    several = {each["flags"] for each in found if " + " in each["flags"]}
    assert several == {
        "background music + still picture",
        "background music + still picture + voice-over",
        "background music + voice-over",
        "still picture + voice-over",
    }


def test_without_labels_there_are_class_and_taxonomy(without_labels, tmp_path):
    assert read_groups(tmp_path).of("glLQrEijrKg_000300", "hail") == {
        "class": "hail",
        "taxonomy": "nature",
    }


def test_clips_of_a_split_have_their_groups(without_labels, home):
    rows = (MediaRow("glLQrEijrKg_000300", "hail", "test", "/data/a.mp4", audio_s=10.0),)
    write_manifest(home / "data" / "vggsound" / MANIFEST, Manifest("vggsound", rows))
    [clip] = open_split("vggsound-test").clips
    assert clip.groups == {"class": "hail", "taxonomy": "nature"}
    assert clip.group == ""
