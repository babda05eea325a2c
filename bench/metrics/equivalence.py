"""Test whether a loss is beyond a margin, or within it: one-sided tests, and several at once.

A ``loss`` is a difference for the worse: above 0 the new system is worse. The null hypothesis of
the test of a regression is "the loss is at most the margin", that of the test of equivalence is
"the loss is at least the margin". Where neither is rejected, the data do not decide.

Sources: Schuirmann, "A comparison of the two one-sided tests procedure", 1987 (one side of it);
Holm, "A simple sequentially rejective multiple test procedure", 1979.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class MarginTest(NamedTuple):
    """The p-values of "the loss is beyond the margin" and of "the loss is within the margin"."""

    p_regression: float
    p_equivalence: float


def margin_test(loss: float, standard_error: float, degrees: float, margin: float) -> MarginTest:
    """Test a mean ``loss`` against a ``margin`` in the same unit, by Student's t.

    A standard error of 0 means that every cluster has the same loss. The loss is then known: one of
    the p-values is 0 and the other 1, and a loss of exactly the margin is within it. ValueError
    unless loss, standard error and margin are finite, the latter two at least 0, and degrees above
    0.

    >>> margin_test(0.0, 0.0, 9.0, 0.1)
    MarginTest(p_regression=1.0, p_equivalence=0.0)
    """
    from scipy.special import stdtr

    if not np.isfinite([loss, standard_error, margin]).all():
        raise ValueError(f"expected finite numbers, got {loss}, {standard_error} and {margin}")
    if standard_error < 0 or margin < 0 or not degrees > 0:
        raise ValueError(
            "the standard error and the margin must be at least 0 and the degrees of freedom above "
            f"0, got {standard_error}, {margin} and {degrees}"
        )
    # Without spread the statistic is infinite, or 0 / 0 for a loss of exactly the margin.
    if standard_error == 0:
        is_beyond = loss > margin
        return MarginTest(float(not is_beyond), float(is_beyond))
    statistic = (loss - margin) / standard_error
    return MarginTest(float(stdtr(degrees, -statistic)), float(stdtr(degrees, statistic)))


def adjust_holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values, which are compared with the error rate of the family.

    The k-th smallest of m is multiplied by m - k + 1, and none may fall below a smaller one. The
    probability of one or more false rejections is then at most the level, for any dependence
    between the tests.

    >>> adjust_holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    factors = np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    # The running maximum keeps adjusted values in the order of the p-values: a larger one is never
    # rejected where a smaller one is not.
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return [float(value) for value in adjusted]
