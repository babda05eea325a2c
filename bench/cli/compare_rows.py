"""What ``bench compare`` says, in words and rows, whatever the format."""

from __future__ import annotations

import math
from collections.abc import Iterable

from bench.pipeline.compare import Difference
from bench.pipeline.decide import Decision, Untested
from bench.pipeline.gate import Gate

HEADINGS = ("metric", "difference", "95 % interval", "margin", "p", "n", "verdict")
MISSING = "–"


def title(gate: Gate) -> str:
    """What is compared with what, where; two runs of one system bear their condition and seed."""
    new, base = gate.new.system, gate.base.system
    if new == base:
        new, base = (f"{r.system} ({r.condition}, seed {r.seed})" for r in (gate.new, gate.base))
    return f"{new} minus {base}, {gate.base.split}"


def rows(gate: Gate) -> list[tuple[str, ...]]:
    """One row of cells per column, in the order of ``HEADINGS``; primary columns come first."""
    return [*map(_decision_row, gate.decisions), *map(_information_row, gate.information)]


def summary(gate: Gate) -> str:
    """The outcome in one sentence."""
    n = _n_tested(gate)
    worse = _names(each for each in gate.decisions if each.outcome == "regression")
    if worse:
        return f"fail: regression in {worse}"
    if not gate.has_passed:
        failed = _names(each for each in gate.decisions if not each.has_passed)
        return f"fail: equivalence is required and not shown for {failed}"
    shown = sum(each.outcome == "not worse" for each in gate.decisions)
    open_ = _names(each for each in gate.decisions if each.outcome != "not worse")
    rest = f"; not shown for {open_}" if open_ else ""
    tested = f"{n} primary {'column' if n == 1 else 'columns'}"
    return f"pass: no regression in {tested}; {shown} are shown to be not worse{rest}"


def explanations(gate: Gate) -> list[str]:
    """How to read the table, why columns were not tested, and what was left out."""
    alphas = sorted({each.alpha for each in gate.decisions})
    level = " or ".join(f"{100 * alpha:g} %" for alpha in alphas)
    return [
        "p: of a loss beyond the margin, Holm-adjusted over the tested columns "
        f"({_n_tested(gate)}); regression at most {level}; not worse: the loss is shown to be "
        "within the margin",
        *(
            f"{each.found.label} not tested: {each.found.reason}"
            for each in gate.decisions
            if isinstance(each.found, Untested)
        ),
        *gate.notes,
    ]


def verdict(decision: Decision) -> str:
    """The outcome of a primary column; an improvement is named."""
    is_better = isinstance(decision.found, Difference) and decision.found.verdict == "better"
    return decision.outcome + (" (better)" if is_better and decision.outcome == "not worse" else "")


def _n_tested(gate: Gate) -> int:
    return sum(isinstance(each.found, Difference) for each in gate.decisions)


def _decision_row(decision: Decision) -> tuple[str, ...]:
    found = decision.found
    if isinstance(found, Untested) or decision.margin is None:
        return (found.label, *[MISSING] * 5, verdict(decision))
    margin = f"{decision.margin:.{found.column.decimals}f}"
    p = "< 0.0001" if decision.p_regression < 1e-4 else f"{decision.p_regression:.4f}"
    return (*_numbers(found), margin, p, str(found.n), verdict(decision))


def _information_row(difference: Difference) -> tuple[str, ...]:
    is_clear = difference.verdict != "no clear difference"
    words = f"information ({difference.verdict})" if is_clear else "information"
    return (*_numbers(difference), MISSING, MISSING, str(difference.n), words)


def _numbers(difference: Difference) -> tuple[str, str, str]:
    digits = difference.column.decimals
    bounds = (f"{bound:+.{digits}f}" for bound in (difference.low, difference.high))
    interval = MISSING if math.isnan(difference.low) else " to ".join(bounds)
    value = MISSING if math.isnan(difference.value) else f"{difference.value:+.{digits}f}"
    return difference.label, value, interval


def _names(decisions: Iterable[Decision]) -> str:
    return ", ".join(each.found.name for each in decisions)
