"""Claims get their verdict by their rule, and the page states the numbers behind it."""

from __future__ import annotations

import pytest

from baselines import SYSTEMS
from bench.results import Column, Contrast, Score
from bench.splits.mini import METRICS
from bench.synthetic.protocols import REFERENCE_NAMES
from reports.effects import (
    CLAIMS,
    FULL,
    NO_AUDIO,
    REFERENCES,
    Claim,
    Effect,
    describe_effects,
    run_command,
    summary,
    verdict,
)

LOWER = Column("mcd", "MCD", "lower", 2, "dB")
HIGHER = Column("onset_acc", "Onset Acc.", "higher", 4)


def around(value: float, width: float) -> Score:
    return Score(value, value - width, value + width, 9)


def contrast(
    base: float, new: float, width: float, own_width: float = 0.0, column: Column = LOWER
) -> Contrast:
    return Contrast(
        column,
        around(base, own_width),
        around(new, own_width),
        around(new - base, width),
        around(new / base, width / base),
    )


def claim(rule: str, expects: str = "better") -> Claim:
    return Claim("a claim", NO_AUDIO, FULL, ("mcd",), rule, expects)


@pytest.mark.parametrize(
    ("rule", "expects", "found", "expected"),
    [
        ("clear", "better", contrast(2.0, 1.0, 0.5), "holds"),
        ("clear", "better", contrast(2.0, 1.0, 1.5), "does not show"),
        ("clear", "better", contrast(1.0, 2.0, 0.5), "contrary"),
        ("clear", "worse", contrast(1.0, 2.0, 0.5), "holds"),
        ("clear", "better", contrast(1.0, 2.0, 0.5, column=HIGHER), "holds"),
        ("clear", "worse", contrast(1.0, 2.0, 0.5, column=HIGHER), "contrary"),
        ("apart", "better", contrast(2.0, 1.0, 0.1, 0.4), "holds"),
        ("apart", "better", contrast(2.0, 1.0, 0.1, 0.6), "does not show"),
        ("apart", "better", contrast(1.0, 2.0, 0.1, 0.6), "contrary"),
        ("doubles", "worse", contrast(1.0, 2.5, 0.4), "holds"),
        ("doubles", "worse", contrast(1.0, 2.5, 0.6), "does not show"),
        ("doubles", "worse", contrast(1.0, 0.5, 0.1), "contrary"),
        ("little change", "better", contrast(1.0, 1.05, 0.04), "holds"),
        ("little change", "better", contrast(1.0, 1.05, 0.06), "does not show"),
        ("little change", "better", contrast(1.0, 0.8, 0.05), "contrary"),
        ("little change", "better", contrast(1.0, 1.2, 0.05), "contrary"),
        ("not worse", "better", contrast(1.0, 0.5, 0.1), "holds"),
        ("not worse", "better", contrast(1.0, 1.0, 0.09), "holds"),
        ("not worse", "better", contrast(1.0, 1.0, 0.11), "does not show"),
        ("not worse", "better", contrast(1.0, 1.05, 0.04), "contrary"),
        ("no bar", "better", contrast(1.0, 9.0, 0.1), "reported"),
    ],
)
def test_the_verdict_follows_the_rule(rule, expects, found, expected):
    assert verdict(claim(rule, expects), found) == expected


def test_a_metric_without_an_interval_gets_the_verdict_does_not_show():
    nothing = Score(1.0, None, None, 1)
    found = Contrast(LOWER, nothing, nothing, nothing, nothing)
    for rule in ("clear", "apart", "doubles", "little change", "not worse"):
        assert verdict(claim(rule), found) == "does not show"


def test_a_small_offset_may_change_by_an_inaudible_amount():
    column = Column("desync", "DeSync", "lower", 3, "s")
    found = contrast(0.01, 0.03, 0.02, column=column)
    assert verdict(claim("little change"), found) == "holds"


def test_claims_are_about_systems_splits_and_metrics_that_exist():
    assert REFERENCES == REFERENCE_NAMES
    for each in CLAIMS:
        assert {each.base.system, each.new.system} <= set(SYSTEMS)
        assert set(each.metrics) <= {*METRICS, "mcd_ref"}


def test_the_page_has_numbers_verdicts_and_the_commands_of_missing_runs():
    measured = Effect(claim("clear"), "mcd", contrast(2.0, 1.0, 0.5, 0.25))
    missing = Effect(claim("clear"), "mcd", None, (NO_AUDIO,))
    page = describe_effects([measured, missing], "bench effects")
    assert "| 2.00 [1.75, 2.25] | 1.00 [0.75, 1.25] | -1.00 [-1.50, -0.50] |" in page
    assert "**holds**" in page
    assert "not run: `bench run --model acfoley-mini --split mini --mask audio` |" in page
    assert summary([measured, missing]) == "1 holds, 1 not run"
    assert run_command(FULL, "mini") == "bench run --model acfoley-mini --split mini"
