"""What a regression gate says of its primary columns, from their differences and its rules.

Each column is tested twice, one-sided, against its margin: "the loss is beyond it" (a regression)
and "the loss is within it" (equivalence). Both sets of p-values are adjusted over the columns by
Holm, so that two equal systems raise a false alarm in at most ``alpha`` of all comparisons,
whatever the number of columns. A column of which neither is shown is inconclusive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.metrics.equivalence import adjust_holm, margin_test
from bench.pipeline.compare import Difference
from bench.pipeline.rules import Rules

Outcome = Literal["regression", "not worse", "inconclusive", "not tested"]


@dataclass(frozen=True)
class Untested:
    """A primary column that could not be tested, and why."""

    name: str
    label: str
    reason: str


@dataclass(frozen=True)
class Decision:
    """What was found of one primary column, the margin in its unit, and the adjusted p-values.

    ``is_required`` asks for equivalence. Without a test there is no margin, and both p-values are
    1.
    """

    found: Difference | Untested
    alpha: float
    is_required: bool
    margin: float | None = None
    p_regression: float = 1.0
    p_equivalence: float = 1.0

    @property
    def outcome(self) -> Outcome:
        """What the two tests say."""
        if isinstance(self.found, Untested):
            return "not tested"
        if self.p_regression <= self.alpha:
            return "regression"
        return "not worse" if self.p_equivalence <= self.alpha else "inconclusive"

    @property
    def has_passed(self) -> bool:
        """Whether this column lets the new run pass."""
        return self.outcome == "not worse" or not (self.is_required or self.outcome == "regression")


def decide(
    found: Sequence[Difference | Untested], rules: Rules, *, require_equivalence: bool = False
) -> tuple[Decision, ...]:
    """Return a decision per primary column, in the order given.

    With ``require_equivalence``, every column has to be shown to be not worse.
    """
    tested = [each for each in found if isinstance(each, Difference)]
    margins = [rules.margin(each.name).of(each.base) for each in tested]
    p_values = [
        margin_test(each.loss, each.estimate.standard_error, each.estimate.degrees, margin)
        for each, margin in zip(tested, margins, strict=True)
    ]
    p_regression = adjust_holm([each.p_regression for each in p_values])
    p_equivalence = adjust_holm([each.p_equivalence for each in p_values])
    columns = zip(tested, margins, p_regression, p_equivalence, strict=True)
    numbers = {each.name: rest for each, *rest in columns}
    decisions = []
    for each in found:
        rule = rules.rule(each.name)
        is_required = require_equivalence or rule.is_required
        alpha = rule.alpha or rules.alpha
        decisions.append(Decision(each, alpha, is_required, *numbers.get(each.name, ())))
    return tuple(decisions)
