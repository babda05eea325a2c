"""Strengths of several systems from votes on pairs: Bradley-Terry with Davidson's ties.

With strengths s on the log scale and a tendency to ties t, a vote on systems i and j is a win of i,
a tie or a loss with odds ``exp((s_i - s_j) / 2) : exp(t) : exp((s_j - s_i) / 2)``. Without any tie
that is Bradley and Terry's model, ``P(i wins) = 1 / (1 + exp(s_j - s_i))``. It is a multinomial
logit, so the likelihood has one maximum.

Sources: Bradley & Terry, "Rank analysis of incomplete block designs", 1952; Davidson, "On extending
the Bradley-Terry model to accommodate ties in paired comparison experiments", 1970; Albert &
Anderson, "On the existence of maximum likelihood estimates in logistic regression models", 1984.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.study.statistics import Estimate, Labels, clustered_variances, number_labels, t_quantile
from bench.types import FloatArray

#: Win, tie, loss of the first system: the order of columns below.
OUTCOMES = (1, 0, -1)

UNBOUNDED = (
    "strengths are unbounded: a system never lost to the others, some systems were never compared, "
    "or almost all votes are ties"
)


class Strengths(NamedTuple):
    """Strength of each system, in its order, with mean 0; the tendency to ties, None without ties.

    A difference d of strengths means odds of e^d to 1. Where there is no finite maximum all values
    are NaN, and ``reason`` says why.
    """

    systems: tuple[Estimate, ...]
    tie: float | None
    reason: str = ""


def fit_strengths(
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    outcomes: npt.ArrayLike,
    raters: Labels,
    videos: Labels,
    n_systems: int,
) -> Strengths:
    """Return the strengths of ``n_systems`` from votes on the pairs ``first [N]``, ``second [N]``.

    Systems are numbers from 0; ``outcomes`` are 1, 0 or -1 from the view of the first. Intervals
    are cluster-robust over raters and videos (sandwich), with Student's t. ValueError for other
    outcomes, systems, or lengths.
    """
    a, b, found = (np.asarray(each, dtype=np.intp) for each in (first, second, outcomes))
    if not len(a) == len(b) == len(found) == len(raters) == len(videos) or not len(a):
        raise ValueError("expected N > 0 pairs with an outcome, a rater and a video each")
    if not np.isin(found, OUTCOMES).all() or (a == b).any() or min(a.min(), b.min()) < 0:
        raise ValueError("expected outcomes 1, 0 or -1 of two different systems")
    if max(a.max(), b.max()) >= n_systems:
        raise ValueError(f"expected systems from 0 to {n_systems - 1}, got {max(a.max(), b.max())}")
    has_ties = bool((found == 0).any())
    utilities = _make_utilities(a, b, n_systems, has_ties)
    chosen = np.asarray(1 - found if has_ties else (1 - found) // 2)
    if not _is_bounded(utilities, chosen):
        nothing = Estimate(math.nan, math.nan, math.nan, 0, UNBOUNDED)
        return Strengths((nothing,) * n_systems, None, UNBOUNDED)
    parameters = _maximise(utilities, chosen)
    return _describe(parameters, utilities, chosen, (a, b), (raters, videos), n_systems)


def outcome_odds(difference: float, tie: float | None) -> tuple[float, float, float]:
    """Return the probabilities of win, tie and loss at this difference of strengths.

    >>> [round(each, 3) for each in outcome_odds(0.0, None)]
    [0.5, 0.0, 0.5]
    """
    odds = np.array([difference / 2, -math.inf if tie is None else tie, -difference / 2])
    weights = np.exp(odds - odds.max())
    win, drawn, loss = (weights / weights.sum()).tolist()
    return win, drawn, loss


def _make_utilities(
    a: npt.NDArray[np.intp], b: npt.NDArray[np.intp], n_systems: int, has_ties: bool
) -> FloatArray:
    """Return ``[N, 3, P]``: the derivative of each log odds; the first system is the origin."""
    votes = np.arange(len(a))
    difference = np.zeros((len(a), n_systems))
    difference[votes, a], difference[votes, b] = 0.5, -0.5
    utilities = np.zeros((len(a), 3, n_systems - 1 + has_ties))
    utilities[:, 0, : n_systems - 1] = difference[:, 1:]
    utilities[:, 2, : n_systems - 1] = -difference[:, 1:]
    if has_ties:
        utilities[:, 1, -1] = 1.0
        return utilities
    return utilities[:, [0, 2]]


def _maximise(utilities: FloatArray, chosen: npt.NDArray[np.intp]) -> FloatArray:
    from scipy.optimize import minimize

    # ``Any``, since scipy's types tell arrays of one and of two dimensions apart.
    def loss(parameters: Any) -> Any:
        return -_score(parameters, utilities, chosen)[1].sum()

    def slope(parameters: Any) -> Any:
        return -_score(parameters, utilities, chosen)[0].sum(axis=0)

    def curvature(parameters: Any) -> Any:
        return _information(parameters, utilities)

    start = np.zeros(utilities.shape[2])
    found = minimize(loss, start, jac=slope, hess=curvature, method="trust-exact", tol=1e-8)
    return np.asarray(found.x, dtype=np.float64)


def _probabilities(parameters: FloatArray, utilities: FloatArray) -> FloatArray:
    odds = utilities @ parameters
    weights = np.exp(odds - odds.max(axis=1, keepdims=True))
    shares: FloatArray = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _score(
    parameters: FloatArray, utilities: FloatArray, chosen: npt.NDArray[np.intp]
) -> tuple[FloatArray, FloatArray]:
    """Return the derivative of each vote's log likelihood ``[N, P]``, and that ``[N]``."""
    shares = _probabilities(parameters, utilities)
    votes = np.arange(len(chosen))
    expected = np.einsum("nk,nkp->np", shares, utilities)
    return utilities[votes, chosen] - expected, np.log(shares[votes, chosen])


