from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.metrics import frechet_distance, uncertainty
from bench.metrics.uncertainty import (
    bootstrap_interval,
    derangements,
    interval_around,
    paired_difference,
    paired_ratio,
    resampled,
)


def test_the_interval_of_a_large_sample_is_that_of_the_normal_law(rng):
    values = rng.normal(3.0, 2.0, size=4_000)
    interval = bootstrap_interval(values, rng)
    half_width = 1.96 * values.std() / math.sqrt(len(values))
    assert interval.value == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half_width, abs=0.15 * half_width)
    assert interval.high == pytest.approx(values.mean() + half_width, abs=0.15 * half_width)


def test_scipy_agrees_on_the_interval(rng):
    from scipy.stats import bootstrap

    values = rng.exponential(size=80)
    ours = bootstrap_interval(values, rng, n_resamples=20_000)
    theirs = bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=rng
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_the_interval_covers_the_truth_about_as_often_as_it_says(rng):
    n_covered = 0
    for _ in range(300):
        interval = bootstrap_interval(rng.random(60), rng, level=0.8, n_resamples=200)
        n_covered += interval.low <= 0.5 <= interval.high
    assert 0.7 < n_covered / 300 < 0.88


def test_clips_that_were_not_scored_are_left_out_and_counted():
    interval = bootstrap_interval([1.0, math.nan, 3.0, math.nan], np.random.default_rng(0))
    assert interval.value == 2.0
    assert (interval.n, interval.n_excluded) == (2, 2)


def test_equal_scores_have_an_interval_without_width(rng):
    assert bootstrap_interval([0.25] * 10, rng)[:3] == (0.25, 0.25, 0.25)


def test_no_clip_gives_no_mean_and_one_clip_no_interval(rng):
    assert np.isnan(bootstrap_interval([], rng)[:3]).all()
    assert np.isnan(bootstrap_interval([math.nan], rng)[:3]).all()
    value, low, high, n, n_excluded = bootstrap_interval([0.5, math.nan], rng)
    assert (value, n, n_excluded) == (0.5, 1, 1)
    assert math.isnan(low)
    assert math.isnan(high)


def test_the_same_seed_gives_the_same_interval(rng):
    values = rng.random(50)
    first = bootstrap_interval(values, np.random.default_rng(7))
    assert first == bootstrap_interval(values, np.random.default_rng(7))
    assert first != bootstrap_interval(values, np.random.default_rng(8))


def test_the_block_size_bounds_memory_and_not_the_result(rng, monkeypatch):
    values = rng.random(50)
    whole = bootstrap_interval(values, np.random.default_rng(7))
    monkeypatch.setattr(uncertainty, "BLOCK_VALUES", 128)
    assert bootstrap_interval(values, np.random.default_rng(7)) == whole


def test_the_difference_is_second_less_first_over_common_clips(rng):
    interval = paired_difference([1.0, 2.0, math.nan, 5.0], [2.0, 3.0, 9.0, math.nan], rng)
    assert interval == (1.0, 1.0, 1.0, 2, 2)


def test_pairing_removes_what_clips_have_in_common(rng):
    difficulty = rng.normal(0, 10.0, size=200)
    interval = paired_difference(difficulty, difficulty + 1 + rng.normal(0, 0.1, 200), rng)
    assert 0.9 < interval.low < interval.high < 1.1


@settings(deadline=None)
@given(st.integers(2, 40), st.integers(0, 2**32))
def test_a_derangement_keeps_nothing_in_place(n, seed):
    found = derangements(n, np.random.default_rng(seed), 3)
    assert found.shape == (3, n)
    for order in found:
        assert sorted(order) == list(range(n))
        assert not np.any(order == np.arange(n))


def test_every_derangement_is_equally_likely(rng):
    found = derangements(4, rng, 1_800)
    _, counts = np.unique(found, axis=0, return_counts=True)
    assert len(counts) == 9
    assert counts.min() > 150
    assert counts.max() < 260


def test_no_derangement_asked_for_is_none_given(rng):
    assert derangements(5, rng, 0).shape == (0, 5)


def test_a_single_clip_cannot_be_deranged(rng):
    with pytest.raises(ValueError, match="no other to be paired with, got n = 1"):
        derangements(1, rng, 1)


def test_infinite_scores_are_refused(rng):
    with pytest.raises(ValueError, match="values has 1 infinite scores"):
        bootstrap_interval([1.0, math.inf], rng)


def test_scores_in_a_table_are_refused(rng):
    with pytest.raises(ValueError, match=r"one score per clip \[N\], got float64 \[2, 2\]"):
        bootstrap_interval(np.zeros((2, 2)), rng)


def test_a_level_of_one_is_refused(rng):
    with pytest.raises(ValueError, match=r"inside \(0, 1\), got 1"):
        bootstrap_interval([1.0, 2.0], rng, level=1)


def test_no_resample_is_refused(rng):
    with pytest.raises(ValueError, match="at least 1 resample, got 0"):
        bootstrap_interval([1.0, 2.0], rng, n_resamples=0)


def test_systems_with_different_clips_are_refused(rng):
    with pytest.raises(ValueError, match="the same clips, got 2, 3"):
        paired_difference([1.0, 2.0], [1.0, 2.0, 3.0], rng)


def test_a_ratio_of_means_is_found_with_its_interval_on_the_clips_that_both_scored(rng):
    base = rng.uniform(1.0, 2.0, 200)
    new = 3.0 * base
    new[0] = np.nan
    found = paired_ratio(base, new, rng)
    assert (found.n, found.n_excluded) == (199, 1)
    assert found[:3] == pytest.approx((3.0, 3.0, 3.0))


def test_a_ratio_to_nothing_is_infinite_and_nothing_to_nothing_is_no_number(rng):
    assert paired_ratio(np.zeros(9), np.ones(9), rng)[:3] == (np.inf, np.inf, np.inf)
    assert np.isnan(paired_ratio(np.zeros(9), np.zeros(9), rng).value)
    assert np.isnan(paired_ratio([1.0], [2.0], rng).low)
    assert paired_ratio([1.0], [2.0], rng).value == 2.0


def test_equal_generators_choose_the_same_clips():
    first, second = (
        resampled(lambda chosen: float(chosen.sum()), 9, np.random.default_rng(1), 20)
        for _ in range(2)
    )
    assert first[0] == sum(range(9))
    assert len(first) == 21
    np.testing.assert_array_equal(first, second)


def test_the_interval_of_a_distance_of_sets_lies_around_what_such_sets_give(rng):
    """Without taking the shift of repeated clips off, three of four intervals would miss it."""

    def draw() -> tuple[np.ndarray, np.ndarray]:
        true = rng.normal(size=(40, 12))
        return true, 0.7 * true + 0.5 * rng.normal(size=(40, 12)) + 0.2

    usual = np.mean([frechet_distance(*draw()) for _ in range(200)])
    hits = 0
    for _ in range(20):
        true, generated = draw()
        values = resampled(
            lambda i, t=true, g=generated: frechet_distance(t[i], g[i]), 40, rng, 100
        )
        found = interval_around(values, 40)
        assert found.value == frechet_distance(true, generated)
        hits += found.low <= usual <= found.high
    assert hits >= 15
