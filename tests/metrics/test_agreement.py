from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics.agreement import cosine_score, desync, offset_grid
from tests.metrics.seeded_arrays import golden, of_clips, single

GOLDEN = golden()

seeds = st.integers(0, 2**32 - 1)


def test_the_reference_evaluator_agrees_on_cosines():
    video = single("ib.video", (7, 1_024), 0.03)
    audio = single("ib.audio", (7, 1_024), 0.6) + 5 * video
    assert cosine_score(video, audio).mean() == pytest.approx(GOLDEN["f64_ib_score"], rel=1e-6)


def test_the_full_evaluation_of_the_reference_agrees():
    video = of_clips("gt.ibvideo", (1_024,), 0.03)
    audio = 8 * video + of_clips("pred.ibaudio", (1_024,), 0.6)
    expected = GOLDEN["f64_evaluate.IB-Score"]
    assert cosine_score(video, audio).mean() == pytest.approx(expected, rel=1e-6)


def test_directions_worked_out_by_hand():
    true = [[3.0, 4.0], [1.0, 0.0], [1.0, 1.0], [2.0, -1.0]]
    generated = [[4.0, 3.0], [0.0, 5.0], [-2.0, -2.0], [4.0, -2.0]]
    assert cosine_score(true, generated) == pytest.approx([24 / 25, 0.0, -1.0, 1.0], abs=1e-15)


@given(seeds, st.sampled_from([1e-300, 1e-20, 1.0, 1e20, 1e300]))
def test_length_does_not_matter_however_extreme(seed, length):
    true, generated = np.random.default_rng(seed).normal(size=(2, 6, 5))
    score = cosine_score(true, generated)
    assert cosine_score(true, length * generated) == pytest.approx(score, abs=1e-14)
    assert cosine_score(length * true, -generated) == pytest.approx(-score, abs=1e-14)


@given(seeds)
def test_scipy_agrees_and_no_score_leaves_its_range(seed):
    from scipy.spatial.distance import cosine

    true, generated = np.random.default_rng(seed).normal(size=(2, 6, 5))
    expected = [1 - cosine(a, b) for a, b in zip(true, generated, strict=True)]
    assert cosine_score(true, generated) == pytest.approx(expected, abs=1e-14)
    assert np.all(cosine_score(true, true) <= 1.0)


def test_an_embedding_of_zeros_is_not_scored_and_spares_its_neighbours():
    score = cosine_score([[0.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]])
    assert np.isnan(score[0])
    assert score[1] == 1.0


def test_embeddings_without_a_partner_are_refused():
    with pytest.raises(ValueError, match="equally many, got 3 true and 2 generated"):
        cosine_score(np.ones((3, 4)), np.ones((2, 4)))


def test_unequal_widths_are_refused():
    with pytest.raises(ValueError, match="equally wide, got 4 and 5"):
        cosine_score(np.ones((3, 4)), np.ones((3, 5)))


def sure_of(*offsets_s: float) -> np.ndarray:
    """Logits ``[W, 21]`` of windows that are certain of their offsets."""
    return np.eye(21)[[round(5 * offset_s) + 10 for offset_s in offsets_s]]


def test_the_reference_evaluator_agrees_on_offsets():
    logits = single("desync.logits", (11, 2, 21))
    score = desync(logits)
    assert score.shape == (11,)
    assert score == pytest.approx(np.abs(GOLDEN["grid"][GOLDEN["desync_choice"]]).mean(axis=1))
    # The reference keeps the grid in float32.
    assert score.mean() == pytest.approx(GOLDEN["f64_desync"], rel=1e-6)


def test_the_grid_steps_by_a_fifth_of_a_second():
    assert offset_grid() == pytest.approx(GOLDEN["grid"], abs=1e-7)
    assert np.diff(offset_grid()) == pytest.approx(np.full(20, 0.2))
    assert offset_grid()[10] == 0.0


def test_windows_are_averaged_without_their_sign():
    assert desync(sure_of(-2.0, 1.0)) == pytest.approx(1.5)
    assert desync(sure_of(0.0, 0.0)) == 0.0


@given(st.lists(st.integers(-10, 10), min_size=1, max_size=5))
def test_any_number_of_windows_and_any_leading_shape_are_accepted(steps):
    offsets_s = [step / 5 for step in steps]
    logits = np.stack([[sure_of(*offsets_s)], [sure_of(*reversed(offsets_s))]])
    score = desync(logits)
    assert score.shape == (2, 1)
    assert score == pytest.approx(np.full((2, 1), np.abs(offsets_s).mean()))


def test_of_equally_likely_offsets_the_lower_one_is_chosen():
    assert desync(np.zeros((1, 21))) == 2.0


def test_the_expected_offset_of_a_random_guess_is_just_over_a_second(rng):
    assert desync(rng.normal(size=(20_000, 1, 21))).mean() == pytest.approx(22 / 21, abs=0.02)


@pytest.mark.parametrize("shape", [(2, 20), (21,), (3, 0, 21)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"logits must be \[\.\.\., W, 21\], one per offset, got"):
        desync(np.zeros(shape))


def test_logits_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="the logits have 21 values that are NaN or infinite"):
        desync(np.full((1, 21), np.nan))
