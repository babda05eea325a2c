"""``--reference-from``: what a run with other references writes, and what it leaves as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.pipeline.bounds import plan_bounds
from bench.pipeline.columns import JudgeOptions
from bench.pipeline.generate import make_request
from bench.pipeline.plan import RunPlan
from bench.pipeline.prepare import RunOptions, plan_run
from bench.pipeline.run import run
from bench.system import INPUTS

LABELS = "name,label\nclip_000000,a click\nclip_000001,a click\nclip_000002,a tick\n"


@pytest.fixture
def labelled(clicks_folder, tmp_path) -> Path:
    """The clicks, of which two have one label."""
    folder = tmp_path / "labelled"
    folder.mkdir()
    for path in clicks_folder.glob("*.mp4"):
        (folder / path.name).symlink_to(path)
    (folder / "labels.csv").write_text(LABELS)
    return folder


@pytest.fixture
def plan(home, tmp_path, labelled):
    def make(reference_from: str | None = None, **options) -> RunPlan:
        wanted = {"model": "reference-loop", "workers": 0, "runs": tmp_path / "runs", **options}
        return plan_run(
            RunOptions(split=f"folder:{labelled}", reference_from=reference_from, **wanted),
            JudgeOptions(judge="signal"),
            lambda note: None,
        )

    return make


def quiet(stage: str, done: int, total: int) -> None:
    """Report nothing."""


def test_the_origin_is_part_of_path_condition_configuration_and_fingerprint(plan):
    usual, alike, other = plan(), plan("same-class"), plan("other-class")
    assert usual.directory.name == "full-42"
    assert alike.directory.name == "reference-same-class-42"
    assert other.identity.condition == "reference-other-class"
    assert "reference_from" not in usual.configuration()
    assert other.configuration()["reference_from"] == "other-class"
    prints = {each.sample_fingerprint(each.clips[0]) for each in (usual, alike, other)}
    assert len(prints) == 3
    assert [metric.name for metric in alike.metrics][-1] == "mcd_ref"


def test_the_same_clip_is_the_run_without_the_option(plan):
    usual, same = plan(), plan("same-clip")
    assert same.directory == usual.directory
    assert same.configuration() == usual.configuration()
    for clip in usual.clips:
        assert same.sample_fingerprint(clip) == usual.sample_fingerprint(clip)
    assert {metric.name for metric in same.metrics} == {
        *(metric.name for metric in usual.metrics),
        "mcd_ref",
    }


def test_masks_are_named_before_the_origin_and_bounds_keep_the_seed_of_the_draw(plan):
    other = plan("other-class", seed=7)
    masked = replace(other, condition=replace(other.condition, masked=frozenset({"text"})))
    assert masked.directory.name == "no-text+reference-other-class-7"
    assert {each.directory.name for each in plan_bounds(masked)} == {"reference-other-class-7"}
    assert {each.directory.name for each in plan_bounds(plan(seed=7))} == {"full-42"}


def test_results_have_the_source_of_every_reference_and_a_row_for_a_clip_without_one(plan):
    result = run(plan("same-class"), quiet)
    assert (result.results.expected, result.results.scored) == (3, 2)
    (failure,) = result.failures
    assert (failure.clip, failure.stage) == ("clip_000002", "split")
    assert failure.error == "no other clip with a reference has the label 'a tick'"
    written = json.loads((result.directory.parent / "run.json").read_text())
    assert written["references"] == {"clip_000000": "clip_000001", "clip_000001": "clip_000000"}
    assert written["configuration"]["reference_from"] == "same-class"
    assert any("drawn by seed 42" in note for note in result.results.notes)
    # A loop of its reference is nearer to that than to the target with another pitch.
    values = {name: score.value for name, score in result.results.metrics.items()}
    assert values["mcd_ref"] < values["mcd"]
    plain = run(plan(), quiet)
    assert "references" not in json.loads((plain.directory.parent / "run.json").read_text())


def test_a_part_of_the_clips_is_the_same_part_under_every_reference(plan):
    clips = {"clips": ["clip_000000", "clip_000002"]}
    assert [clip.name for clip in plan(**clips).clips] == clips["clips"]
    result = run(plan("same-class", **clips), quiet)
    assert (result.results.expected, result.results.scored) == (2, 1)
    assert [failure.clip for failure in result.failures] == ["clip_000002"]
    with pytest.raises(BenchError, match="none of the 1 clips has a reference from same-class"):
        plan("same-class", clips=["clip_000002"])


@pytest.mark.parametrize("used", sorted(INPUTS))
def test_whatever_a_system_declares_to_use_can_be_given_and_fingerprinted(plan, used):
    usual = plan()
    system = replace(usual.system, uses=frozenset({"reference", used}))
    chosen = replace(usual, system=system)
    assert len(chosen.sample_fingerprint(chosen.clips[0])) > 10
    request = make_request(system, chosen.clips[0], chosen.clips[1], 0)
    # The references of this split are excerpts of the clips, which have a video.
    assert (request.reference_video == chosen.clips[0].reference) == (used == "reference-video")