def _information(parameters: FloatArray, utilities: FloatArray) -> FloatArray:
    shares = _probabilities(parameters, utilities)
    expected = np.einsum("nk,nkp->np", shares, utilities)
    squares = np.einsum("nk,nkp,nkq->pq", shares, utilities, utilities)
    information: FloatArray = squares - expected.T @ expected
    return information


def _describe(
    parameters: FloatArray,
    utilities: FloatArray,
    chosen: npt.NDArray[np.intp],
    pairs: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]],
    labels: tuple[Labels, Labels],
    n_systems: int,
) -> Strengths:
    """Return strengths around their mean, with sandwich intervals."""
    raters, videos = (number_labels(each) for each in labels)
    scores, _ = _score(parameters, utilities, chosen)
    n_clusters = min(int(raters.max()), int(videos.max())) + 1
    # From strengths against the first system to strengths around the mean.
    centre = np.zeros((n_systems, len(parameters)))
    centre[1:, : n_systems - 1] = np.eye(n_systems - 1)
    centre -= centre.mean(axis=0)
    values = centre @ parameters
    halves, reason = np.full(n_systems, np.nan), "an interval needs 2 raters and 2 videos"
    if n_clusters > 1:
        bread = np.linalg.inv(_information(parameters, utilities))
        # What each vote adds to each strength, so that no variance is below that of one way.
        variances = clustered_variances(scores @ bread @ centre.T, raters, videos)
        halves, reason = t_quantile(n_clusters - 1) * np.sqrt(variances), ""
    counts = np.bincount(np.concatenate(pairs), minlength=n_systems)
    systems = tuple(
        Estimate(float(value), float(value - half), float(value + half), int(count), reason)
        for value, half, count in zip(values, halves, counts, strict=True)
    )
    has_ties = utilities.shape[1] == 3
    return Strengths(systems, float(parameters[-1]) if has_ties else None)


def _is_bounded(utilities: FloatArray, chosen: npt.NDArray[np.intp]) -> bool:
    """Whether the likelihood has a finite maximum: no direction suits all votes at least as well.

    Such a direction is found by a linear program; where several have the same odds for all votes,
    as of a system without a vote, the margins of the votes have too low a rank.
    """
    from scipy.optimize import linprog

    n_votes, _, n_parameters = utilities.shape
    of_chosen = utilities[np.arange(n_votes), chosen]
    margins = np.unique((of_chosen[:, np.newaxis] - utilities).reshape(-1, n_parameters), axis=0)
    if np.linalg.matrix_rank(margins) < n_parameters:
        return False
    found = linprog(-margins.sum(axis=0), -margins, np.zeros(len(margins)), bounds=(-1.0, 1.0))
    return found.fun is not None and found.fun > -1e-9
