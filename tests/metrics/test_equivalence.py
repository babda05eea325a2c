"""Losses against a margin, and Holm's adjustment, against SciPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from bench.metrics.equivalence import MarginTest, adjust_holm, margin_test


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
