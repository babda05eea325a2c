from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics import frechet_limit
from bench.metrics.frechet import FrechetStatistics, Gaussian, frechet_distance
from bench.metrics.frechet_limit import fd_infinity
from tests.metrics.seeded_arrays import OFFSET, SCALE, draw, golden, of_clips, single

GOLDEN = golden()
DRAWN = {
    "300x128": ("fd1", 300, 300, 128),
    "300x2048_280x2048": ("fd2", 300, 280, 2048),
    "20x128_25x128": ("fd3", 20, 25, 128),
    "2x128_3x128": ("fd4", 2, 3, 128),
}
RECTIFIED = {"relu_400x512": ("fd5", 400, 350), "relu_200x512": ("fd6", 200, 200)}

seeds = st.integers(0, 2**32 - 1)
#: More samples than dimensions, as many, and fewer.
shapes = st.tuples(st.integers(2, 12), st.integers(2, 12), st.integers(1, 8))


def drawn_pair(case: str) -> tuple[np.ndarray, np.ndarray]:
    name, n_generated, n_true, width = DRAWN[case]
    generated = single(f"{name}.pred", (n_generated, width)) * SCALE + OFFSET
    return single(f"{name}.gt", (n_true, width)), generated


def rectified_pair(case: str) -> tuple[np.ndarray, np.ndarray]:
    name, n_generated, n_true = RECTIFIED[case]
    mix = draw("golden.fd.shared.mix512", (512, 512), 0.7 / 512**0.5)
    sides = []
    for side, n in (("gt", n_true), ("pred", n_generated)):
        x = single(f"{name}.{side}", (n, 512))
        sides.append(np.maximum(x @ mix + np.float32(0.5) * x + np.float32(0.2), 0))
    return sides[0], sides[1] * SCALE


def correlated(rng: np.random.Generator, n: int, width: int, decay: float = 1.0) -> np.ndarray:
    """Samples whose spectrum falls off like that of learned features."""
    spectrum = np.arange(1, width + 1) ** -decay
    rotation = np.linalg.qr(np.random.default_rng(width).normal(size=(width, width)))[0]
    return (rng.normal(size=(n, width)) * np.sqrt(spectrum)) @ rotation


def by_singular_values(true: np.ndarray, generated: np.ndarray) -> float:
    """The distance from triangular factors of the data: no covariance is ever formed."""
    roots = [
        np.linalg.qr(side - side.mean(axis=0), mode="r") / np.sqrt(len(side) - 1)
        for side in (true, generated)
    ]
    shift = true.mean(axis=0) - generated.mean(axis=0)
    overlap = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    return shift @ shift + sum(np.square(root).sum() for root in roots) - 2 * overlap


def by_square_root(true: np.ndarray, generated: np.ndarray) -> float:
    """The textbook formula with SciPy's matrix square root."""
    first, second = np.cov(true, rowvar=False), np.cov(generated, rowvar=False)
    shift = true.mean(axis=0) - generated.mean(axis=0)
    root = scipy.linalg.sqrtm(first @ second)
    return float(np.real(shift @ shift + np.trace(first + second - 2 * root)))


@pytest.mark.parametrize("case", [*DRAWN, *RECTIFIED])
@pytest.mark.parametrize("suffix", ["", "_exact"])
def test_the_reference_evaluator_agrees(case, suffix):
    true, generated = drawn_pair(case) if case in DRAWN else rectified_pair(case)
    expected = GOLDEN[f"f64_fd_{case}{suffix}"]
    assert frechet_distance(true, generated) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("case", [*DRAWN, *RECTIFIED])
def test_statistics_reach_the_exact_golden_even_when_samples_are_few(case):
    true, generated = drawn_pair(case) if case in DRAWN else rectified_pair(case)
    distance = frechet_distance(FrechetStatistics.of(true), FrechetStatistics.of(generated))
    assert distance == pytest.approx(GOLDEN[f"f64_fd_{case}_exact"], rel=1e-7)


