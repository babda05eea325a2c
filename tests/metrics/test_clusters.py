"""The mean of clustered scores: closed cases."""

from __future__ import annotations

import numpy as np
import pytest

from bench.metrics.clusters import clustered_mean


def by_matrices(values: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
    """CR2 error and degrees of freedom by the matrices of Bell & McCaffrey, for one intercept."""
    n = len(values)
    leverage = np.full((n, n), 1 / n)  # the hat matrix X (X'X)^-1 X'
    maker = np.eye(n) - leverage
    residuals, meat, gradients = maker @ values, 0.0, []
    for name in np.unique(clusters):
        rows = np.flatnonzero(clusters == name)
        block = np.eye(len(rows)) - leverage[np.ix_(rows, rows)]
        eigenvalues, vectors = np.linalg.eigh(block)
        adjustment = vectors @ np.diag(eigenvalues**-0.5) @ vectors.T
        meat += (adjustment @ residuals[rows]).sum() ** 2
        gradients.append(maker[rows].T @ adjustment @ np.ones(len(rows)) / n)
    # The variance is sum_g (g' e)^2 for errors e: a quadratic form with these eigenvalues.
    weights = np.linalg.eigvalsh(np.array(gradients) @ np.array(gradients).T)
    return float(np.sqrt(meat) / n), float(weights.sum() ** 2 / np.square(weights).sum())


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (3, 3, 3), (1, 2, 5, 9, 1), (20, 1, 1, 1)])
def test_sums_over_clusters_agree_with_the_matrices_of_the_paper(rng, sizes):
    clusters = np.repeat([f"c{i}" for i in range(len(sizes))], sizes)
    values = rng.normal(size=len(clusters)) + rng.normal(size=len(sizes)).repeat(sizes)
    found = clustered_mean(values, clusters.tolist())
    expected = by_matrices(values, clusters)
    assert (found.standard_error, found.degrees) == pytest.approx(expected, rel=1e-9)


def test_with_one_score_per_cluster_it_is_the_textbook_standard_error(rng):
    values = rng.normal(size=20)
    found = clustered_mean(values, [str(i) for i in range(20)])
    assert found.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(20))
    assert found.degrees == pytest.approx(19)


def test_clusters_of_equal_size_count_like_their_means(rng):
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
