"""The splits that people's labels make."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.datasets.vggsound import read_list
from bench.datasets.vggsounder import FILE, find_relabels, read_relabels
from bench.errors import BenchError, MissingError


@pytest.fixture(scope="module")
def relabels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("no-copy")
    if find_relabels(folder) is None:
        pytest.skip("needs the package vggsounder (pip install --no-deps vggsounder==1.0)")
    return read_relabels(folder)


@pytest.fixture(scope="module")
def labels():
    return {clip: each.label for clip, each in read_list(Path("/nowhere"))[0].items()}


def test_the_counts_are_those_of_the_published_labels(relabels, labels):
    clips = relabels.clips
    assert relabels.version == "1.0"
    assert len(clips) == 15_069
    assert len(clips.keys() - labels.keys()) == 0
    assert sum(labels[name] in each.modalities for name, each in clips.items()) == 11_905
    assert sum(each.modality(labels[n]) == "heard and seen" for n, each in clips.items()) == 8_481
    clean = {name for name, each in clips.items() if each.is_clean(labels[name])}
    assert len(clean) == 5_648
    assert sum(not clips[name].has_speech for name in clean) == 4_430
    assert sum(each.is_onscreen for each in clips.values()) == 4_821
    assert sum(not each.flags for each in clips.values()) == 8_762
    assert sum("background music" in each.flags for each in clips.values()) == 3_055
    assert sum("still picture" in each.flags for each in clips.values()) == 1_622
    assert sum("voice-over" in each.flags for each in clips.values()) == 2_985


def test_a_copy_of_another_file_is_refused(tmp_path):
    (tmp_path / "vggsounder.csv").write_text("video_id,label,modality\na,b,A\n")
    with pytest.raises(BenchError, match="is no published file of all clips of VGGSounder"):
        read_relabels(tmp_path)


def test_without_labels_the_message_has_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.datasets.vggsounder.find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"pip install --no-deps vggsounder==1\.0"):
        read_relabels(tmp_path)


def test_the_users_copy_counts_before_the_package(relabels, tmp_path):
    source = find_relabels(tmp_path)
    assert source.name == FILE
    (tmp_path / "vggsounder.csv").write_bytes(source.read_bytes())
    assert find_relabels(tmp_path).parent == tmp_path
    assert read_relabels(tmp_path) == relabels
