"""The mean of clustered scores: closed cases."""

from __future__ import annotations

import numpy as np
import pytest

from bench.metrics.clusters import clustered_mean


def test_with_one_score_per_cluster_it_is_the_textbook_standard_error(rng):
    values = rng.normal(size=20)
    found = clustered_mean(values, [str(i) for i in range(20)])
    assert found.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(20))
    assert found.degrees == pytest.approx(19)


def test_equal_clusters_are_worth_as_much_as_their_means(rng):
    values = rng.normal(size=(16, 5)) + rng.normal(size=(16, 1))
    found = clustered_mean(values.ravel(), [str(i // 5) for i in range(80)])
    means = values.mean(axis=1)
    assert found.standard_error == pytest.approx(means.std(ddof=1) / 4)
    assert found.degrees == pytest.approx(15)


def test_clusters_of_unequal_size_have_fewer_degrees_of_freedom(rng):
    clusters = ["big"] * 50 + [str(i) for i in range(10)]
    assert clustered_mean(rng.normal(size=60), clusters).degrees < 4


def test_scores_that_are_missing_are_counted():
    found = clustered_mean([1.0, np.nan, 3.0], ["a", "a", "b"])
    assert (found.value, found.n, found.n_clusters, found.n_excluded) == (2.0, 2, 2, 1)


def test_equal_scores_have_their_own_mean_and_no_error():
    """Their sum rounds: a loss of the margin, in every clip, must not come out beyond it."""
    for n in range(2, 50):
        found = clustered_mean([0.1] * n, [str(i) for i in range(n)])
        assert (found.value, found.standard_error) == (0.1, 0.0)


def test_one_cluster_has_a_mean_and_no_error():
    found = clustered_mean([1.0, 3.0], ["a", "a"])
    assert found.value == 2.0
    assert np.isnan(found.standard_error)


def test_scores_and_clusters_of_unequal_number_are_refused():
    with pytest.raises(ValueError, match="2 scores need as many clusters, got 1"):
        clustered_mean([1.0, 3.0], ["a"])
