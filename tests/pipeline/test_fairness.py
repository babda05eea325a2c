"""What a system declares is in run.json and scores.json, with the columns of judges it has seen."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bench.judges import open_judge
from bench.pipeline.outcome import describe_fairness
from bench.pipeline.run import run
from bench.results import SeenJudge
from bench.suite import select
from bench.system import System

TONE = "tests.pipeline.systems:TONE"


def quiet(stage: str, done: int, total: int) -> None:
    """A progress callback that prints nothing."""


def declaring(plan, **facts: object):
    return replace(plan, system=replace(plan.system, **facts))


def test_a_run_and_its_scores_keep_what_the_system_declares(make_plan):
    plan = make_plan("reference-loop", metrics=("onset_acc",), limit=1)
    plan = declaring(plan, trained_on=("Greatest Hits",), candidates=3, non_commercial=True)
    results = run(plan, quiet).results
    expected = {
        "given": ["reference"],
        "trained_on": ["Greatest Hits"],
        "judges_seen": [],
        "candidates": 3,
        "non_commercial": True,
    }
    assert json.loads((plan.directory / "run.json").read_text())["fairness"] == expected
    scores = json.loads((plan.results_directory / "scores.json").read_text())
    assert scores["fairness"] == expected
    assert results.fairness is not None
    assert results.fairness.candidates == 3


def test_only_what_the_clips_have_is_given(make_plan):
    plan = declaring(make_plan(TONE), uses=frozenset({"video", "prompt", "reference"}))
    assert describe_fairness(plan).given == ("video", "prompt", "reference")
    clips = tuple(replace(clip, reference=None, prompt="") for clip in plan.clips)
    assert describe_fairness(replace(plan, clips=clips)).given == ("video",)


def test_a_judge_that_was_seen_names_the_columns_that_this_judge_computes(make_plan):
    plan = declaring(make_plan(TONE), judges_seen={"synchformer": "encoder", "clap": "reward"})
    published = replace(plan, metrics=select("av-benchmark", ("desync", "mcd")))
    assert describe_fairness(published).judges_seen == (
        SeenJudge("clap", "reward", ()),
        SeenJudge("synchformer", "encoder", ("desync",)),
    )
    mini = replace(published, judge=open_judge("mini", "av-benchmark"))
    assert {seen.columns for seen in describe_fairness(mini).judges_seen} == {()}


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (
            {"judges_seen": {"sync": "encoder"}},
            r"judges \['sync'\], known networks: .*'synchformer'",
        ),
        ({"candidates": 0}, "candidates 0, expected .* at least 1"),
        ({"trained_on": "VGGSound"}, "trained_on 'VGGSound'.*expected a tuple of names"),
    ],
)
def test_a_wrong_declaration_is_refused(facts, message):
    with pytest.raises(ValueError, match=message):
        System("x", "x", frozenset(), print, **facts)
