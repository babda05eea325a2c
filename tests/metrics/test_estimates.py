"""Contributions of samples: against definitions, jackknives, closed cases and the values."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.linalg

from bench.metrics import (
    Gaussian,
    SetEstimate,
    fd_infinity,
    frechet_distance,
    frechet_estimate,
    frechet_limit_estimate,
    inception_estimate,
    inception_score,
    kernel_distance,
    kernel_estimate,
)


def pair(rng: np.random.Generator, n: int, m: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Two sets of unequal means and covariances."""
    mixes = rng.normal(size=(2, width, width)) / np.sqrt(width)
    return rng.normal(size=(n, width)) @ mixes[0], rng.normal(size=(m, width)) @ mixes[1] + 0.3


def without(rows: np.ndarray, i: int) -> np.ndarray:
    return np.delete(rows, i, axis=0)


def jackknifed(
    value: Callable[[np.ndarray, np.ndarray], float], true: np.ndarray, generated: np.ndarray
) -> list[np.ndarray]:
    """The decrease of the value when each sample of either side is left out, centred."""
    left_out = [
        np.array([value(without(true, i), generated) for i in range(len(true))]),
        np.array([value(true, without(generated, i)) for i in range(len(generated))]),
    ]
    return [values.mean() - values for values in left_out]


@pytest.mark.parametrize(("n", "m"), [(400, 300), (300, 400)])
def test_contributions_to_a_frechet_distance_are_those_of_the_jackknife(rng, n, m):
    true, generated = pair(rng, n, m, 6)
    found = frechet_estimate(true, generated)
    assert found.value == pytest.approx(frechet_distance(true, generated))
    assert found.dimensions == 6
    for ours, theirs in zip(
        (found.true, found.generated), jackknifed(frechet_distance, true, generated), strict=True
    ):
        assert abs(ours.sum()) < 1e-10
        assert np.corrcoef(ours, theirs)[0, 1] > 0.999
        assert ours.std() == pytest.approx(theirs.std(), rel=0.05)


