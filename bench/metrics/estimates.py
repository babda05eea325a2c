"""A statistic of sets, with the contribution of each sample to its error.

A statistic s(P) of a distribution P changes by the mean of its influence function IF over the
samples when P is replaced by the samples (Hampel, "The influence curve and its role in robust
estimation", 1974): s(samples) - s(P) ~ 1/n sum_i IF(x_i). The terms IF(x_i) / n are contributions:
independent for independent samples, so that the variance of the statistic is the sum of their
squares, and linear, so that contributions of a difference or a ratio of two statistics over the
same samples follow by calculus.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench.metrics.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class SetEstimate:
    """A value for two sets, with the contribution of every sample to its error.

    ``true [N]`` and ``generated [M]`` are contributions: to first order the value is off its
    expectation, at this number of samples, by the sum of both. Each side sums to about 0; both are
    None where they are unknown. ``reason`` is a sentence on why the value has no interval;
    differences and ratios over the same samples have one nevertheless, since the bias of few
    samples cancels in them. ``dimensions`` is the width of the features where the value depends on
    the number of samples per dimension.
    """

    value: float
    true: FloatArray | None = None
    generated: FloatArray | None = None
    dimensions: int | None = None
    reason: str = ""

    def by_clip(self, true_starts: IntArray, generated_starts: IntArray) -> SetEstimate:
        """Return the estimate with contributions summed per clip; ``starts`` are the first rows."""
        if self.true is None or self.generated is None:
            return self
        return SetEstimate(
            self.value,
            np.add.reduceat(self.true, true_starts),
            np.add.reduceat(self.generated, generated_starts),
            self.dimensions,
            self.reason,
        )

    def minus(self, other: SetEstimate) -> SetEstimate:
        """Return the difference to an estimate of the same clips in the same order."""
        return self._combine(self.value - other.value, 1.0, other, -1.0)

    def over(self, other: SetEstimate) -> SetEstimate:
        """Return the ratio to an estimate of the same clips in the same order.

        Contributions by the delta method: d(a / b) = da / b - (a / b) db / b. NaN where the other
        is not above 0.
        """
        if not other.value > 0:
            return SetEstimate(math.nan, reason="the base value is not above 0: no ratio")
        ratio = self.value / other.value
        return self._combine(ratio, 1.0 / other.value, other, -ratio / other.value)

    def _combine(
        self, value: float, weight: float, other: SetEstimate, other_weight: float
    ) -> SetEstimate:
        # Linear in the contributions, to first order. ``reason`` is dropped where both have them:
        # it concerns the bias of one value, which cancels between two over the same samples.
        sides = (self.true, other.true, self.generated, other.generated)
        if any(side is None for side in sides):
            return SetEstimate(
                value, dimensions=self.dimensions, reason=self.reason or other.reason
            )
        true, other_true, generated, other_generated = map(np.asarray, sides)
        return SetEstimate(
            value,
            weight * true + other_weight * other_true,
            weight * generated + other_weight * other_generated,
            self.dimensions,
        )
