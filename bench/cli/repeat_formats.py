"""What ``bench compare --repeat`` prints and writes: rows of a table, Markdown, JUnit XML, JSON."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree

from bench.cli.compare_formats import MISSING, NOT_XML, markdown_page
from bench.errors import format_names
from bench.pipeline.repeat import Change, Repetition

HEADINGS = ("metric", "largest change", "of clip", "tolerance", "beyond", "n", "verdict")
N_NAMED = 5


def title(found: Repetition) -> str:
    """Return which run is repeated."""
    base = found.base
    return f"{base.system} ({base.condition}, seed {base.seed}) repeated, {base.split}"


def rows(found: Repetition) -> list[tuple[str, ...]]:
    """One row of cells per column, in the order of ``HEADINGS``."""
    return [_row(each) for each in found.changes]


def summary(found: Repetition) -> str:
    """Return the outcome in one sentence."""
    if found.has_passed:
        return f"pass: {len(found.changes)} columns of {found.base.scored} clips are repeated"
    return f"fail: not repeated in {', '.join(found.failed)}"


def explanations(found: Repetition) -> list[str]:
    """The clips that only one run scored, and how to read the table."""
    lost, added = (format_names(each, N_NAMED) for each in (found.lost_clips, found.added_clips))
    return [
        *([f"clips: {len(found.lost_clips)} scored by the base alone ({lost})"] if lost else []),
        *(
            [f"clips: {len(found.added_clips)} scored by the new run alone ({added})"]
            if added
            else []
        ),
        "largest change: in the column's unit, of one clip, or of the value of a whole set; "
        "every clip has to be within the tolerance",
    ]


def as_markdown(found: Repetition) -> str:
    """A pipe table below its title, then the outcome and how to read it."""
    return markdown_page(title(found), HEADINGS, rows(found), summary(found), explanations(found))


def as_junit(found: Repetition) -> str:
    """A test suite with a test case for the clips and one per column."""
    messages = {"clips": summary(found) if "clips" in found.failed else ""} | {
        each.column.name: ""
        if each.has_passed
        else ", ".join(
            f"{heading} {cell}"
            for heading, cell in zip(HEADINGS[1:-1], _row(each)[1:-1], strict=True)
        )
        for each in found.changes
    }
    suite = ElementTree.Element(
        "testsuite",
        name=NOT_XML.sub("\N{REPLACEMENT CHARACTER}", f"bench compare --repeat: {title(found)}"),
        tests=str(len(messages)),
        failures=str(len(found.failed)),
    )
    for name, message in messages.items():
        case = ElementTree.SubElement(suite, "testcase", classname=found.base.split, name=name)
        if message:
            text = NOT_XML.sub("\N{REPLACEMENT CHARACTER}", message)
            ElementTree.SubElement(case, "failure", message=text)
    ElementTree.indent(suite)
    text = ElementTree.tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def as_json(found: Repetition) -> dict[str, Any]:
    """All numbers by name, at full precision; None for an infinite change."""
    return {
        "passed": found.has_passed,
        "summary": summary(found),
        "columns": [
            {
                **{k: v for k, v in asdict(each).items() if k != "column"},
                "name": each.column.name,
                "largest": each.largest if math.isfinite(each.largest) else None,
                "passed": each.has_passed,
            }
            for each in found.changes
        ],
        "lost_clips": list(found.lost_clips),
        "added_clips": list(found.added_clips),
    }


def _row(change: Change) -> tuple[str, ...]:
    largest = f"{change.largest:.2g}" if math.isfinite(change.largest) else "lost"
    return (
        change.column.label,
        largest,
        change.clip or MISSING,
        f"{change.tolerance:.2g}",
        str(change.n_beyond),
        str(change.n),
        "repeated" if change.has_passed else "changed",
    )
