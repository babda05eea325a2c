from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.metrics.onset import annotated_onsets, onset_features
from bench.metrics.onset_scoring import MODES, average_precision, match_onsets, onset_scores

NOTHING = {"positions": np.zeros(0, dtype=np.int64)}
SECOND = 22_050


def features(positions, confidence=None, height=None) -> dict[str, np.ndarray]:
    """Onset features as if a waveform had given them, the same in both descriptions."""
    trust = np.full(len(positions), 0.5) if confidence is None else np.array(confidence)
    peak = trust if height is None else np.array(height)
    return {
        "positions": np.array(positions, dtype=np.int64),
        "rectified_confidence": trust,
        "rectified_height": peak,
        "signed_confidence": trust,
        "signed_height": peak,
    }


def golden_rows(onset_golden, is_real: bool):
    """Pairs that a file's onsets enter, with both evaluators' expected values."""
    rows = zip(
        onset_golden["pairs"],
        onset_golden["f64_result_acc_ap_f1_ngt_npred_hits"],
        onset_golden["f64_condfoley_acc_ap_for_tolerance_0.1_0.2_0.3"],
        strict=True,
    )
    for pair, mmaudio, condfoley in rows:
        if pair.startswith("v") == is_real:
            yield *pair.split("|"), mmaudio, condfoley


def check_golden_rows(rows, described, onset_golden):
    n_rows = 0
    for predicted, true, mmaudio, condfoley in rows:
        truth = annotated_onsets(onset_golden[f"f64_{true}.gt_times"], seconds=8.0)
        found = onset_scores(truth, described[predicted], tolerance_s=0.3, mode="mmaudio")
        if np.isnan(mmaudio).all():  # the script crashed
            assert np.isnan(found[:3]).all()
        else:
            assert found == pytest.approx(mmaudio, abs=1e-6)
        for tolerance_s, expected in zip((0.1, 0.2, 0.3), condfoley, strict=True):
            found = onset_scores(described[true], described[predicted], tolerance_s=tolerance_s)
            assert found[:2] == pytest.approx(expected, abs=1e-6, nan_ok=True)
        n_rows += 1
    return n_rows


def test_both_evaluators_are_reproduced_on_synthetic_audio(waveforms, onset_golden):
    described = {name: onset_features(audio) for name, audio in waveforms.items()}
    rows = golden_rows(onset_golden, is_real=False)
    assert check_golden_rows(rows, described, onset_golden) == 8


def test_both_evaluators_are_reproduced_on_real_audio(real_waveforms, onset_golden):
    described = {name: onset_features(audio) for name, audio in real_waveforms.items()}
    rows = golden_rows(onset_golden, is_real=True)
    assert check_golden_rows(rows, described, onset_golden) == 4


@pytest.mark.parametrize("number", range(10))
@pytest.mark.parametrize("is_inclusive", [True, False])
def test_matching_reproduces_the_f_measures_of_mir_eval(number, is_inclusive, shared):
    folder = shared / "media/fixtures/onset"
    true, predicted = (
        np.loadtxt(folder / f"{side}{number:02d}.txt", ndmin=1) for side in ("ref", "est")
    )
    expected = json.loads((folder / f"output{number:02d}.json").read_text())
    n_hits = len(match_onsets(true, predicted, 0.05, is_inclusive=is_inclusive))
    assert n_hits / len(predicted) == pytest.approx(expected["Precision"], abs=1e-12)
    assert n_hits / len(true) == pytest.approx(expected["Recall"], abs=1e-12)
    f_measure = 2 * n_hits / (len(true) + len(predicted))
    assert f_measure == pytest.approx(expected["F-measure"], abs=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_audio_scored_against_itself_is_perfect(mode, waveforms):
    described = onset_features(waveforms["c_gt"])
    scores = onset_scores(described, described, mode=mode)
    assert scores == (1.0, pytest.approx(1.0), 1.0, 9, 9, 9)


@pytest.mark.parametrize("mode", MODES)
def test_a_clip_without_true_and_predicted_onsets_is_not_scored(mode):
    scores = onset_scores(NOTHING, features([]), mode=mode)
    assert np.isnan(scores[:3]).all()
    assert scores[3:] == (0, 0, 0)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("reference", (0, 1, 0)), ("mmaudio", (0, 1, 0)), ("strict", (0, 0, 0))],
)
def test_a_silent_prediction_has_perfect_precision_unless_strict(mode, expected):
    scores = onset_scores(features([5_120, 51_200]), features([]), mode=mode)
    assert scores == (*expected, 2, 0, 0)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("reference", [0, 0, 0]), ("mmaudio", [0, 0, 0]), ("strict", [math.nan] * 3)],
)
def test_a_clip_without_true_onsets_scores_nothing_and_is_not_scored_if_strict(mode, expected):
    scores = onset_scores(NOTHING, features([5_120, 51_200]), mode=mode)
    assert list(scores[:3]) == pytest.approx(expected, nan_ok=True)
    assert scores[3:] == (0, 2, 0)


