"""A statistic of whole sets, with what each sample added to its error."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench.metrics.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class SetEstimate:
    """A number for two sets, and the part that every sample has in its error.

    ``true [N]`` and ``generated [M]`` are contributions: to first order the value is off its
    expectation, at this number of samples, by the sum of both, and samples that are independent
    have independent contributions. They are influence functions divided by the number of samples
    (Hampel, "The influence curve and its role in robust estimation", 1974), so each side sums to
    about 0, and None where there are none. A ``reason`` says why the value has no interval;
    differences and ratios over the same samples have one all the same, for what few samples add to
    both cancels.
    ``dimensions`` is the width of the features where the value depends on how many samples there
    are for each.
    """

    value: float
    true: FloatArray | None = None
    generated: FloatArray | None = None
    dimensions: int | None = None
    reason: str = ""

    def by_clip(self, true_starts: IntArray, generated_starts: IntArray) -> SetEstimate:
        """Return it with the samples of each clip summed, whose first ones are at these rows."""
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
        return self._combined(self.value - other.value, 1.0, other, -1.0)

    def over(self, other: SetEstimate) -> SetEstimate:
        """Return the ratio to an estimate of the same clips, contributions by the delta method.

        NaN where the other is not above 0.
        """
        if not other.value > 0:
            return SetEstimate(math.nan, reason="the base value is not above 0: no ratio")
        ratio = self.value / other.value
        return self._combined(ratio, 1.0 / other.value, other, -ratio / other.value)

    def _combined(
        self, value: float, weight: float, other: SetEstimate, other_weight: float
    ) -> SetEstimate:
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
