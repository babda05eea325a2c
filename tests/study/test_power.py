"""Sizes of studies: the published figures, a simulation, limits by few videos."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.study.power import count_independent_votes, find_smallest_effect, plan_raters


def test_votes_for_common_effects():
    effects = {0.53: 2178, 0.55: 783, 0.58: 305, 0.60: 194, 0.65: 85, 0.70: 47}
    assert {effect: count_independent_votes(effect) for effect in effects} == effects
    assert count_independent_votes(0.4) == 194


def test_the_smallest_effect_is_the_inverse():
    for effect in (0.53, 0.6, 0.8):
        votes = count_independent_votes(effect)
        assert find_smallest_effect(votes) <= effect < find_smallest_effect(votes - 2)
    assert math.isnan(find_smallest_effect(1))


def test_a_study_of_the_papers_size_resolves_six_points_at_best():
    assert round(100 * find_smallest_effect(496)) == 56
    assert round(100 * find_smallest_effect(496, 1.75)) == 58


def test_raters_grow_with_the_correlation_of_their_votes():
    assert plan_raters(0.6, 16, 0.0).raters == 13
    assert plan_raters(0.6, 16, 0.05) == (194, pytest.approx(1.75), 340, 22)
    assert plan_raters(0.6, 1, 0.5).design_effect == 1.0


def test_few_videos_need_more_raters_and_may_never_suffice():
    plan = plan_raters(0.6, 16, 0.05, videos=16, video_icc=0.02)
    # Solved for N: the design effect at N votes gives N back.
    effect = 1 + 15 * 0.05 + (plan.votes / 16 - 1) * 0.02
    assert plan.votes == pytest.approx(193.8 * effect, rel=0.01)
    assert plan_raters(0.6, 16, 0.05, videos=16, video_icc=0.1).raters is None


@pytest.mark.parametrize(
    ("effect", "per_rater", "icc", "power"),
    [(0.5, 16, 0, 0.8), (1.0, 16, 0, 0.8), (0.6, 0, 0, 0.8), (0.6, 16, 1, 0.8), (0.6, 16, 0, 1)],
)
def test_what_cannot_be_planned_is_refused(effect, per_rater, icc, power):
    with pytest.raises(ValueError, match="expected"):
        plan_raters(effect, per_rater, icc, power=power)


def test_the_planned_votes_have_the_planned_power(rng):
    n = count_independent_votes(0.6)
    wins = rng.binomial(n, 0.6, size=20_000)
    found = np.abs(wins / n - 0.5) > 1.959964 * 0.5 / math.sqrt(n)
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)