@pytest.mark.parametrize(
    ("mode", "f1"), [("reference", 4 / 7), ("mmaudio", 1.0), ("strict", 4 / 7)]
)
def test_two_hits_of_five_onsets_are_a_perfect_f1_in_mmaudio_only(mode, f1):
    true = features([s * SECOND for s in (1, 2, 3, 4, 5)])
    scores = onset_scores(true, features([1 * SECOND, 2 * SECOND]), mode=mode)
    assert scores.accuracy == 0.4
    assert scores.f1 == pytest.approx(f1)


def test_misses_lower_strict_precision_and_leave_that_of_the_reference():
    true = features([s * SECOND for s in (1, 2, 3, 4)])
    predicted = features([1 * SECOND, 2 * SECOND])
    assert onset_scores(true, predicted).average_precision == 1.0
    assert onset_scores(true, predicted, mode="strict").average_precision == pytest.approx(0.5)


def test_the_floor_of_the_reference_is_the_share_of_misses_in_the_ranking():
    # Five misses and five false alarms: the misses are ranked last, as positives of score 0.
    true = features([s * SECOND for s in range(1, 6)])
    predicted = features([(s + 0.5) * SECOND for s in range(1, 6)])
    assert onset_scores(true, predicted).average_precision == 0.5
    assert onset_scores(true, predicted, mode="strict").average_precision == 0.0


def test_strict_precision_ranks_by_confidence():
    true = features([1 * SECOND, 3 * SECOND])
    predicted = features([SECOND, 2 * SECOND, 3 * SECOND], confidence=[0.9, 0.8, 0.7])
    # Hits come first and third: half the truth at precision 1, half at 2/3.
    scores = onset_scores(true, predicted, mode="strict")
    assert scores.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_greedy_matching_loses_a_pair_that_strict_matching_keeps():
    # The first true onset takes the prediction with the larger sample, the only one of the second.
    true = features([10_000, 11_600])
    predicted = features([8_500, 11_500], height=[0.1, 0.9])
    assert onset_scores(true, predicted, mode="reference").n_hits == 1
    assert onset_scores(true, predicted, mode="strict").n_hits == 2


def test_mmaudio_reads_heights_with_indices_of_the_shrunken_list():
    # After the first pair, the candidates 30,000 and 31,500 are judged by their left neighbours.
    true = features([10_000, 30_700])
    predicted = features(
        [10_000, 30_000, 31_500], confidence=[0.9, 0.8, 0.1], height=[0.1, 0.9, 0.2]
    )
    scores = {
        mode: onset_scores(true, predicted, mode=mode).average_precision
        for mode in ("reference", "mmaudio")
    }
    # The reference takes the high one (0.8) and ranks the other last; MMAudio does so by luck:
    # it compares 0.1 with 0.9 and takes the candidate after it, of confidence 0.1.
    assert scores["reference"] == 1.0
    assert scores["mmaudio"] == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize(("mode", "n_left"), [("reference", 2), ("mmaudio", 2), ("strict", 1)])
def test_the_onset_after_a_removed_one_is_removed_too_if_strict(mode, n_left):
    predicted = features([5_120, 6_144, 7_168], confidence=[0.5, 0.9, 0.6])
    assert onset_scores(features([6_144]), predicted, mode=mode).n_predicted == n_left


def test_tolerance_is_exclusive():
    true = features([SECOND])
    just_out, just_in = features([SECOND + 2_205]), features([SECOND + 2_204])
    for mode in MODES:
        assert onset_scores(true, just_out, tolerance_s=0.1, mode=mode).n_hits == 0
        assert onset_scores(true, just_in, tolerance_s=0.1, mode=mode).n_hits == 1
    assert len(match_onsets([0.0], [0.5], 0.5)) == 0
    assert len(match_onsets([0.0], [0.5], 0.5, is_inclusive=True)) == 1


