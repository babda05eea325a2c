"""The mixed logit: recovery of simulated rates, reasons where there is no interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import bench.study.mixed_logit
from bench.study.mixed_logit import _integrate, mixed_logit_interval
from bench.study.statistics import binomial_interval
from tests.study.voters import draw_votes


def test_a_rate_is_recovered_within_its_interval(rng):
    outcomes, raters, videos = draw_votes(rng, 60, 32, 16, 0.611, 0.218, 0.1, 0.1)
    found = mixed_logit_interval(outcomes == 1, raters, videos)
    assert found.n == 960
    assert found.reason == ""
    assert found.low < 0.611 < found.high
    assert found.value == pytest.approx(np.mean(outcomes == 1), abs=0.01)
    plain = binomial_interval(int((outcomes == 1).sum()), len(outcomes))
    assert found.high - found.low > 1.5 * (plain.high - plain.low)


def test_opposite_votes_have_the_opposite_rate(rng):
    outcomes, raters, videos = draw_votes(rng, 20, 16, 16, 0.7, 0.0, 0.1, 0.1)
    one = mixed_logit_interval(outcomes == 1, raters, videos)
    other = mixed_logit_interval(outcomes != 1, raters, videos)
    assert other.value == pytest.approx(1 - one.value, abs=1e-3)
    assert (other.low, other.high) == pytest.approx((1 - one.high, 1 - one.low), abs=2e-3)


def test_the_order_of_votes_and_names_of_labels_do_not_matter(rng):
    outcomes, raters, videos = draw_votes(rng, 12, 8, 8, 0.7, 0.0, 0.1, 0.1)
    values, shuffled = outcomes == 1, rng.permutation(len(outcomes))
    one = mixed_logit_interval(values, raters, videos)
    names = [f"video {number}" for number in videos[shuffled]]
    other = mixed_logit_interval(values[shuffled], raters[shuffled], names)
    assert other[:3] == pytest.approx(one[:3], abs=1e-3)
    assert mixed_logit_interval(values, raters, videos) == one


@pytest.mark.parametrize(("odds", "variance"), [(0.0, 1.0), (1.5, 0.3), (-2.0, 4.0)])
def test_the_mean_over_raters_and_videos_is_that_of_an_integral(odds, variance):
    def density(x):
        return norm.pdf(x, odds, math.sqrt(variance)) / (1 + math.exp(-x))

    assert _integrate(odds, variance) == pytest.approx(quad(density, -40, 40)[0], abs=1e-5)


@pytest.mark.parametrize(
    ("values", "raters", "videos", "reason"),
    [
        ([1, 0], [0, 0], [0, 1], "1 raters, 2 videos: an interval needs 2 of each"),
        ([1, 1], [0, 1], [0, 1], "all votes are equal"),
    ],
)
def test_without_spread_there_is_a_reason(values, raters, videos, reason):
    found = mixed_logit_interval(values, raters, videos)
    assert math.isnan(found.value)
    assert found.reason == reason


def test_without_statsmodels_the_command_is_named(monkeypatch):
    monkeypatch.setattr(bench.study.mixed_logit, "has_module", lambda name: False)
    found = mixed_logit_interval([1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 0, 1])
    assert found.reason == (
        "mixed logit needs the package statsmodels, which is not installed: "
        "`pip install 'foley-bench[mixed-logit]'`"
    )


def test_a_fit_without_an_end_is_a_reason(monkeypatch, rng):
    outcomes, raters, videos = draw_votes(rng, 12, 8, 8, 0.7, 0.0, 0.1, 0.1)
    monkeypatch.setattr(bench.study.mixed_logit, "_fit", lambda *_: None)
    found = mixed_logit_interval(outcomes == 1, raters, videos)
    assert found.reason == "the mixed logit does not converge"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_raters", "n_videos", "win", "tie", "shares"),
    [
        (31, 16, 0.611, 0.218, (0.1, 0.1)),
        (28, 16, 0.835, 0.0, (0.05, 0.05)),
        (31, 32, 0.611, 0.218, (0.1, 0.05)),
    ],
)
def test_the_interval_covers_the_truth(rng, n_raters, n_videos, win, tie, shares):
    truth, n_times = {1: win, 0: tie}, 300
    for outcome in (1, 0) if tie else (1,):
        covered, errors = [], []
        for _ in range(n_times):
            votes, raters, videos = draw_votes(rng, n_raters, n_videos, 16, win, tie, *shares)
            found = mixed_logit_interval(votes == outcome, raters, videos)
            covered.append(found.low <= truth[outcome] <= found.high)
            errors.append(found.value - truth[outcome])
        print(n_raters, n_videos, win, outcome, shares, np.mean(covered), np.mean(errors))
        # 300 studies tell a share of 0.95 to 0.03.
        assert 0.91 <= np.mean(covered) <= 0.99
        assert abs(np.mean(errors)) < 0.01
