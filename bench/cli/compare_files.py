"""What ``bench compare`` writes: Markdown, JUnit XML and JSON."""

from __future__ import annotations

import math
import re
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree

from bench.cli.compare_rows import HEADINGS, explanations, rows, summary, title, verdict
from bench.pipeline.compare import Difference
from bench.pipeline.decide import Decision, Untested
from bench.pipeline.gate import Gate
from bench.results import Results
from reports.formats import markdown_escape

#: What XML 1.0 cannot hold, however it is escaped.
NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_markdown(gate: Gate) -> str:
    """A pipe table below its title, then the outcome and how to read it."""
    lines = [
        f"**{markdown_escape(title(gate))}**",
        "",
        f"| {' | '.join(HEADINGS)} |",
        f"| --- |{' ---: |' * (len(HEADINGS) - 2)} --- |",
        *(f"| {' | '.join(map(markdown_escape, row))} |" for row in rows(gate)),
        "",
        f"**{markdown_escape(summary(gate))}**",
        "",
        *(f"_{markdown_escape(note)}_  " for note in explanations(gate)),
    ]
    return "\n".join(lines) + "\n"


def as_junit(gate: Gate) -> str:
    """A test suite with a test case per primary column.

    One that does not pass is a failure; one that passes without being shown to be not worse is
    skipped, with the reason.
    """
    failed = sum(not each.has_passed for each in gate.decisions)
    shown = sum(each.outcome == "not worse" for each in gate.decisions)
    suite = ElementTree.Element(
        "testsuite",
        name=_xml(f"bench compare: {title(gate)}"),
        tests=str(len(gate.decisions)),
        failures=str(failed),
        errors="0",
        skipped=str(len(gate.decisions) - failed - shown),
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
