from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t, ttest_1samp

from bench.metrics import uncertainty
from bench.metrics.uncertainty import (
    MarginTest,
    adjust_holm,
    derangements,
    estimate_interval,
    margin_test,
    mean_interval,
    paired_difference,
    paired_ratio,
    two_sample_interval,
)


def singles(n: int) -> list[str]:
    return [str(i) for i in range(n)]


def test_the_interval_of_a_large_sample_is_that_of_the_normal_distribution(rng):
    values = rng.normal(3.0, 2.0, size=4_000)
    interval = mean_interval(values, singles(4_000), rng)
    half_width = 1.96 * values.std() / math.sqrt(len(values))
    assert interval.value == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half_width, abs=0.15 * half_width)
    assert interval.high == pytest.approx(values.mean() + half_width, abs=0.15 * half_width)


def test_the_interval_of_few_clips_is_students(rng):
    values = rng.normal(size=12)
    interval = mean_interval(values, singles(12), rng)
    half_width = t.ppf(0.975, 11) * values.std(ddof=1) / math.sqrt(12)
    assert interval.high - interval.value == pytest.approx(half_width)
    assert interval.value - interval.low == pytest.approx(half_width)


def test_copies_of_a_clip_in_its_cluster_make_no_interval_narrower(rng):
    for n in (20, 200):
        values = rng.normal(size=n)
        once = mean_interval(values, singles(n), np.random.default_rng(1))
        many = mean_interval(np.repeat(values, 5), singles(n * 5), np.random.default_rng(1))
        grouped = mean_interval(
            np.repeat(values, 5), np.repeat(singles(n), 5), np.random.default_rng(1)
        )
        assert grouped[:3] == pytest.approx(once[:3])
        assert grouped.n_clusters == n
        assert many.high - many.low < 0.6 * (once.high - once.low)


def test_the_order_of_clips_and_the_names_of_clusters_change_nothing_for_few_clusters(rng):
    values, order = rng.normal(size=30), rng.permutation(30)
    clusters = np.repeat(list("abcdef"), 5)
    first = mean_interval(values, clusters, rng)
    assert mean_interval(values[order], clusters[order], rng)[:3] == pytest.approx(first[:3])
    renamed = np.char.add("x", clusters)
    assert mean_interval(values, renamed, rng) == first


def test_scipy_agrees_on_the_interval_of_many_clips(rng):
    from scipy.stats import bootstrap

    values = rng.exponential(size=150)
    ours = mean_interval(values, singles(150), rng)
    theirs = bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=rng
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_clips_that_were_not_scored_are_left_out_and_counted():
    values = [1.0, math.nan, 3.0, math.nan]
    interval = mean_interval(values, singles(4), np.random.default_rng(0))
    assert interval.value == 2.0
    assert (interval.n, interval.n_excluded, interval.n_clusters) == (2, 2, 2)


@pytest.mark.parametrize("n", [10, 120])
def test_equal_scores_have_an_interval_without_width(rng, n):
    value, low, high = mean_interval([0.1] * n, singles(n), rng)[:3]
    assert value == low == high == pytest.approx(0.1)


def test_an_interval_may_leave_the_range_of_its_metric(rng):
    assert mean_interval([0.0, 0.0, 0.0, 0.3], singles(4), rng).low < 0


def test_a_missing_value_or_interval_has_a_reason(rng):
    nothing = mean_interval([math.nan], ["a"], rng)
    assert np.isnan(nothing[:3]).all()
    assert nothing.reason == "no clip has a score"
    alone = mean_interval([0.5, math.nan], ["a", "b"], rng)
    assert (alone.value, alone.n, alone.n_excluded) == (0.5, 1, 1)
    assert np.isnan(alone[1:3]).all()
    assert alone.reason == "1 clip: an interval needs at least 2"
    dependent = mean_interval([0.5, 0.7], ["a", "a"], rng)
    assert dependent.value == pytest.approx(0.6)
    assert np.isnan(dependent[1:3]).all()
    assert dependent.reason == "2 clips of one cluster: an interval needs at least 2 clusters"
    assert mean_interval([0.5, 0.7], ["a", "b"], rng).reason == ""


def test_the_same_seed_gives_the_same_interval(rng):
    values, clusters = rng.random(150), singles(150)
    first = mean_interval(values, clusters, np.random.default_rng(7))
    assert first == mean_interval(values, clusters, np.random.default_rng(7))
    assert first != mean_interval(values, clusters, np.random.default_rng(8))


def test_the_block_size_bounds_memory_and_not_the_result(rng, monkeypatch):
    values, clusters = rng.random(150), singles(150)
    whole = mean_interval(values, clusters, np.random.default_rng(7))
    monkeypatch.setattr(uncertainty, "BLOCK_VALUES", 300)
    assert mean_interval(values, clusters, np.random.default_rng(7)) == whole


def test_the_difference_is_second_less_first_over_common_clips(rng):
    interval = paired_difference(
        [1.0, 2.0, math.nan, 5.0], [2.0, 3.0, 9.0, math.nan], singles(4), rng
    )
    assert interval == (1.0, 1.0, 1.0, 2, 2, 2)


def test_pairing_removes_what_clips_have_in_common(rng):
    difficulty = rng.normal(0, 10.0, size=200)
    new = difficulty + 1 + rng.normal(0, 0.1, 200)
    interval = paired_difference(difficulty, new, singles(200), rng)
    assert 0.9 < interval.low < interval.high < 1.1


