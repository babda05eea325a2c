"""Bradley-Terry with Davidson's ties: closed cases, choix, simulated recovery."""

from __future__ import annotations

import math

import choix
import numpy as np
import pytest

from bench.study.strengths import fit_strengths, outcome_odds


def draw(rng, strengths, tie, n_raters, per_rater, spread=0.0):
    """Votes on random pairs; ``spread`` is the deviation of a rater's strengths."""
    n = n_raters * per_rater
    raters, videos = (
        np.repeat(np.arange(n_raters), per_rater),
        np.tile(np.arange(per_rater), n_raters),
    )
    first = rng.integers(0, len(strengths), n)
    second = (first + rng.integers(1, len(strengths), n)) % len(strengths)
    of_raters = np.asarray(strengths) + spread * rng.normal(size=(n_raters, len(strengths)))
    differences = of_raters[raters, first] - of_raters[raters, second]
    shares = [outcome_odds(each, tie) for each in differences]
    outcomes = [rng.choice([1, 0, -1], p=each) for each in shares]
    return first, second, np.array(outcomes), raters, videos


def fit(votes, n_systems):
    return fit_strengths(*votes, n_systems)


def test_two_systems_with_ties_have_a_closed_solution():
    outcomes = [1] * 30 + [0] * 20 + [-1] * 10
    n = len(outcomes)
    votes = ([0] * n, [1] * n, outcomes, np.arange(n) % 12, np.arange(n) % 5)
    found = fit(votes, 2)
    # Win and loss rates fix d: e^d = 30 / 10; ties: e^t = 20 / sqrt(30 * 10).
    assert found.systems[0].value - found.systems[1].value == pytest.approx(math.log(3), abs=1e-6)
    assert found.tie == pytest.approx(math.log(20 / math.sqrt(300)), abs=1e-6)
    assert sum(each.value for each in found.systems) == pytest.approx(0)
    assert outcome_odds(math.log(3), found.tie) == pytest.approx((0.5, 1 / 3, 1 / 6), abs=1e-6)


def test_without_ties_it_is_bradley_and_terry_of_choix(rng):
    first, second, outcomes, raters, videos = draw(rng, [1.0, 0.2, -0.4, -0.8], None, 30, 16)
    found = fit((first, second, outcomes, raters, videos), 4)
    pairs = [(a, b) if o == 1 else (b, a) for a, b, o in zip(first, second, outcomes, strict=True)]
    expected = choix.opt_pairwise(4, pairs, alpha=0.0)
    assert [each.value for each in found.systems] == pytest.approx(
        expected - np.mean(expected), abs=1e-4
    )
    assert found.tie is None


def test_the_order_of_a_pair_does_not_matter(rng):
    first, second, outcomes, raters, videos = draw(rng, [0.5, 0.0, -0.5], 0.0, 20, 12)
    one = fit((first, second, outcomes, raters, videos), 3)
    other = fit((second, first, -outcomes, raters, videos), 3)
    assert [e.low for e in one.systems] == pytest.approx([e.low for e in other.systems], abs=1e-5)


def test_independent_votes_have_the_error_of_the_likelihood(rng):
    # One vote for each rater and video: the sandwich is then the plain information, on average.
    n = 2_000
    outcomes = np.where(rng.random(n) < 0.6, 1, -1)
    found = fit(([0] * n, [1] * n, outcomes, np.arange(n), np.arange(n)), 2)
    p = np.mean(outcomes == 1)
    half = 1.961 / math.sqrt(n * p * (1 - p)) / 2  # each is half of the difference
    assert found.systems[0].high - found.systems[0].value == pytest.approx(half, rel=0.01)


@pytest.mark.parametrize("seed", [16, 73, 282])
def test_no_interval_is_narrower_than_that_of_raters_or_videos_alone(seed):
    # Of few votes, the two-way variance of a strength may even be negative.
    votes = draw(np.random.default_rng(seed), [0.3, 0.0, -0.3], -0.3, 6, 6)
    first, second, outcomes, raters, videos = votes
    found = fit(votes, 3)
    for labels in ((raters, raters), (videos, videos)):
        # With the same clusters twice the variance is that of one way.
        alone = fit((first, second, outcomes, *labels), 3)
        for one, other in zip(found.systems, alone.systems, strict=True):
            assert one.high - one.low >= other.high - other.low - 1e-9


def test_a_system_that_always_wins_has_no_strength():
    found = fit(([0, 0, 1], [1, 2, 2], [1, 1, -1], [0, 1, 2], [0, 1, 2]), 3)
    assert "never lost" in found.reason
    assert math.isnan(found.systems[0].value)


@pytest.mark.parametrize(
    "outcomes",
    [
        [0] * 12,  # only ties
        [0] * 11 + [1],  # ties of any strength, and one win
    ],
)
def test_votes_without_a_finite_strength_have_a_reason(outcomes):
    # Pairs (0, 1), (1, 2) and (0, 2).
    votes = ([0, 1, 0] * 4, [1, 2, 2] * 4, outcomes, np.arange(12) % 4, np.arange(12) % 3)
    found = fit(votes, 3)
    assert "almost all votes are ties" in found.reason
    assert all(math.isnan(each.value) for each in found.systems)


def test_systems_that_were_never_compared_have_no_strength():
    found = fit(([0, 0, 2, 2], [1, 1, 3, 3], [1, -1, 1, -1], [0, 0, 1, 1], [0, 1, 0, 1]), 4)
    assert "some systems were never compared" in found.reason


def test_few_wins_beside_ties_are_enough():
    votes = ([0, 1, 0] * 4, [1, 2, 2] * 4, [0] * 8 + [1, 1, -1, -1], [0, 1] * 6, [0, 1, 2] * 4)
    found = fit(votes, 3)
    assert found.reason == ""
    assert max(abs(each.value) for each in found.systems) < 5


@pytest.mark.parametrize(
    ("first", "second", "outcomes"),
    [([0], [0], [1]), ([0], [1], [2]), ([0], [3], [1]), ([], [], [])],
)
def test_wrong_votes_are_refused(first, second, outcomes):
    with pytest.raises(ValueError, match="expected"):
        fit((first, second, outcomes, [0] * len(first), [0] * len(first)), 2)


@pytest.mark.slow
@pytest.mark.parametrize("tie", [None, -0.3])
def test_strengths_are_recovered_and_covered(rng, tie):
    truth, n_times = np.array([0.6, 0.1, -0.7]), 500
    covered, values = [], []
    for _ in range(n_times):
        found = fit(draw(rng, truth, tie, 40, 16), 3)
        covered.append([e.low <= t <= e.high for e, t in zip(found.systems, truth, strict=True)])
        values.append([e.value for e in found.systems])
    share = np.mean(covered)
    print(share, np.mean(values, axis=0))
    assert 0.93 <= share <= 0.98
    # A point of win rate is 0.04 of strength near one half.
    assert np.abs(np.mean(values, axis=0) - truth).max() < 0.04
