from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics.similarity import cosine_score
from tests.metrics.seeded_arrays import golden, of_clips, single

GOLDEN = golden()

seeds = st.integers(0, 2**32 - 1)


def test_the_reference_evaluator_agrees():
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
