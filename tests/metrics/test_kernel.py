from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics import kernel
from bench.metrics.kernel import kernel_distance, kernel_estimate
from tests.metrics.seeded_arrays import OFFSET, SCALE, golden, single

seeds = st.integers(0, 2**32 - 1)


def pair_by_pair(true: np.ndarray, generated: np.ndarray) -> float:
    """The unbiased estimate as sums over pairs of samples."""

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return (a @ b / len(a) + 1) ** 3

    def within(samples: np.ndarray) -> float:
        n = len(samples)
        pairs = [(a, b) for a in range(n) for b in range(n) if a != b]
        return sum(kernel(samples[a], samples[b]) for a, b in pairs) / len(pairs)

    between = np.mean([kernel(a, b) for a in true for b in generated])
    return within(true) + within(generated) - 2 * between


@pytest.mark.parametrize(("subset_size", "n_subsets"), [(50, 10), (1_000, 3)])
def test_the_reference_evaluator_agrees(subset_size, n_subsets):
    true = single("kid.gt", (90, 128))
    generated = single("kid.pred", (120, 128)) * SCALE + OFFSET
    distance = kernel_distance(
        true,
        generated,
        np.random.RandomState(2020),
        subset_size=subset_size,
        n_subsets=n_subsets,
    )
    expected = golden()[f"f64_kid_subset{subset_size}"]
    assert distance == pytest.approx(expected, rel=1e-5)  # the reference computes in float32


def test_a_distance_worked_out_by_hand(rng):
    # Kernel of 1 and 1: 8, of -1 and -1: 8, of 1 and -1: 0.
    distance = kernel_distance([[1.0], [1.0]], [[-1.0], [-1.0]], rng, n_subsets=2)
    assert distance == (16.0, 0.0)


@given(seeds, st.tuples(st.integers(2, 6), st.integers(1, 4)))
def test_sums_over_pairs_agree(seed, shape):
    rng = np.random.default_rng(seed)
    true, generated = rng.normal(size=(2, *shape))
    distance = kernel_distance(true, generated, rng, n_subsets=1)
    assert distance.mean == pytest.approx(pair_by_pair(true, generated), rel=1e-9, abs=1e-9)
    assert distance.std == 0.0


@given(seeds)
def test_full_sets_give_the_same_in_any_order_and_direction(seed):
    rng = np.random.default_rng(seed)
    true, generated = rng.normal(size=(2, 9, 3))
    distance = kernel_distance(true, generated, rng, n_subsets=1).mean
    again = kernel_distance(rng.permutation(generated), true, rng, n_subsets=1).mean
    assert again == pytest.approx(distance, rel=1e-9, abs=1e-12)


def test_the_distance_of_sets_of_one_distribution_is_zero_on_average_for_any_size(rng):
    for n in (5, 50):
        values = [
            kernel_distance(*rng.normal(size=(2, n, 8)), rng, n_subsets=1).mean for _ in range(300)
        ]
        assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(300)


def test_the_distance_grows_with_the_shift(rng):
    true, generated = rng.normal(size=(2, 200, 8))
    values = [
        kernel_distance(true, generated + shift, rng, subset_size=100, n_subsets=20).mean
        for shift in (0.0, 0.5, 1.0, 2.0)
    ]
    assert values == sorted(values)


def test_the_same_seed_gives_the_same_subsets(rng):
    true, generated = rng.normal(size=(2, 40, 3))
    first, second, other = (
        kernel_distance(true, generated, np.random.default_rng(seed), subset_size=10)
        for seed in (1, 1, 2)
    )
    assert first == second
    assert first != other


@pytest.mark.parametrize(
    ("n_true", "subset_size", "n_subsets", "found"),
    [(1, 100, 3, "3 of 1"), (5, 1, 3, "3 of 1"), (5, 5, 0, "0 of 5")],
)
def test_subsets_too_small_or_too_few_are_refused(rng, n_true, subset_size, n_subsets, found):
    with pytest.raises(ValueError, match=f"at least 1 subset of 2 samples, got {found}"):
        kernel_distance(
            np.ones((n_true, 2)),
            np.ones((5, 2)),
            rng,
            subset_size=subset_size,
            n_subsets=n_subsets,
        )


def test_unequal_widths_are_refused(rng):
    with pytest.raises(ValueError, match="equally wide, got 2 and 3"):
        kernel_distance(np.ones((5, 2)), np.ones((5, 3)), rng)


@pytest.mark.parametrize("shape", [(60, 60), (60, 45), (45, 60)])
@pytest.mark.parametrize("subset_size", [20, 45, 1_000])
def test_one_kernel_of_all_samples_gives_what_a_kernel_per_subset_gives(
    rng, monkeypatch, shape, subset_size
):
    true, generated = (
        rng.normal(size=(n, 7)) + shift for n, shift in zip(shape, (0, 0.3), strict=True)
    )
    found = []
    for most_entries in (0, kernel.MOST_ENTRIES):
        monkeypatch.setattr(kernel, "MOST_ENTRIES", most_entries)
        draws = np.random.RandomState(2020)
        found.append(kernel_estimate(true, generated, draws, subset_size=subset_size))
    by_subset, of_all = found
    assert of_all.value == pytest.approx(by_subset.value, rel=1e-12)
    assert of_all.true == pytest.approx(by_subset.true, abs=1e-15)
    assert of_all.generated == pytest.approx(by_subset.generated, abs=1e-15)


def test_the_kernel_of_all_samples_is_computed_once(rng, monkeypatch):
    """The case above must not compare one way with itself."""
    calls: list[int] = []
    plain = kernel._kernel
    monkeypatch.setattr(kernel, "_kernel", lambda x, y: calls.append(len(x)) or plain(x, y))
    kernel_estimate(*rng.normal(size=(2, 30, 4)), rng, n_subsets=9)
    assert calls == [30, 30, 30]
    calls.clear()
    monkeypatch.setattr(kernel, "MOST_ENTRIES", 0)
    kernel_estimate(*rng.normal(size=(2, 30, 4)), rng, n_subsets=9)
    assert len(calls) == 27
