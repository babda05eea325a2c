"""Onset accuracy, average precision and F1: whether generated onsets are where the true ones are.

Reads the arrays of ``bench.metrics.onset`` only. Per clip; a table has plain means over clips.
The level of chance is far from 0 (accuracy 0.2 to 0.28 at 0.1 s): report shuffled pairs beside
these numbers.

Three modes, by name:

    reference   CondFoleyGen's ``predict_onset.py``; tolerance 0.1 s is its default
    mmaudio     MMAudio's ``eval_onsets.py``; its one flag, 0.3, is both tolerance and delta
    strict      the metric that the two seem to intend

Properties of the published evaluators, and of ``strict`` in their stead:

    1  suppression skips the onset after a removed one       -> every close onset is removed
    2  true onsets are matched in time order, each to the    -> as many pairs as possible and, among
       prediction with the largest sample (greedy)              those, the most confident ones
    3  missed onsets enter average precision as positives    -> they lower recall and earn nothing:
       of score 0, so that it never falls below a floor         precision at the hits over all truth
    4  no prediction at all: average precision 1             -> 0
    5  no true onset: accuracy 0, average precision 0        -> NaN, not scored
    6  neither: scikit-learn raises                          -> NaN in every mode
    7  matching ends with the predictions: later misses do   -> all misses count; so they do in
       not lower MMAudio's F1 (precision is not affected)       ``reference``, which has no F1
    8  MMAudio reads the sample of a candidate from the      -> no choice by sample
       list before removals, with indices after them
    9  MMAudio normalises the signed waveform                -> rectified, as CondFoleyGen does

Tolerance is exclusive: on the grid of 512 samples, 0.1 s means up to 4 frames (92.9 ms).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.metrics.arrays import Array, FloatArray, IntArray
from bench.metrics.onset import ONSET_RATE_HZ, OnsetFeatures, Onsets, suppress_close_onsets

DEFAULT_TOLERANCE_S = 0.1


class OnsetScores(NamedTuple):
    """Scores of one clip in [0, 1], 1 is best, NaN for "not scored"; and what was counted."""

    accuracy: float
    average_precision: float
    f1: float
    n_true: int
    n_predicted: int
    n_hits: int


class _Mode(NamedTuple):
    form: str
    is_repaired: bool
    mixes_indices: bool
    forgets_misses: bool


MODES: Mapping[str, _Mode] = {
    "reference": _Mode("rectified", is_repaired=False, mixes_indices=False, forgets_misses=False),
    "mmaudio": _Mode("signed", is_repaired=False, mixes_indices=True, forgets_misses=True),
    "strict": _Mode("rectified", is_repaired=True, mixes_indices=False, forgets_misses=False),
}


class _Ranking(NamedTuple):
    """The input of average precision: labels and scores ``[N]``, hits and misses first."""

    labels: list[int]
    scores: list[float]
    n_hits: int


def onset_scores(
    true: OnsetFeatures,
    predicted: OnsetFeatures,
    *,
    tolerance_s: float = DEFAULT_TOLERANCE_S,
    mode: str = "reference",
) -> OnsetScores:
    """Return the scores of ``predicted`` onsets against ``true`` ones.

    ``predicted`` is from ``onset_features``; of ``true`` only ``positions`` are read, from
    ``onset_features`` or ``annotated_onsets``. A true and a predicted onset may be paired if they
    are closer than ``tolerance_s``. Accuracy is the share of true onsets that were hit. ValueError
    if the mode is unknown, the tolerance not positive, or an array is missing.
    """
    if mode not in MODES:
        raise ValueError(f"the mode {mode!r} is unknown, known: {', '.join(MODES)}")
    rules = MODES[mode]
    if not tolerance_s > 0:
        raise ValueError(f"the tolerance must be above 0 s, got {tolerance_s}")
    positions = _get(true, "positions").astype(np.float64)
    onsets = _suppress(predicted, rules)
    # Properties 5 and 6: without a true onset ``strict`` never has a score, and the published modes
    # have none where nothing was predicted either, for which scikit-learn raises.
    if len(positions) == 0 and (rules.is_repaired or len(onsets.positions) == 0):
        return OnsetScores(math.nan, math.nan, math.nan, 0, len(onsets.positions), 0)
    tolerance_samples = tolerance_s * ONSET_RATE_HZ
    if rules.is_repaired:
        return _strict_scores(positions, onsets, tolerance_samples)
    return _published_scores(positions, onsets, tolerance_samples, rules)


def match_onsets(
    true: npt.ArrayLike,
    predicted: npt.ArrayLike,
    tolerance: float,
    *,
    confidence: npt.ArrayLike | None = None,
    is_inclusive: bool = False,
) -> IntArray:
    """Return pairs of indices ``[n_hits, 2]`` (true, predicted): a largest one-to-one matching.

    Positions and tolerance share any one unit. Two onsets may be paired if they are closer than the
    tolerance, or exactly as far where ``is_inclusive``. Among the largest matchings the one of the
    largest summed ``confidence`` (in [0, 1], per prediction) is returned.
    """
    from scipy.optimize import linear_sum_assignment

    truth, found = np.asarray(true, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    gaps = np.abs(truth[:, None] - found[None, :])
    is_allowed = gaps <= tolerance if is_inclusive else gaps < tolerance
    trust = np.zeros(len(found)) if confidence is None else np.asarray(confidence, dtype=np.float64)
    # One assignment problem maximises two things in order: a pair is worth 1 plus its confidence
    # over n + 1, so the confidences of all n pairs together never outweigh one more pair.
    worth = is_allowed * (1.0 + trust / (len(found) + 1))
    rows, columns = linear_sum_assignment(worth, maximize=True)
    pairs = np.stack([rows, columns], axis=1)[is_allowed[rows, columns]]
    return pairs.astype(np.int64)


def average_precision(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Return the average precision of ``scores [N]`` for ``labels [N]`` in {0, 1}; 1 is best.

    The sum over distinct scores, from the highest, of precision times the gain in recall, without
    interpolation; equal scores enter together. Without a positive it is 0. Equal to scikit-learn's
    ``average_precision_score``. ValueError if there is nothing to rank.

    >>> average_precision([1, 0, 1], [0.9, 0.8, 0.7])
    0.8333333333333333
    """
    truth, ranks = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != ranks.shape or truth.size == 0:
        raise ValueError(
            f"labels and scores must be equally long [N], got {truth.shape} and {ranks.shape}"
        )
    if not np.isin(truth, (0, 1)).all() or np.isnan(ranks).any():
        raise ValueError("labels must be 0 or 1 and scores must not be NaN")
    if not truth.any():
        return 0.0
    # Only the last of equal scores is a threshold: the order within a tie is arbitrary. With h hits
    # among k selected, precision is h / k and recall h / n_positives; the sum is over thresholds.
    order = np.argsort(-ranks, kind="stable")
    is_last_of_equals = np.append(np.diff(ranks[order]) != 0, True)
    n_selected = np.flatnonzero(is_last_of_equals) + 1
    n_hits = np.cumsum(truth[order], dtype=np.float64)[is_last_of_equals]
    return float(np.sum(np.diff(n_hits, prepend=0.0) * n_hits / n_selected) / n_hits[-1])