def test_annotated_hits_are_scored_like_detected_ones():
    predicted = features([11_264, 33_280])
    annotated = annotated_onsets([0.5, 1.5, 2.5], seconds=2.0)
    assert onset_scores(annotated, predicted, mode="mmaudio") == (1.0, 1.0, 1.0, 2, 2, 2)


def test_matching_prefers_the_confident_of_two_candidates():
    assert match_onsets([1.0], [0.9, 1.1], 0.5, confidence=[0.2, 0.7]).tolist() == [[0, 1]]
    # ... but never gives up a pair for it.
    pairs = match_onsets([1.0, 2.0], [1.4, 0.6], 0.7, confidence=[1.0, 0.0])
    assert pairs.tolist() == [[0, 1], [1, 0]]


onset_times = st.lists(st.integers(0, 60), max_size=12, unique=True).map(sorted)


@settings(deadline=None)
@given(onset_times, onset_times, st.integers(1, 6))
def test_a_matching_is_one_to_one_within_reach_and_never_smaller_than_the_greedy_one(
    true, predicted, tolerance
):
    pairs = match_onsets(true, predicted, tolerance)
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)
    assert all(abs(true[i] - predicted[j]) < tolerance for i, j in pairs)
    unused = list(predicted)
    for time in true:  # earliest deadline first is optimal for windows of one width
        reachable = [other for other in unused if abs(other - time) < tolerance]
        if reachable:
            unused.remove(reachable[0])
    assert len(pairs) == len(predicted) - len(unused)


few_onsets = st.lists(st.integers(0, 12), max_size=5, unique=True).map(sorted)


@settings(deadline=None)
@given(few_onsets, few_onsets, st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_no_assignment_has_more_pairs_or_as_many_of_more_confidence(
    true, predicted, tolerance, seed
):
    confidence = np.random.default_rng(seed).uniform(size=len(predicted))
    options = [
        [None, *(j for j, time in enumerate(predicted) if abs(time - at) < tolerance)]
        for at in true
    ]
    assignments = ([j for j in each if j is not None] for each in itertools.product(*options))
    best = max(
        (len(hits), sum(confidence[hits])) for hits in assignments if len(set(hits)) == len(hits)
    )
    pairs = match_onsets(true, predicted, tolerance, confidence=confidence)
    assert (len(pairs), confidence[pairs[:, 1]].sum()) == pytest.approx(best)


@settings(deadline=None)
@given(onset_times, onset_times, st.sampled_from(sorted(MODES)))
def test_scores_are_between_zero_and_one_or_missing(true, predicted, mode):
    scores = onset_scores(
        features([hop * 512 for hop in true]), features([hop * 512 for hop in predicted]), mode=mode
    )
    assert all(math.isnan(score) or 0 <= score <= 1 for score in scores[:3])
    assert scores.n_hits <= min(scores.n_true, scores.n_predicted)
    assert scores.n_true == len(true)


def test_shifting_the_audio_further_never_helps():
    times = np.array([1.0, 2.1, 3.3, 4.6])
    true = features(times * SECOND)
    for mode in MODES:
        accuracies = [
            onset_scores(true, features((times + shift_s) * SECOND), mode=mode).accuracy
            for shift_s in (0.0, 0.05, 0.09, 0.11, 0.2)
        ]
        assert accuracies == [1.0, 1.0, 1.0, 0.0, 0.0]


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="'exact' is unknown, known: reference, mmaudio, strict"):
        onset_scores(NOTHING, features([]), mode="exact")


def test_a_tolerance_of_zero_is_refused():
    with pytest.raises(ValueError, match="above 0 s, got 0"):
        onset_scores(NOTHING, features([]), tolerance_s=0)


def test_missing_features_are_refused_by_name():
    with pytest.raises(ValueError, match=r"no 'rectified_confidence', only \['positions'\]"):
        onset_scores(NOTHING, NOTHING)


def test_features_of_different_clips_are_refused():
    mixed = features([1, 2]) | {"rectified_height": np.zeros(3)}
    with pytest.raises(ValueError, match="2 positions, 2 confidences and 3 heights"):
        onset_scores(NOTHING, mixed)


ranked = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=1, max_size=40)


def test_precision_at_each_hit_is_averaged():
    assert average_precision([1, 0, 1, 0], [4, 3, 2, 1]) == pytest.approx((1 + 2 / 3) / 2)


def test_equal_scores_enter_together():
    assert average_precision([1, 0], [0.5, 0.5]) == 0.5


def test_average_precision_without_a_positive_is_zero():
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
