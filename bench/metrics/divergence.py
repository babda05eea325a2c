"""Divergences of class distributions, as a classifier of sounds gives them.

Conventions: logits are ``[N, C]``, one row per clip, as the classifier gives them, before softmax
or sigmoid; logarithms are natural; probabilities never leave log space, so nothing is added to them
and nothing overflows.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.metrics.arrays import FloatArray, IntArray, check_frame_pair, check_frames
from bench.metrics.estimates import SetEstimate

#: With 4 clips per split the interval of the inception score covers 84 % instead of 95 %, with 13
#: it covers 94 %.
FEWEST_PER_SPLIT = 10

Activation = Literal["softmax", "sigmoid"]


def kl_divergence(
    true_logits: npt.ArrayLike,
    generated_logits: npt.ArrayLike,
    *,
    activation: Activation = "softmax",
) -> FloatArray:
    """Return KL(true || generated) of each clip, ``[N]`` in nats, from logits ``[N, C]``.

    The sum over classes of ``p (ln p - ln q)``. With ``softmax``, which papers report, it is at
    least 0, and 0 for equal labels. ``sigmoid`` is av-benchmark's other variant: it sums over
    classes without their complements, so it is no divergence and may be below 0. ValueError if the
    shapes differ, values are not finite, or there is no such activation.

    >>> kl_divergence([[0.0, 0.0]], [[0.0, 0.0]])
    array([0.])
    """
    true, generated = check_frame_pair(true_logits, generated_logits)
    if len(true) != len(generated):
        raise ValueError(
            f"clips are compared one by one: expected equally many rows, got {len(true)} true "
            f"and {len(generated)} generated ones"
        )
    log_p, log_q = _log_probability(true, activation), _log_probability(generated, activation)
    return _relative_entropy(log_p, log_q)


class InceptionScore(NamedTuple):
    """Mean and standard deviation (divided by n) over the splits."""

    mean: float
    std: float


def inception_score(
    logits: npt.ArrayLike,
    rng: np.random.Generator | np.random.RandomState,
    n_splits: int = 10,
) -> InceptionScore:
    """Return how sure and how varied the labels of a set are, from 1 to C; more is better.

    Per split, the exponential of the mean KL of each clip's softmax to their mean. Clips are
    shuffled by one ``rng.permutation(N)``, and split i takes rows ``i N // n_splits`` to
    ``(i + 1) N // n_splits``; the published numbers of av-benchmark use ``RandomState(2020)``. Both
    are NaN, not scored, for fewer clips than splits. Salimans et al., "Improved Techniques for
    Training GANs", 2016. ValueError without a split, or if the logits are not finite ``[N, C]``.
    """
    log_p = _log_probability(check_frames(logits, "logits"), "softmax")
    splits = _splits(len(log_p), rng, n_splits)
    if not splits:
        return InceptionScore(math.nan, math.nan)
    scores = [math.exp(_divergence_from_mean(log_p[rows]).mean()) for rows in splits]
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))


def inception_estimate(
    logits: npt.ArrayLike,
    rng: np.random.Generator | np.random.RandomState,
    n_splits: int = 10,
) -> SetEstimate:
    """Return the mean of ``inception_score`` with the contribution of every row.

    With KL_i the divergence of a clip's labels from the mean of its split, the score of the split
    is ``exp(mean KL)``; its derivative in the weight of clip i is that times ``KL_i - mean KL``,
    since moving the mean of the labels changes nothing to first order. Each of the splits, which
    are small, loses a degree of freedom to its mean. The score has no true side: contributions
    there are 0. ValueError as ``inception_score``.
    """
    log_p = _log_probability(check_frames(logits, "logits"), "softmax")
    splits = _splits(len(log_p), rng, n_splits)
    if not splits:
        reason = f"{len(log_p)} clips: the inception score needs at least {n_splits}"
        return SetEstimate(math.nan, reason=reason)
    scores, contributions = [], np.zeros(len(log_p))
    for rows in splits:
        divergence = _divergence_from_mean(log_p[rows])
        mean = divergence.mean()
        scores.append(math.exp(mean))
        freedom = math.sqrt(len(rows) * max(len(rows) - 1, 1))
        contributions[rows] = scores[-1] * (divergence - mean) / (freedom * n_splits)
    value = float(np.mean(scores))
    if len(log_p) < FEWEST_PER_SPLIT * n_splits:
        reason = f"{len(log_p)} clips: an interval of the inception score needs at least "
        return SetEstimate(value, reason=reason + str(FEWEST_PER_SPLIT * n_splits))
    return SetEstimate(value, np.zeros(len(log_p)), contributions)


def _splits(
    n: int, rng: np.random.Generator | np.random.RandomState, n_splits: int
) -> list[IntArray]:
    """The rows of each split; none for fewer clips than splits."""
    if n_splits < 1:
        raise ValueError(f"the inception score needs at least 1 split, got {n_splits}")
    if n < n_splits:
        return []
    return np.split(rng.permutation(n), [i * n // n_splits for i in range(1, n_splits)])


def _divergence_from_mean(log_p: FloatArray) -> FloatArray:
    """KL of each row's labels to the mean of all, ``[N]``."""
    from scipy.special import logsumexp

    return _relative_entropy(log_p, logsumexp(log_p, axis=0) - math.log(len(log_p)))


def _relative_entropy(log_p: FloatArray, log_q: FloatArray) -> FloatArray:
    entropy: FloatArray = np.sum(np.exp(log_p) * (log_p - log_q), axis=1)
    return entropy


def _log_probability(logits: FloatArray, activation: Activation) -> FloatArray:
    from scipy.special import log_expit, log_softmax

    if activation == "softmax":
        log_p: FloatArray = log_softmax(logits, axis=1)
    elif activation == "sigmoid":
        log_p = log_expit(logits)
    else:
        raise ValueError(f"the activation must be 'softmax' or 'sigmoid', got {activation!r}")
    return log_p
