"""Rates, intervals, agreement and correlation: closed cases, libraries, simulated coverage."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
import statsmodels.api as sm

import bench.study.power
import bench.study.statistics
import bench.study.strengths
from bench.study.statistics import (
    binomial_interval,
    count_outcomes,
    krippendorff_alpha,
    rank_correlation,
    two_way_bootstrap,
    two_way_interval,
    wilson_interval,
)
from tests.study.voters import draw_votes


@pytest.mark.parametrize("module", ["statistics", "strengths", "power"])
def test_examples_of_docstrings(module):
    failed, tried = doctest.testmod(getattr(bench.study, module))
    assert tried
    assert not failed


@pytest.mark.parametrize(
    ("share", "n", "half"), [(61.1, 496, 4.3), (21.8, 496, 3.6), (83.5, 448, 3.4)]
)
def test_the_bars_of_table_3_are_plain_binomials(share, n, half):
    found = binomial_interval(round(share * n / 100), n)
    assert round(100 * found.value, 1) == share
    assert round(100 * (found.high - found.value), 1) == half


def test_with_496_votes_the_third_bar_would_be_another():
    found = binomial_interval(round(0.835 * 496), 496)
    assert round(100 * (found.high - found.value), 1) == 3.3


def test_outcomes_are_counted_by_sign():
    assert count_outcomes([1, -1, -1, 0, 1, 1]) == (3, 1, 2)


def test_the_two_way_interval_has_the_variance_of_statsmodels(rng):
    outcomes, raters, videos = draw_votes(rng, 31, 32, 16, 0.6, 0.0, 0.2, 0.2)
    values = (outcomes == 1).astype(float)
    found = two_way_interval(values, raters, videos)
    groups = np.stack([raters, videos], axis=1)
    model = sm.OLS(values, np.ones(len(values)))
    kwds = {"groups": groups, "use_correction": True}
    fit = model.fit(cov_type="cluster", cov_kwds=kwds, use_t=True)
    # statsmodels multiplies by (N - 1) / (N - 1) = 1 for one parameter, and by C / (C - 1).
    low, high = fit.conf_int()[0]
    assert found.value == pytest.approx(fit.params[0])
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-3)


def test_one_vote_per_rater_and_video_is_the_t_interval(rng):
    values = rng.normal(size=20)
    found = two_way_interval(values, np.arange(20), np.arange(20))
    half = 2.0930240544 * values.std(ddof=1) / math.sqrt(20)
    assert found.high - found.value == pytest.approx(half)


def test_opposite_votes_within_raters_do_not_shrink_the_interval_to_nothing():
    # Residuals cancel in every rater: the variance over raters alone would be 0.
    values, raters, videos = [1, 0] * 8, np.repeat(np.arange(8), 2), np.tile([0, 1, 2, 3], 4)
    found = two_way_interval(values, raters, videos)
    assert found.high - found.low > 0.1


@pytest.mark.parametrize(
    ("values", "raters", "videos", "reason"),
    [
        ([1, 0], [0, 0], [0, 1], "1 raters, 2 videos: an interval needs 2 of each"),
        ([1, 1], [0, 1], [0, 1], "all votes are equal"),
    ],
)
def test_without_spread_there_is_a_reason_instead_of_bounds(rng, values, raters, videos, reason):
    for found in (
        two_way_interval(values, raters, videos),
        two_way_bootstrap(values, raters, videos, rng),
    ):
        assert math.isnan(found.low)
        assert found.reason == reason


def test_votes_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"got \[2\], 1 and 2 labels"):
        two_way_interval([1, 0], [0], [0, 1])
    with pytest.raises(ValueError, match="got 5 of 4"):
        binomial_interval(5, 4)
    with pytest.raises(ValueError, match="got 0 of 0"):
        wilson_interval(0, 0)


def test_the_bootstrap_agrees_with_the_interval_where_clusters_matter(rng):
    outcomes, raters, videos = draw_votes(rng, 60, 60, 30, 0.5, 0.0, 0.3, 0.3)
    values = outcomes == 1
    plain = two_way_interval(values, raters, videos)
    drawn = two_way_bootstrap(values, raters, videos, rng)
    assert drawn.high - drawn.low == pytest.approx(plain.high - plain.low, rel=0.15)


def test_wilson_has_its_textbook_value():
    found = wilson_interval(9, 10)
    assert (found.low, found.high) == pytest.approx((0.5958, 0.9821), abs=1e-4)


def test_alpha_of_perfect_and_of_opposite_votes():
    raters, units = [0, 0, 1, 1], ["a", "b", "a", "b"]
    assert krippendorff_alpha([1, -1, 1, -1], raters, units).value == pytest.approx(1.0)
    # Two units, always disagreeing: observed 1, expected 2/3, so alpha is 1 - 3/2.
    assert krippendorff_alpha([1, 1, -1, -1], raters, units).value == pytest.approx(-0.5)
    assert krippendorff_alpha([1, 1, 1, 1], raters, units).reason == "all votes are equal"
    assert krippendorff_alpha([1, -1], [0, 1], ["a", "b"]).reason == "no trial has two votes"


def test_rank_correlation_is_that_of_ranks_and_its_bounds_are_symmetric_in_z():
    found = rank_correlation([1, 2, 3, 4, 50, np.nan], [1, 3, 2, 4, 5, 9], 5)
    assert found.value == pytest.approx(0.9)
    assert found.n == 5
    z = np.arctanh([found.low, found.value, found.high])
    assert z[2] - z[1] == pytest.approx(z[1] - z[0])
    assert z[2] - z[1] == pytest.approx(1.959964 * math.sqrt((1 + 0.81 / 2) / 2), rel=1e-5)


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ([1, 2, 3], [1, 2, 3], "3 clips: an interval needs 4"),
        ([1, 1, 1, 1], [1, 2, 3, 4], "all values are equal"),
        ([1, 2, 3, 4], [1, 2, 3, 4], "the ranks are the same"),
    ],
)
def test_a_correlation_without_bounds_has_a_reason(first, second, reason):
    found = rank_correlation(first, second, 9)
    assert math.isnan(found.low)
    assert found.reason == reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_raters", "n_videos", "win", "tie", "shares"),
    [
        (31, 16, 0.611, 0.218, (0.0, 0.0)),
        (31, 16, 0.611, 0.218, (0.1, 0.1)),
        (28, 16, 0.835, 0.0, (0.05, 0.05)),
        (31, 32, 0.611, 0.218, (0.1, 0.05)),
        (31, 16, 0.611, 0.218, (0.3, 0.0)),
    ],
)
def test_the_two_way_interval_covers_the_truth(rng, n_raters, n_videos, win, tie, shares):
    truth, n_times = {1: win, 0: tie, -1: 1 - win - tie}, 2_000
    for outcome in (1, 0) if tie else (1,):
        covered, plain, errors = [], [], []
        for _ in range(n_times):
            votes, raters, videos = draw_votes(rng, n_raters, n_videos, 16, win, tie, *shares)
            values = votes == outcome
            found = two_way_interval(values, raters, videos)
            covered.append(found.low <= truth[outcome] <= found.high)
            simple = binomial_interval(int(values.sum()), len(values))
            plain.append(simple.low <= truth[outcome] <= simple.high)
            errors.append(found.value - truth[outcome])
        print(n_raters, n_videos, win, outcome, shares, np.mean(covered), np.mean(plain))
        assert 0.93 <= np.mean(covered) <= 0.98
        assert abs(np.mean(errors)) < 0.01
        if sum(shares) > 0.1 and outcome == 1:
            assert np.mean(plain) < 0.9


@pytest.mark.slow
def test_the_bootstrap_is_no_narrower_than_it_claims(rng):
    covered = []
    for _ in range(400):
        votes, raters, videos = draw_votes(rng, 31, 16, 16, 0.6, 0.0, 0.1, 0.1)
        found = two_way_bootstrap(votes == 1, raters, videos, rng)
        covered.append(found.low <= 0.6 <= found.high)
    assert np.mean(covered) >= 0.95


@pytest.mark.slow
def test_the_correlation_covers_the_truth(rng):
    rho, covered = 0.5, []
    expected = 6 / np.pi * np.arcsin(rho / 2)
    for _ in range(4_000):
        pair = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=16)
        found = rank_correlation(pair[:, 0], pair[:, 1], 16)
        covered.append(found.low <= expected <= found.high)
    print(np.mean(covered))
    assert 0.93 <= np.mean(covered) <= 0.98