def _strict_scores(true: FloatArray, onsets: Onsets, tolerance_samples: float) -> OnsetScores:
    confidence = onsets.confidence
    pairs = match_onsets(true, onsets.positions, tolerance_samples, confidence=confidence)
    n_hits, n_true, n_predicted = len(pairs), len(true), len(onsets.positions)
    is_hit = np.isin(np.arange(n_predicted), pairs[:, 1])
    # average_precision divides by the hits; over all true onsets, those missed have precision 0.
    precision = average_precision(is_hit, confidence) * n_hits / n_true if n_predicted else 0.0
    f1 = 2 * n_hits / (n_true + n_predicted)
    return OnsetScores(n_hits / n_true, precision, f1, n_true, n_predicted, n_hits)


def _published_scores(
    true: FloatArray, onsets: Onsets, tolerance_samples: float, rules: _Mode
) -> OnsetScores:
    ranking = _greedy_ranking(true, onsets, tolerance_samples, rules.mixes_indices)
    n_hits, n_true, n_predicted = ranking.n_hits, len(true), len(onsets.positions)
    # A label of 1 is a true onset that was visited; MMAudio's F1 counts no others (property 7).
    n_counted = sum(ranking.labels) if rules.forgets_misses else n_true
    return OnsetScores(
        n_hits / n_true if n_true else 0.0,
        average_precision(ranking.labels, ranking.scores),
        2 * n_hits / (n_counted + n_predicted),
        n_true,
        n_predicted,
        n_hits,
    )


def _greedy_ranking(
    true: FloatArray, onsets: Onsets, tolerance_samples: float, mixes_indices: bool
) -> _Ranking:
    """Pair in time order as both evaluators do, until no prediction is left."""
    unused = list(range(len(onsets.positions)))
    had_predictions = bool(unused)
    scores: list[float] = []
    n_hits = 0
    for position in true:
        if had_predictions and not unused:
            break  # property 7: later misses are not counted
        near = np.flatnonzero(np.abs(onsets.positions[unused] - position) < tolerance_samples)
        if len(near) == 0:
            scores.append(0.0)  # property 3: a miss is a positive of the lowest score
            continue
        # ``near`` counts the unused onsets. MMAudio reads the heights of all onsets with it, which
        # are others as soon as one was used (property 8). Of equals the later one is chosen.
        heights = onsets.height[near if mixes_indices else np.array(unused)[near]]
        chosen = unused.pop(int(near[np.argsort(heights, kind="stable")[-1]]))
        scores.append(float(onsets.confidence[chosen]))
        n_hits += 1
    labels = [1] * len(scores) + [0] * len(unused)
    return _Ranking(labels, scores + onsets.confidence[unused].tolist(), n_hits)


def _suppress(predicted: OnsetFeatures, rules: _Mode) -> Onsets:
    """Return the predicted onsets in the mode's description, after suppression."""
    positions = _get(predicted, "positions")
    confidence = _get(predicted, f"{rules.form}_confidence")
    height = _get(predicted, f"{rules.form}_height")
    if not len(positions) == len(confidence) == len(height):
        raise ValueError(
            f"the predicted onsets have {len(positions)} positions, {len(confidence)} confidences "
            f"and {len(height)} heights"
        )
    kept = suppress_close_onsets(positions, confidence, skips_after_removal=not rules.is_repaired)
    return Onsets(positions[kept], confidence[kept], height[kept])


def _get(features: OnsetFeatures, name: str) -> Array:
    if name not in features:
        raise ValueError(f"the onset features have no {name!r}, only {sorted(features)}")
    return np.asarray(features[name])