def test_dimensions_that_are_zero_change_nothing():
    true, generated = (single(f"fd1.{side}", (300, 128)) for side in ("gt", "pred"))
    true[:, ::4] = generated[:, ::4] = 0
    for suffix in ("", "_exact"):
        expected = GOLDEN[f"f64_fd_const_dims_300x128{suffix}"]
        assert frechet_distance(true, generated) == pytest.approx(expected, rel=1e-6)


def test_a_set_is_at_distance_zero_from_itself():
    true = single("fd1.gt", (300, 128))
    assert frechet_distance(true, true) == pytest.approx(GOLDEN["f64_fd_same_300x128"], abs=1e-10)


@pytest.mark.parametrize(
    ("column", "name", "shape", "generated_from"),
    [
        ("FD-PANN", "panns2048", (2048,), lambda x, _: np.maximum(x * np.float32(1.1) + 0.1, 0)),
        ("FD-VGG", "vggish", (8, 128), lambda x, _: x * np.float32(1.2) + 0.1),
        ("FD-PASST", "passt", (768,), lambda x, true: x + np.float32(0.5) * true),
    ],
)
def test_the_full_evaluation_of_the_reference_agrees(column, name, shape, generated_from):
    true, drawn = of_clips(f"gt.{name}", shape), of_clips(f"pred.{name}", shape)
    generated = generated_from(drawn, true)
    if column == "FD-PANN":
        true = np.maximum(true, 0)
    sides = [side.reshape(-1, shape[-1]) for side in (true, generated)]
    for mode in ("evaluate", "evaluate_unpaired"):
        expected = GOLDEN[f"f64_{mode}.{column}"]
        assert frechet_distance(*sides) == pytest.approx(expected, rel=1e-6)


def test_one_dimension_is_the_difference_of_means_and_of_deviations():
    # deviations 1 and 3, means 0 and 5
    true, generated = [[-1.0], [0.0], [1.0]], [[2.0], [5.0], [8.0]]
    assert frechet_distance(true, generated) == pytest.approx(5**2 + (3 - 1) ** 2)


def test_independent_dimensions_add_up(rng):
    deviation = np.array([0.5, 1.0, 2.0, 4.0])
    white = rng.normal(size=(50, 4))
    white = np.linalg.qr(white - white.mean(axis=0))[0] * np.sqrt(49)
    distance = frechet_distance(white * deviation, white * deviation[::-1] + [0, 0, 0, 1])
    assert distance == pytest.approx(np.square(deviation - deviation[::-1]).sum() + 1)


def test_the_distance_from_a_constant_set_is_the_variance_of_the_other_set():
    samples = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
    variance = 8 / 3
    assert frechet_distance(samples, np.ones((3, 2))) == pytest.approx(variance)
    assert frechet_distance(np.ones((3, 2)), samples[:2] - [0, 3]) == pytest.approx(2 + 16)
    assert frechet_distance(np.ones((3, 2)), np.zeros((5, 2))) == 2


@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0, 3.0, 6.0])
@pytest.mark.parametrize("n", [40, 64, 65, 400])
def test_singular_values_of_the_data_agree_however_steep_the_spectrum(rng, n, decay):
    true, generated = correlated(rng, 300, 64, decay), correlated(rng, n, 64, decay) * 1.2 + 0.01
    expected = by_singular_values(true, generated)
    assert frechet_distance(true, generated) == pytest.approx(expected, rel=1e-8)


def test_the_matrix_square_root_agrees(rng):
    true, generated = correlated(rng, 500, 96), correlated(rng, 400, 96) * 1.1 + 0.02
    expected = by_square_root(true, generated)
    assert frechet_distance(true, generated) == pytest.approx(expected, rel=1e-9)