def influence_by_definition(samples: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The influence of samples on the distance to the other set, with matrix square roots."""
    first, second = np.cov(samples, rowvar=False), np.cov(other, rowvar=False)
    root = scipy.linalg.sqrtm(first)
    inverse = np.linalg.inv(root)
    transport = inverse @ scipy.linalg.sqrtm(root @ second @ root) @ inverse
    centred = samples - samples.mean(axis=0)
    change = np.eye(len(first)) - transport
    influence = 2 * centred @ (samples.mean(axis=0) - other.mean(axis=0))
    influence += np.einsum("ni,ij,nj->n", centred, change, centred)
    return influence - influence.mean()


def test_contributions_to_a_frechet_distance_are_the_influence_by_its_definition(rng):
    true, generated = pair(rng, 60, 80, 5)
    found = frechet_estimate(true, generated)
    assert found.true == pytest.approx(influence_by_definition(true, generated) / 60, abs=1e-10)
    assert found.generated == pytest.approx(
        influence_by_definition(generated, true) / 80, abs=1e-10
    )


def test_in_one_dimension_the_influence_is_known(rng):
    """The distance is (m1 - m2)^2 + (s1 - s2)^2, and s moves by ((x - m)^2 - s^2) / 2 s."""
    true, generated = rng.normal(size=(200, 1)), 3 * rng.normal(size=(100, 1)) + 5
    found = frechet_estimate(true, generated)
    m1, m2 = true.mean(), generated.mean()
    s1, s2 = true.std(ddof=1), generated.std(ddof=1)
    expected = 2 * (m1 - m2) * (true[:, 0] - m1)
    expected += (s1 - s2) * ((true[:, 0] - m1) ** 2 - true.var()) / s1
    assert found.true == pytest.approx(expected / 200, abs=1e-12)


@pytest.mark.parametrize("dead", ["both", "true", "generated"])
def test_constant_dimensions_change_nothing(rng, dead):
    true, generated = pair(rng, 200, 200, 8)
    if dead != "generated":
        true[:, 3] = 0.0
    if dead != "true":
        generated[:, 3] = 0.0
    found = frechet_estimate(true, generated)
    assert found.value == pytest.approx(frechet_distance(true, generated))
    for ours, theirs in zip(
        (found.true, found.generated), jackknifed(frechet_distance, true, generated), strict=True
    ):
        assert np.corrcoef(ours, theirs)[0, 1] > 0.99


def test_a_constant_side_contributes_nothing(rng):
    generated = rng.normal(size=(50, 3))
    found = frechet_estimate(np.ones((40, 3)), generated)
    assert found.value == pytest.approx(frechet_distance(np.ones((40, 3)), generated))
    assert found.true == pytest.approx(np.zeros(40), abs=1e-12)
    assert found.generated.std() > 0


def test_the_distance_of_a_set_from_itself_is_zero_without_error(rng):
    true = rng.normal(size=(300, 5))
    found = frechet_estimate(true, true)
    assert found.value == pytest.approx(0.0, abs=1e-12)
    assert found.true + found.generated == pytest.approx(np.zeros(300), abs=1e-12)


def test_the_limit_weighs_the_subsets_and_is_less_certain_than_the_distance(rng):
    true, generated = pair(rng, 400, 300, 6)
    found = frechet_limit_estimate(true, generated, np.random.default_rng(3))
    expected = fd_infinity(true, generated, np.random.default_rng(3)).value
    assert found.value == pytest.approx(expected)
    plain = frechet_estimate(true, generated)
    assert found.true == pytest.approx(plain.true)
    assert np.square(found.generated).sum() > np.square(plain.generated).sum()


@pytest.mark.parametrize("n", [40, 5])
def test_a_limit_is_the_same_from_what_was_computed_before(rng, n):
    true, generated = pair(rng, 50, n, 6)
    known = Gaussian.of(true)
    distance = frechet_estimate(true, generated, known=known)
    found, plain = (
        frechet_limit_estimate(true, generated, np.random.default_rng(3), **given)
        for given in ({"known": known, "distance": distance}, {})
    )
    assert found.value == plain.value
    assert np.array_equal(found.true, plain.true)
    assert np.array_equal(found.generated, plain.generated)


def test_a_limit_from_a_distance_without_contributions_is_refused(rng):
    true, generated = pair(rng, 50, 40, 6)
    with pytest.raises(ValueError, match="the estimate of the distance has no contributions"):
        frechet_limit_estimate(true, generated, rng, distance=SetEstimate(1.0))


def test_contributions_to_a_kernel_distance_are_those_of_the_jackknife(rng):
    true, generated = pair(rng, 120, 120, 6)

    def value(x: np.ndarray, y: np.ndarray) -> float:
        size = min(len(x), len(y))
        first = [x] if len(x) == size else [without(x, i) for i in (0, 60, 119)]
        second = [y] if len(y) == size else [without(y, i) for i in (0, 60, 119)]
        pairs = [(a, b) for a in first for b in second]
        return float(np.mean([kernel_distance(a, b, rng, n_subsets=1).mean for a, b in pairs]))

    found = kernel_estimate(true, generated, rng, n_subsets=1)
    assert found.value == pytest.approx(kernel_distance(true, generated, rng, n_subsets=1).mean)
    for ours, theirs in zip(
        (found.true, found.generated), jackknifed(value, true, generated), strict=True
    ):
        assert abs(ours.sum()) < 1e-12
        assert np.corrcoef(ours, theirs)[0, 1] > 0.99


def test_samples_outside_every_subset_contribute_nothing(rng):
    true, generated = pair(rng, 50, 40, 3)
    found = kernel_estimate(true, generated, rng, subset_size=10, n_subsets=1)
    assert np.count_nonzero(found.true) == np.count_nonzero(found.generated) == 10


def test_contributions_to_an_inception_score_are_those_of_the_jackknife(rng):
    logits = 3 * rng.normal(size=(200, 5))
    found = inception_estimate(logits, rng, n_splits=1)
    expected = inception_score(logits, rng, n_splits=1).mean
    assert found.value == pytest.approx(expected)
    left_out = [inception_score(without(logits, i), rng, n_splits=1).mean for i in range(200)]
    theirs = np.mean(left_out) - np.array(left_out)
    assert np.corrcoef(found.generated, theirs)[0, 1] > 0.999
    assert found.generated.std() == pytest.approx(theirs.std(), rel=0.02)
    assert not found.true.any()


@pytest.mark.parametrize(
    ("n", "reason"),
    [
        (9, "9 clips: the inception score needs at least 10"),
        (40, "40 clips: an interval of the inception score needs at least 100"),
    ],
)
def test_an_inception_score_of_few_clips_has_no_interval_and_gives_the_reason(rng, n, reason):
    found = inception_estimate(rng.normal(size=(n, 5)), rng)
    assert found.generated is None
    assert found.reason == reason
    assert math.isnan(found.value) == (n < 10)


def test_the_samples_of_a_clip_are_summed():
    rows = SetEstimate(1.0, np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.0]), 3)
    clips = rows.by_clip(np.array([0, 2]), np.array([0, 1]))
    assert clips.true.tolist() == [3.0, 4.0]
    assert clips.generated.tolist() == [1.0, 1.0]
    assert clips.dimensions == 3


def test_differences_and_ratios_are_linear_in_what_clips_contribute():
    base = SetEstimate(2.0, np.array([0.1, -0.1]), np.array([0.2, 0.0]), 5)
    new = SetEstimate(6.0, np.array([0.1, -0.1]), np.array([0.0, 0.4]), 5)
    difference, ratio = new.minus(base), new.over(base)
    assert difference.value == 4.0
    assert difference.true == pytest.approx([0.0, 0.0])
    assert difference.generated == pytest.approx([-0.2, 0.4])
    assert ratio.value == 3.0
    assert ratio.generated == pytest.approx([-0.3, 0.2])


def test_a_difference_without_contributions_keeps_the_reason():
    base = SetEstimate(2.0, dimensions=5, reason="few clips")
    new = SetEstimate(6.0, np.zeros(2), np.zeros(2), 5)
    assert (new.minus(base).value, new.minus(base).reason) == (4.0, "few clips")
    nothing = new.over(SetEstimate(0.0))
    assert math.isnan(nothing.value)
    assert nothing.reason == "the base value is not above 0: no ratio"
