from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics.divergence import inception_score, kl_divergence
from tests.metrics.seeded_arrays import golden, of_clips, single

GOLDEN = golden()

seeds = st.integers(0, 2**32 - 1)


def reference_rng() -> np.random.RandomState:
    return np.random.RandomState(2020)


def logits_of_clips(network: str, kept: float) -> tuple[np.ndarray, np.ndarray]:
    true = of_clips(f"gt.{network}", (527,), 2.0)
    return true, np.float32(kept) * true + of_clips(f"pred.{network}", (527,))


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_reference_evaluator_agrees_on_the_divergence(activation):
    true = single("kl.gt", (40, 527), 2.0)
    generated = np.float32(0.7) * true + single("kl.pred", (40, 527), 1.5)
    divergence = kl_divergence(true, generated, activation=activation)
    assert divergence.shape == (40,)
    assert divergence.mean() == pytest.approx(GOLDEN[f"f64_kl_{activation}"], rel=1e-6)


@pytest.mark.parametrize(
    ("column", "network", "kept"), [("PANNS", "pannslogits", 0.7), ("PASST", "passtlogits", 0.5)]
)
def test_the_full_evaluation_of_the_reference_agrees(column, network, kept):
    true, generated = logits_of_clips(network, kept)
    divergence = kl_divergence(true, generated).mean()
    score = inception_score(generated, reference_rng())
    assert divergence == pytest.approx(GOLDEN[f"f64_evaluate.KL-{column}-softmax"], rel=1e-6)
    for mode in ("evaluate", "evaluate_unpaired"):
        expected = [float(GOLDEN[f"f64_{mode}.ISC-{column}-{value}"]) for value in ("mean", "std")]
        assert score == pytest.approx(expected, rel=1e-6)


def test_a_divergence_worked_out_by_hand():
    true, generated = np.log([[0.5, 0.5]]), np.log([[0.9, 0.1]])
    expected = 0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1)
    assert kl_divergence(true, generated) == pytest.approx([expected])


def test_the_true_side_weighs_the_classes():
    true, generated = np.log([[0.9, 0.1]]), np.log([[0.5, 0.5]])
    expected = 0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5)
    assert kl_divergence(true, generated) == pytest.approx([expected])


def test_sigmoids_leave_out_the_complements():
    # probabilities 3/4 and 1/2
    true, generated = [[math.log(3), 0.0]], [[0.0, math.log(3)]]
    expected = 0.75 * math.log(0.75 / 0.5) + 0.5 * math.log(0.5 / 0.75)
    assert kl_divergence(true, generated, activation="sigmoid") == pytest.approx([expected])


@pytest.mark.parametrize(("activation", "expected"), [("softmax", 4_000.0), ("sigmoid", 2_000.0)])
def test_certain_logits_do_not_overflow(activation, expected):
    true, generated = [[2_000.0, -2_000.0]], [[-2_000.0, 2_000.0]]
    divergence = kl_divergence(true, generated, activation=activation)
    assert divergence == pytest.approx([expected])


@given(seeds)
def test_a_divergence_is_positive_and_zero_for_equal_labels(seed):
    rng = np.random.default_rng(seed)
    true, generated = rng.normal(size=(2, 6, 5))
    assert np.all(kl_divergence(true, generated) > 0)
    assert kl_divergence(true, true + 3.0) == pytest.approx(np.zeros(6), abs=1e-14)


@given(seeds)
def test_the_order_of_classes_and_clips_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    true, generated = rng.normal(size=(2, 6, 5))
    clips, classes = rng.permutation(6), rng.permutation(5)
    shuffled = kl_divergence(true[clips][:, classes], generated[clips][:, classes])
    assert shuffled == pytest.approx(kl_divergence(true, generated)[clips], rel=1e-10)


@pytest.mark.parametrize("n", [205, 23, 10])
def test_the_reference_evaluator_agrees_on_the_inception_score(n):
    score = inception_score(single(f"isc.{n}", (n, 527), 2.0), reference_rng())
    assert score == pytest.approx(GOLDEN[f"f64_isc_{n}"], rel=1e-6, abs=1e-14)


def test_fewer_clips_than_splits_are_not_scored_as_in_the_reference():
    score = inception_score(single("isc.7", (7, 527), 2.0), reference_rng())
    assert np.isnan(GOLDEN["f64_isc_7"]).all()
    assert np.isnan(score).all()


def test_the_shuffle_is_the_one_of_the_reference():
    assert np.array_equal(reference_rng().permutation(205), GOLDEN["isc_permutation_205"])


def test_sure_and_evenly_spread_labels_score_the_number_of_classes(rng):
    logits = 1_000.0 * np.eye(5)[np.tile(np.arange(5), 8)]
    assert inception_score(logits, rng, n_splits=1) == pytest.approx((5.0, 0.0))


def test_equal_labels_score_one(rng):
    assert inception_score(np.tile([1.0, 2.0], (20, 1)), rng) == pytest.approx((1.0, 0.0))


def test_an_inception_score_worked_out_by_hand(rng):
    logits = np.log([[0.8, 0.2], [0.2, 0.8]])
    expected = math.exp(0.8 * math.log(0.8 / 0.5) + 0.2 * math.log(0.2 / 0.5))
    assert inception_score(logits, rng, n_splits=1).mean == pytest.approx(expected)


@given(seeds, st.integers(1, 7))
def test_an_inception_score_is_between_one_and_the_number_of_classes(seed, n_splits):
    rng = np.random.default_rng(seed)
    score = inception_score(rng.normal(size=(7, 4), scale=9), rng, n_splits)
    assert 1 - 1e-12 <= score.mean <= 4
    assert score.std >= 0


def test_the_same_seed_gives_the_same_score(rng):
    logits = rng.normal(size=(30, 4))
    first, second = (inception_score(logits, np.random.default_rng(3)) for _ in range(2))
    assert first == second


def test_clips_without_a_partner_are_refused():
    with pytest.raises(ValueError, match="equally many rows, got 3 true and 2 generated"):
        kl_divergence(np.zeros((3, 4)), np.zeros((2, 4)))


def test_unequal_classes_are_refused():
    with pytest.raises(ValueError, match="equally wide, got 4 and 5"):
        kl_divergence(np.zeros((3, 4)), np.zeros((3, 5)))


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="must be 'softmax' or 'sigmoid', got 'tanh'"):
        kl_divergence(np.zeros((3, 4)), np.zeros((3, 4)), activation="tanh")


def test_logits_that_are_not_finite_are_refused(rng):
    with pytest.raises(ValueError, match="logits has 12 values that are NaN or infinite"):
        inception_score(np.full((3, 4), np.inf), rng)


def test_no_split_is_refused(rng):
    with pytest.raises(ValueError, match="at least 1 split, got 0"):
        inception_score(np.zeros((3, 4)), rng, n_splits=0)