def test_dimensions_of_very_different_size_are_all_counted(rng):
    scale = np.array([1e-8, 1.0, 1e8])
    true, generated = rng.normal(size=(20, 3)), rng.normal(size=(20, 3))
    true[:, 1], generated[:, 1] = true[:, 0], 0.0  # singular: no Cholesky factor of the full matrix
    first, second = FrechetStatistics.of(true * scale), FrechetStatistics.of(generated)
    expected = by_singular_values(true * scale, generated)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-9)


def test_fewer_samples_than_dimensions_need_no_square_matrix(rng, monkeypatch):
    monkeypatch.setattr(FrechetStatistics, "of", None)
    true, generated = rng.normal(size=(5, 100_000)), rng.normal(size=(7, 100_000))
    assert frechet_distance(true, generated) > 0


@given(seeds, shapes)
def test_shifting_every_feature_adds_the_squared_shift(seed, shape):
    rng, (n, _, width) = np.random.default_rng(seed), shape
    true, shift = rng.normal(size=(n, width)), rng.normal(size=width)
    assert frechet_distance(true, true + shift) == pytest.approx(shift @ shift, abs=1e-9)


@given(seeds, shapes)
def test_order_sides_rotation_and_scale_change_nothing_else(seed, shape):
    rng, (n, m, width) = np.random.default_rng(seed), shape
    true, generated = rng.normal(size=(n, width)), 2 * rng.normal(size=(m, width)) + 1
    distance = pytest.approx(frechet_distance(true, generated), abs=1e-9, rel=1e-9)
    rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
    assert frechet_distance(rng.permutation(true), rng.permutation(generated)) == distance
    assert frechet_distance(generated, true) == distance
    assert frechet_distance(true @ rotation + 7, generated @ rotation + 7) == distance
    assert frechet_distance(3 * true, 3 * generated) / 9 == distance


@given(seeds, shapes)
def test_the_distance_is_not_negative_but_for_rounding(seed, shape):
    rng, (n, m, width) = np.random.default_rng(seed), shape
    assert frechet_distance(rng.normal(size=(n, width)), rng.normal(size=(m, width))) > -1e-12


