"""Leaving groups out, where the right standard error is known."""

from __future__ import annotations

import numpy as np
import pytest

from bench.metrics import frechet_distance
from bench.metrics.jackknife import group_jackknife


def names(n: int) -> list[str]:
    return [f"c{i}" for i in range(n)]


def test_the_mean_has_its_textbook_standard_error_when_every_clip_is_a_group(rng):
    values = rng.normal(size=50)
    found = group_jackknife(lambda places: values[places].mean(), names(50), rng, n_groups=50)
    assert found.value == pytest.approx(values.mean())
    assert found.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(50))
    assert (found.degrees, found.n, found.n_clusters) == (49, 50, 50)


def test_a_cluster_is_left_out_whole():
    seen = []
    clusters = ["a"] * 5 + ["b"] * 5 + ["c"] * 5

    def count(places):
        seen.append(sorted({clusters[i] for i in places}))
        return float(len(places))

    group_jackknife(count, clusters, np.random.default_rng(0))
    assert sorted(seen[1:]) == [["a", "b"], ["a", "c"], ["b", "c"]]


def test_groups_have_about_equally_many_clips_whatever_the_sizes_of_clusters():
    clusters = [f"big{i}" for i in range(4) for _ in range(10)] + names(40)
    left = []

    def count(places):
        left.append(len(clusters) - len(places))
        return 0.0

    group_jackknife(count, clusters, np.random.default_rng(0), n_groups=8)
    assert left[1:] == [10] * 8


def test_the_error_of_a_difference_of_frechet_distances_is_its_spread_over_draws():
    """Two systems around one truth, paired: the spread over 60 draws is what the error predicts."""
    rng = np.random.default_rng(7)
    values, errors = [], []
    for _ in range(60):
        true = rng.normal(size=(200, 4))
        first = true + rng.normal(0.5, 0.3, size=true.shape)
        second = true + rng.normal(0.7, 0.3, size=true.shape)

        def difference(places, true=true, first=first, second=second):
            sets = (frechet_distance(true[places], each[places]) for each in (second, first))
            return next(sets) - next(sets)

        found = group_jackknife(difference, names(200), rng)
        values.append(found.value)
        errors.append(found.standard_error)
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.3)


def test_two_clusters_are_too_few(rng):
    with pytest.raises(ValueError, match="at least 3 clusters, got 2"):
        group_jackknife(lambda places: 0.0, ["a", "a", "b"], rng)
