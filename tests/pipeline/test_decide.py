"""The error rates of the gate, over many drawn comparisons of known truth."""

from __future__ import annotations

import numpy as np
import pytest

from bench.metrics.clusters import clustered_mean
from bench.pipeline.compare import Difference
from bench.pipeline.gate import Untested, decide
from bench.pipeline.rules import PRIMARY, ColumnRule, Margin, Rules
from bench.results import Column

N_CLIPS, N_COMPARISONS = 128, 300
NAMES = [f"c{i}" for i in range(N_CLIPS)]
NO_MARGINS = Rules(columns={name: ColumnRule(margin=Margin()) for name in PRIMARY})


def drawn(rng: np.random.Generator, loss: float, correlation: float) -> list[Difference]:
    """Ten columns of 128 clips with heavy tails and a loss in standard deviations of a clip."""
    common = rng.standard_t(4, (N_CLIPS, 1))
    own = rng.standard_t(4, (N_CLIPS, len(PRIMARY)))
    changes = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own + loss
    return [
        Difference(Column(name, name, "lower", 2), 1.0, clustered_mean(change, NAMES))
        for name, change in zip(PRIMARY, changes.T, strict=True)
    ]


def share_failing(rules: Rules, loss: float, correlation: float) -> float:
    rng = np.random.default_rng(3)
    decisions = [decide(drawn(rng, loss, correlation), rules) for _ in range(N_COMPARISONS)]
    return float(np.mean([any(not each.has_passed for each in some) for some in decisions]))


@pytest.mark.parametrize("correlation", [0.0, 0.4])
def test_equal_systems_fail_in_at_most_one_of_twenty_comparisons_even_without_margins(correlation):
    assert share_failing(NO_MARGINS, 0.0, correlation) <= 0.07
    rng = np.random.default_rng(3)
    uncorrected = [
        any(each.verdict == "worse" for each in drawn(rng, 0.0, correlation))
        for _ in range(N_COMPARISONS)
    ]
    assert np.mean(uncorrected) > 0.1  # what the gate would do without its correction


def test_a_loss_of_exactly_the_margin_is_no_regression_and_twice_the_margin_is_found():
    rules = Rules(columns={name: ColumnRule(margin=Margin(0.5)) for name in PRIMARY})
    assert share_failing(rules, 0.5, 0.4) <= 0.07
    assert share_failing(rules, 1.0, 0.4) >= 0.95


def test_columns_that_are_not_tested_keep_their_position_and_do_not_affect_the_others(rng):
    tested = drawn(rng, 5.0, 0.0)[:2]
    gone = Untested("ib", "IB", "the features are gone")
    found = decide([tested[0], gone, tested[1]], Rules())
    assert [each.outcome for each in found] == ["regression", "not tested", "regression"]
    alone = decide(tested, Rules())
    assert [each.p_regression for each in (found[0], found[2])] == [
        each.p_regression for each in alone
    ]
    assert (
        found[1].has_passed,
        decide([gone], Rules(), require_equivalence=True)[0].has_passed,
    ) == (
        True,
        False,
    )
