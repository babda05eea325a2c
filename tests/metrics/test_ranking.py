from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.metrics.onset_scoring import average_precision

ranked = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=1, max_size=40)


def test_precision_at_each_hit_is_averaged():
    assert average_precision([1, 0, 1, 0], [4, 3, 2, 1]) == pytest.approx((1 + 2 / 3) / 2)


def test_equal_scores_enter_together():
    assert average_precision([1, 0], [0.5, 0.5]) == 0.5


def test_without_a_positive_it_is_zero():
    assert average_precision([0, 0], [0.1, 0.2]) == 0.0


@settings(deadline=None)  # the first example imports scikit-learn
@given(ranked)
def test_scikit_learn_agrees_ties_included(rows):
    from sklearn.metrics import average_precision_score

    labels, scores = zip(*[(label, score / 5) for label, score in rows], strict=True)
    if any(labels):
        expected = average_precision_score(labels, scores)
        assert average_precision(labels, scores) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(ranked)
def test_the_order_of_clips_does_not_matter(rows):
    labels, scores = zip(*rows, strict=True)
    backwards = average_precision(labels[::-1], scores[::-1])
    assert average_precision(labels, scores) == pytest.approx(backwards, abs=1e-12)


def test_nothing_to_rank_is_refused():
    with pytest.raises(ValueError, match=r"equally long \[N\], got \(0,\) and \(0,\)"):
        average_precision([], [])


def test_labels_and_scores_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match=r"got \(2,\) and \(3,\)"):
        average_precision([0, 1], [0.1, 0.2, 0.3])


def test_labels_that_are_not_binary_are_refused():
    with pytest.raises(ValueError, match="labels must be 0 or 1"):
        average_precision([2, 0], [0.1, 0.2])
