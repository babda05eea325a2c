"""Floor and ceiling beside every column."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.judges import open_judge
from bench.media import write_audio
from bench.pipeline.bounds import (
    compute_bounds,
    describe_cost,
    estimate_bounds,
    is_affordable,
    plan_bounds,
    plan_folder_bounds,
)
from bench.pipeline.folders import FolderPlan, score_folders
from bench.results import load_bounds, write_bounds
from bench.suite import select
from bench.types import Audio

TONE = "tests.pipeline.systems:TONE"


def quiet(stage: str, done: int, total: int) -> None:
    """A progress callback that prints nothing."""


@pytest.fixture
def plans(make_plan):
    return plan_bounds(make_plan(TONE))


def test_true_audio_is_the_ceiling_and_silence_the_floor(plans, tmp_path):
    found = {each.system: each for each in compute_bounds(plans, quiet)}
    accuracy = {name: each.metrics["onset_acc"].value for name, each in found.items()}
    assert accuracy["ground-truth"] == 1.0
    assert accuracy["silence"] == 0.0
    assert 0.0 < accuracy["shuffled"] < 1.0
    assert found["ground-truth"].metrics["mcd"].value == pytest.approx(0.0, abs=0.01)
    assert all(each.is_anchor for each in found.values())
    write_bounds(tmp_path, found.values())
    assert load_bounds(tmp_path) == tuple(found.values())


def test_bounds_are_made_once_for_all_systems_and_conditions(plans, make_plan):
    compute_bounds(plans, quiet)
    other = replace(make_plan("motion-grains", root=plans[0].root.parent / "else"), seed=7)
    again = plan_bounds(other)
    assert estimate_bounds(again) == 0
    done = []
    compute_bounds(again, lambda stage, n, total: done.append(total))
    assert set(done) == {0}


def test_shuffled_samples_share_the_features_of_the_ground_truth(plans, home):
    by_name = {plan.system.name: plan for plan in plans}
    compute_bounds([by_name["ground-truth"]], quiet)
    before = sorted((home / "features").rglob("*.safetensors"))
    compute_bounds([by_name["shuffled"]], quiet)
    assert sorted((home / "features").rglob("*.safetensors")) == before


def test_clips_without_references_or_with_the_same_audio_have_the_remaining_bounds(make_plan):
    plan = make_plan(TONE, limit=1)
    clip = replace(plan.clips[0], reference=None)
    alone = replace(plan, clips=(clip,))
    assert [each.system.name for each in plan_bounds(alone)] == ["ground-truth", "silence"]


def test_expensive_bounds_are_not_computed_without_confirmation(make_plan):
    plan = make_plan(TONE)
    assert is_affordable(plan, 60.0)
    assert not is_affordable(plan, 3 * 3600.0)
    assert "about 180 min for 3 clips; --bounds" in describe_cost(plan, 3 * 3600.0)
    many = replace(plan, clips=plan.clips * 200)
    assert not is_affordable(many, 60.0)


def test_bounds_of_two_folders_are_those_of_their_true_sides(make_plan, home, tmp_path):
    rng = np.random.default_rng(5)
    for name in ("a:b", "two words"):
        clicks = np.zeros((1, 32_000), np.float32)
        clicks[:, rng.integers(2_000, 30_000, 4)] = 0.9
        write_audio(tmp_path / "true" / f"{name}.wav", Audio(clicks, 16_000))
        write_audio(tmp_path / "made" / f"{name}.wav", Audio(clicks[:, ::-1].copy(), 16_000))
    metrics = select("av-benchmark", ["onset_acc", "mcd"])
    folders = (tmp_path / "made", tmp_path / "true")
    plan = FolderPlan(*folders, None, None, open_judge("signal", "av-benchmark"), metrics, 0)
    result = score_folders(plan, quiet)
    plans = plan_folder_bounds(plan, result.clips)
    found = {each.system: each for each in compute_bounds(plans, quiet)}
    assert set(found) == {"ground-truth", "shuffled", "silence"}
    assert found["ground-truth"].metrics["mcd"].value == pytest.approx(0.0, abs=0.01)
    assert found["ground-truth"].scored == 2