@given(seeds, st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_any_split_into_blocks_gives_the_same_statistics(seed, sizes):
    samples = np.random.default_rng(seed).normal(size=(sum(sizes), 5)) * 1e-3 + 1e3
    whole = FrechetStatistics.of(samples)
    parts = FrechetStatistics.of_blocks(np.split(samples, np.cumsum(sizes)[:-1]))
    assert parts.n == whole.n
    assert parts.mean == pytest.approx(whole.mean, rel=1e-14)
    # Rounding of the mean, 1e-13, against deviations of 1e-3.
    assert parts.scatter == pytest.approx(whole.scatter, abs=1e-12)


def test_statistics_and_arrays_may_be_mixed(rng):
    true, generated = rng.normal(size=(30, 4)), rng.normal(size=(3, 4))
    distance = frechet_distance(true, generated)
    for first in (true, FrechetStatistics.of(true)):
        for second in (generated, FrechetStatistics.of(generated)):
            assert frechet_distance(first, second) == pytest.approx(distance, rel=1e-10)


@pytest.mark.parametrize("n", [30, 3])
def test_a_gaussian_without_its_covariance_is_the_same_side(rng, n):
    """As one that was kept on disk; on either side, regular or of few samples."""
    true, generated = rng.normal(size=(30, 4)), rng.normal(size=(n, 4)) + 1
    kept = [replace(Gaussian.of(side), covariance=None) for side in (true, generated)]
    assert kept[0].is_regular
    assert kept[1].is_regular == (n > 4)
    expected = pytest.approx(frechet_distance(true, generated), rel=1e-12)
    assert frechet_distance(kept[0], generated) == expected
    assert frechet_distance(*kept) == expected


def test_the_covariance_is_numpys(rng):
    samples = rng.normal(size=(30, 4)).astype(np.float32)
    covariance = FrechetStatistics.of(samples).covariance
    assert covariance.dtype == np.float64
    assert covariance == pytest.approx(np.cov(samples, rowvar=False), rel=1e-12)


def test_extrapolation_removes_what_the_number_of_samples_adds(rng):
    truth = FrechetStatistics.of(correlated(rng, 200_000, 16))
    few = [correlated(rng, 160, 16) for _ in range(30)]
    plain = np.mean([frechet_distance(truth, samples) for samples in few])
    limits = [fd_infinity(truth, samples, rng) for samples in few]
    assert plain > 0.05
    assert abs(np.mean([limit.value for limit in limits])) < 0.1 * plain
    assert np.mean([limit.slope for limit in limits]) == pytest.approx(160 * plain, rel=0.1)


def test_an_exact_line_is_read_off_at_zero():
    sizes = np.array([10, 20, 40])
    limit = frechet_limit._limit(sizes, 3.0 + 7.0 / sizes)
    assert limit == pytest.approx((3.0, 7.0, 1.0))


def test_the_same_seed_gives_the_same_extrapolation(rng):
    true, generated = rng.normal(size=(50, 3)), rng.normal(size=(40, 3))
    first, second = (fd_infinity(true, generated, np.random.default_rng(5)) for _ in range(2))
    assert first == second
    assert first != fd_infinity(true, generated, np.random.default_rng(6))


@pytest.mark.parametrize(
    ("true", "generated", "complaint"),
    [
        (np.ones((1, 3)), np.ones((4, 3)), "true has 1 sample, a covariance needs at least 2"),
        (np.ones((4, 3)), np.ones((1, 3)), "generated has 1 sample"),
        (np.ones((4, 3)), np.ones((4, 2)), "equally many dimensions, got 3 and 2"),
        (np.ones((4, 3)), np.full((4, 3), np.nan), "generated has 12 values that are NaN"),
        (np.ones(3), np.ones((4, 3)), r"true must be frames \[N, D\]"),
        (FrechetStatistics.of(np.ones((1, 3))), np.ones((4, 3)), "the set has 1 sample"),
    ],
)
def test_sets_without_a_distance_are_refused(true, generated, complaint):
    with pytest.raises(ValueError, match=complaint):
        frechet_distance(true, generated)


def test_statistics_of_nothing_or_of_unequal_widths_are_refused():
    with pytest.raises(ValueError, match="at least one block"):
        FrechetStatistics.of_blocks([])
    with pytest.raises(ValueError, match="equally many dimensions, got 2 and 3"):
        FrechetStatistics.of_blocks([np.ones((4, 2)), np.ones((4, 3))])
    with pytest.raises(ValueError, match=r"features must be frames \[N, D\]"):
        FrechetStatistics.of(np.ones((0, 3)))


@pytest.mark.parametrize("n", [30, 200])
def test_the_limit_is_the_line_through_distances_of_subsets(rng, n):
    true, generated = correlated(rng, 100, 16), correlated(rng, n, 16) + 0.2
    found = fd_infinity(true, generated, np.random.default_rng(4))
    again = np.random.default_rng(4)
    sizes = np.linspace(n // 2, n, 15).astype(int)
    distances = [
        frechet_distance(true, generated[again.choice(n, size, replace=False, shuffle=False)])
        for size in sizes
    ]
    line = np.polynomial.Polynomial.fit(1 / sizes, distances, 1).convert()
    assert (found.value, found.slope) == pytest.approx(tuple(line.coef), rel=1e-8)


@pytest.mark.parametrize(("n_samples", "n_sizes"), [(3, 15), (10, 1)])
def test_a_line_through_too_little_is_refused(rng, n_samples, n_sizes):
    with pytest.raises(ValueError, match="at least 2 sizes and 4 samples"):
        fd_infinity(np.eye(3), np.ones((n_samples, 3)), rng, n_sizes=n_sizes)