def test_a_ratio_of_means_is_found_with_its_interval_on_the_clips_that_both_scored(rng):
    base = rng.uniform(1.0, 2.0, 200)
    new = 3.0 * base
    new[0] = np.nan
    found = paired_ratio(base, new, singles(200), rng)
    assert (found.n, found.n_excluded) == (199, 1)
    assert found[:3] == pytest.approx((3.0, 3.0, 3.0))


def test_the_interval_of_a_ratio_is_that_of_the_delta_method(rng):
    base, new = rng.uniform(1.0, 2.0, 60), rng.uniform(2.0, 5.0, 60)
    found = paired_ratio(base, new, singles(60), rng)
    ratio = new.mean() / base.mean()
    error = (new - ratio * base).std(ddof=1) / math.sqrt(60) / base.mean()
    assert found.value == pytest.approx(ratio)
    assert found.high - ratio == pytest.approx(t.ppf(0.975, 59) * error)


def test_a_ratio_to_zero_is_nan_and_gives_the_reason(rng):
    found = paired_ratio(np.zeros(9), np.ones(9), singles(9), rng)
    assert np.isnan(found[:3]).all()
    assert found.reason == "the base value is not above 0: no ratio"
    alone = paired_ratio([1.0], [2.0], ["a"], rng)
    assert alone.value == 2.0
    assert np.isnan(alone.low)


def test_contributions_to_a_mean_give_the_interval_of_the_mean(rng):
    values = rng.normal(size=80)
    clusters = np.repeat(singles(16), 5)
    expected = mean_interval(values, clusters, rng)
    found = estimate_interval(values.mean(), (values - values.mean()) / 80, clusters)
    assert found == pytest.approx(expected)


def test_the_error_of_independent_sets_is_that_of_welchs_test(rng):
    from scipy.stats import ttest_ind

    true, generated = rng.normal(size=30), 3 * rng.normal(size=12) + 1
    found = two_sample_interval(
        generated.mean() - true.mean(),
        -(true - true.mean()) / 30,
        (generated - generated.mean()) / 12,
    )
    welch = ttest_ind(generated, true, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((welch.low, welch.high))
    assert (found.n, found.n_clusters) == (12, 12)


@settings(deadline=None)
@given(st.integers(2, 40), st.integers(0, 2**32))
def test_a_derangement_has_no_fixed_point(n, seed):
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


def test_zero_derangements_are_an_empty_array(rng):
    assert derangements(5, rng, 0).shape == (0, 5)


def test_a_single_clip_cannot_be_deranged(rng):
    with pytest.raises(ValueError, match="no other to be paired with, got n = 1"):
        derangements(1, rng, 1)


def test_infinite_scores_are_refused(rng):
    with pytest.raises(ValueError, match="values has 1 infinite scores"):
        mean_interval([1.0, math.inf], ["a", "b"], rng)


def test_scores_in_a_table_are_refused(rng):
    with pytest.raises(ValueError, match=r"one score per clip \[N\], got float64 \[2, 2\]"):
        mean_interval(np.zeros((2, 2)), ["a", "b"], rng)


def test_scores_without_their_clusters_are_refused(rng):
    with pytest.raises(ValueError, match="2 scores need as many clusters, got 1"):
        mean_interval([1.0, 2.0], ["a"], rng)


def test_a_level_of_one_is_refused(rng):
    with pytest.raises(ValueError, match=r"inside \(0, 1\), got 1"):
        mean_interval([1.0, 2.0], ["a", "b"], rng, level=1)


def test_systems_with_different_clips_are_refused(rng):
    with pytest.raises(ValueError, match="the same clips, got 2, 3"):
        paired_difference([1.0, 2.0], [1.0, 2.0, 3.0], ["a", "b", "c"], rng)


def test_both_p_values_are_those_of_a_one_sided_t_test_against_the_margin(rng):
    losses = rng.normal(0.3, 1.0, 40)
    error = losses.std(ddof=1) / np.sqrt(40)
    found = margin_test(losses.mean(), error, 39, 0.2)
    beyond = ttest_1samp(losses, 0.2, alternative="greater").pvalue
    assert found.p_regression == pytest.approx(beyond, rel=1e-9)
    assert found.p_equivalence == pytest.approx(1 - beyond, rel=1e-9)


@pytest.mark.parametrize(
    ("loss", "expected"), [(0.2, (0.0, 1.0)), (0.1, (1.0, 0.0)), (-1.0, (1.0, 0.0))]
)
def test_a_loss_without_spread_is_known_and_the_margin_itself_is_within(loss, expected):
    assert margin_test(loss, 0.0, 9, 0.1) == MarginTest(*expected)


@pytest.mark.parametrize(
    "numbers", [(np.nan, 1, 9, 0), (0, -1, 9, 0), (0, 1, 9, -0.1), (0, 1, 0, 0), (0, 1, np.nan, 0)]
)
def test_numbers_that_no_test_can_use_are_refused(numbers):
    with pytest.raises(ValueError, match="expected finite numbers|must be at least 0"):
        margin_test(*numbers)


def test_holm_is_the_example_computed_by_hand():
    adjusted = adjust_holm([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_keeps_the_order_stays_below_one_and_leaves_one_test_alone():
    assert adjust_holm([0.5, 0.9, 0.4]) == [1.0, 1.0, 1.0]
    assert adjust_holm([0.04]) == [0.04]
    assert adjust_holm([]) == []


def test_the_smallest_of_ten_true_nulls_is_rejected_in_one_family_of_twenty(rng):
    draws = rng.uniform(size=(4_000, 10))
    rejected = np.mean([min(adjust_holm(each)) <= 0.05 for each in draws])
    assert rejected == pytest.approx(0.05, abs=0.01)
    assert np.mean(draws.min(axis=1) <= 0.05) > 0.35
