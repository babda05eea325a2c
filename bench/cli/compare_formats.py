"""What ``bench compare`` prints and writes: rows of a table, Markdown, JUnit XML and JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree

from bench.pipeline.compare import Difference
from bench.pipeline.gate import Decision, Gate, Untested
from bench.results import Results
from reports.formats import markdown_escape

HEADINGS = ("metric", "difference", "95 % interval", "margin", "p", "n", "verdict")
MISSING = "–"

#: What XML 1.0 cannot contain, however it is escaped.
NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def title(gate: Gate) -> str:
    """Return which runs are compared on which split; two of one system with condition and seed."""
    new, base = gate.new.system, gate.base.system
    if new == base:
        new, base = (f"{r.system} ({r.condition}, seed {r.seed})" for r in (gate.new, gate.base))
    return f"{new} minus {base}, {gate.base.split}"


def rows(gate: Gate) -> list[tuple[str, ...]]:
    """One row of cells per column, in the order of ``HEADINGS``; primary columns come first."""
    return [*map(_decision_row, gate.decisions), *map(_information_row, gate.information)]


def summary(gate: Gate) -> str:
    """Return the outcome in one sentence."""
    n = _n_tested(gate)
    worse = _names(each for each in gate.decisions if each.outcome == "regression")
    if worse:
        return f"fail: regression in {worse}"
    if not gate.has_passed:
        failed = _names(each for each in gate.decisions if not each.has_passed)
        return f"fail: equivalence is required and not shown for {failed}"
    n_not_worse = sum(each.outcome == "not worse" for each in gate.decisions)
    open_ = _names(each for each in gate.decisions if each.outcome != "not worse")
    rest = f"; not shown for {open_}" if open_ else ""
    tested = f"{n} primary {'column' if n == 1 else 'columns'}"
    return f"pass: no regression in {tested}; {n_not_worse} are shown to be not worse{rest}"


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
    """Return the outcome of a primary column; an improvement is named."""
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


def markdown_page(
    title: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    summary: str,
    notes: Iterable[str],
) -> str:
    """Return a title, a pipe table, the outcome and notes; columns between the ends are numbers."""
    lines = [
        f"**{markdown_escape(title)}**",
        "",
        f"| {' | '.join(headings)} |",
        f"| --- |{' ---: |' * (len(headings) - 2)} --- |",
        *(f"| {' | '.join(map(markdown_escape, row))} |" for row in rows),
        "",
        f"**{markdown_escape(summary)}**",
        "",
        *(f"_{markdown_escape(note)}_  " for note in notes),
    ]
    return "\n".join(lines) + "\n"


def as_markdown(gate: Gate) -> str:
    """A pipe table below its title, then the outcome and how to read it."""
    return markdown_page(title(gate), HEADINGS, rows(gate), summary(gate), explanations(gate))


def as_junit(gate: Gate) -> str:
    """A test suite with a test case per primary column.

    One that does not pass is a failure; one that passes without being shown to be not worse is
    skipped, with the reason.
    """
    failed = sum(not each.has_passed for each in gate.decisions)
    n_not_worse = sum(each.outcome == "not worse" for each in gate.decisions)
    suite = ElementTree.Element(
        "testsuite",
        name=_xml(f"bench compare: {title(gate)}"),
        tests=str(len(gate.decisions)),
        failures=str(failed),
        errors="0",
        skipped=str(len(gate.decisions) - failed - n_not_worse),
    )
    for decision in gate.decisions:
        case = ElementTree.SubElement(
            suite, "testcase", classname=_xml(gate.base.split), name=_xml(decision.found.name)
        )
        message = _xml(_in_words(decision))
        if not decision.has_passed:
            ElementTree.SubElement(case, "failure", message=message)
        elif decision.outcome != "not worse":
            ElementTree.SubElement(case, "skipped", message=message)
        ElementTree.SubElement(case, "system-out").text = message
    ElementTree.indent(suite)
    text = ElementTree.tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def as_json(gate: Gate) -> dict[str, Any]:
    """All numbers by name, at full precision; None where there is none."""
    return {
        "passed": gate.has_passed,
        "summary": summary(gate),
        "base": _about(gate.base),
        "new": _about(gate.new),
        "primary": [_decision(each) for each in gate.decisions],
        "information": [_difference(each) for each in gate.information],
        "notes": list(gate.notes),
    }


def _in_words(decision: Decision) -> str:
    if isinstance(decision.found, Untested):
        return f"not tested: {decision.found.reason}"
    digits, unit = decision.found.column.decimals, decision.found.column.unit
    numbers = (decision.found.value, decision.found.low, decision.found.high)
    value, low, high = (f"{number:+.{digits}f}" for number in numbers)
    return (
        f"{verdict(decision)}: difference {value} {unit}".rstrip()
        + f" ({low} to {high}), margin {decision.margin:.{digits}f}, p {decision.p_regression:.4g}"
        + (", equivalence required" if decision.is_required else "")
    )


def _about(results: Results) -> dict[str, Any]:
    names = ("system", "split", "condition", "seed", "judge", "profile", "suite_version")
    return {name: getattr(results, name) for name in names}


def _decision(decision: Decision) -> dict[str, Any]:
    found = decision.found
    numbers = asdict(found) if isinstance(found, Untested) else _difference(found)
    return numbers | {
        "outcome": decision.outcome,
        "passed": decision.has_passed,
        "margin": decision.margin,
        "alpha": decision.alpha,
        "required": decision.is_required,
        "p_regression": decision.p_regression,
        "p_equivalence": decision.p_equivalence,
    }


def _difference(difference: Difference) -> dict[str, Any]:
    numbers = {
        "base": difference.base,
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
        "standard_error": difference.estimate.standard_error,
        "degrees": difference.estimate.degrees,
    }
    return {
        "name": difference.name,
        "label": difference.label,
        "unit": difference.column.unit,
        "better": difference.column.better,
        **{name: None if math.isnan(number) else number for name, number in numbers.items()},
        "n": difference.n,
        "n_clusters": difference.estimate.n_clusters,
    }


def _xml(text: str) -> str:
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
