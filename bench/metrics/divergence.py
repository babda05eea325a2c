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

from bench.metrics.arrays import FloatArray, check_frame_pair, check_frames

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
    if n_splits < 1:
        raise ValueError(f"the inception score needs at least 1 split, got {n_splits}")
    log_p = _log_probability(check_frames(logits, "logits"), "softmax")
    n = len(log_p)
    if n < n_splits:
        return InceptionScore(math.nan, math.nan)
    shuffled = log_p[rng.permutation(n)]
    scores = [_split_score(split) for split in np.split(shuffled, _inner_edges(n, n_splits))]
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)))


def _inner_edges(n: int, n_splits: int) -> list[int]:
    return [i * n // n_splits for i in range(1, n_splits)]


def _split_score(log_p: FloatArray) -> float:
    from scipy.special import logsumexp

    log_mean = logsumexp(log_p, axis=0) - math.log(len(log_p))
    return math.exp(_relative_entropy(log_p, log_mean).mean())


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
