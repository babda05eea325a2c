"""What a submission states of itself and a board prints, against what is known here.

Names, notes and fairness are the author's. What installed packages declare of a system, and what
follows from samples and columns, is compared; other texts are only such that a page can show.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from bench.pipeline.bounds import BOUNDS
from bench.pipeline.outcome import fairness_of
from bench.pipeline.regenerate import find_condition
from bench.pipeline.submission import Submission
from bench.plugins import read_declarations
from bench.results import Fairness, Results, load_bounds
from bench.system import Generate, System
from bench.untrusted import build, read_json_strictly

#: What a board prints of one run: characters of a name and of another text, and notes.
LONGEST_NAME, LONGEST_TEXT, MOST_NOTES = 200, 2_000, 100
#: Alphabets with letters that look alike.
ALPHABETS = frozenset({"LATIN", "CYRILLIC", "GREEK"})


def check_texts(results: Results) -> Iterator[str]:
    """Yield what is wrong with the texts of results, before any of them is printed."""
    yield from _find_odd_texts("scores.json", asdict(results))
    if len(results.notes) > MOST_NOTES:
        yield f"scores.json has {len(results.notes)} notes, at most {MOST_NOTES} are expected"
    name = results.system
    alphabets = [
        {unicodedata.name(char, "").partition(" ")[0] for char in word} & ALPHABETS
        for word in re.split(r"[\W\d_]+", name)
    ]
    reasons = {
        f"has more than {LONGEST_NAME} characters": len(name) > LONGEST_NAME,
        "is empty, or has spaces around it or several together": name != " ".join(name.split())
        or not name,
        "has characters that look like others": unicodedata.normalize("NFKC", name) != name,
        "mixes letters of several alphabets in a word": max(map(len, alphabets)) > 1,
    }
    for reason, is_so in reasons.items():
        if is_so:
            yield f"scores.json: the name of the system {name!r} {reason}"


def _find_odd_texts(file: str, value: Any) -> Iterator[str]:
    """Yield a sentence for each text that is too long, or that a page would not show as it is."""
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):
        for each in value:
            yield from _find_odd_texts(file, each)
    elif isinstance(value, str) and len(value) > LONGEST_TEXT:
        yield f"{file} has a text of {len(value)} characters: {value[:60]!r}"
    elif isinstance(value, str) and not value.isprintable():
        yield f"{file} has a text with characters that are not printed: {value!r}"


def check_claims(submission: Submission) -> Iterator[str]:
    """Yield what a submission states of itself that is not so."""
    yield from _check_system(submission)
    yield from _check_condition(submission)
    yield from _check_fairness(submission)
    yield from _check_kept(submission.results)


def _check_system(submission: Submission) -> Iterator[str]:
    """The name is that of the model; anchors are those that are anchors here."""
    results, known, model = submission.results, submission.declared, submission.model
    if known is None:
        # A system with an argument is called name=argument.
        first = results.system.partition("=")[0]
        if first in read_declarations("system") and model.partition(":")[0] != first:
            yield (
                f"scores.json: {results.system!r} is the name of a system of bench list models, "
                f"and run.json names {model!r}"
            )
        if results.is_anchor:
            yield f"scores.json states is_anchor, and {model!r} is no anchor of bench list models"
        return
    if results.system != known.name:
        yield f"scores.json: samples of {model!r} are of {known.name!r}, not {results.system!r}"
    if results.is_anchor != known.is_anchor:
        yield (
            f"scores.json states is_anchor {results.is_anchor}, {known.name} has {known.is_anchor}"
        )


def _check_condition(submission: Submission) -> Iterator[str]:
    """The condition is one that a run can have, with the references that run.json names."""
    name = submission.results.condition
    find_condition(name)
    drawn = name.rpartition("reference-")[2] if "reference-" in name else None
    stated = submission.configuration.get("reference_from")
    if drawn != stated:
        yield f"run.json states reference_from {stated!r}, the condition is {name!r}"


def _check_fairness(submission: Submission) -> Iterator[str]:
    """What is declared is what the installed system declares, or at least what is possible."""
    stated, system = submission.results.fairness, submission.declared
    if stated is None:
        return
    source = "the clips and columns"
    if system is None:
        system = _describe_author(submission.results.system, stated)
    else:
        source = f"{system.name} as it is installed here"
    expected = fairness_of(system, submission.asked, submission.metrics, submission.judge)
    for name, value in asdict(expected).items():
        if value != (found := asdict(stated)[name]):
            yield f"scores.json declares {name} {found!r}, expected {value!r} by {source}"


def _describe_author(name: str, stated: Fairness) -> System:
    """Return a system that declares this; ValueError where none can."""
    return System(
        name,
        "",
        frozenset(stated.given),
        _refuse_opening,
        trained_on=stated.trained_on,
        judges_seen={seen.network: seen.how for seen in stated.judges_seen},
        candidates=stated.candidates,
        non_commercial=stated.non_commercial,
    )


def _refuse_opening(device: str) -> Generate:
    raise NotImplementedError


def _check_kept(results: Results) -> Iterator[str]:
    """Of samples that several versions made, all but those of one are kept ones."""
    counts = [made.get("samples", 0) for made in results.made_by]
    fewest, kept, scored = results.scored - max(counts, default=0), results.kept, results.scored
    if not fewest <= kept <= scored:
        yield f"scores.json states kept = {kept}, expected {fewest} to {scored} by made_by"
    start = f"{kept} of {scored} samples are kept "
    if kept and not any(note.startswith(start) for note in results.notes):
        yield f"scores.json states kept = {kept} and has no note that begins with {start!r}"


def check_provenance(submission: Submission) -> Iterator[str]:
    """Yield what is odd in the facts on what scored the run, which a board prints."""
    facts = read_json_strictly(submission.directory / "provenance.json")
    yield from _find_odd_texts("provenance.json", facts)
    build(Mapping[str, str], facts["extractors"], "extractors")
    build(Mapping[str, str | None], facts["packages"], "packages")
    for name, value in facts.items():
        if isinstance(value, dict | list) and name not in ("extractors", "packages"):
            yield f"provenance.json: {name} is malformed, expected a text or a number"


def check_bounds(submission: Submission) -> Iterator[str]:
    """Yield rows that are no floor or ceiling; their numbers are not checked, no board has them."""
    for bound in load_bounds(submission.directory):
        if bound.system not in BOUNDS:
            yield f"bounds.json has a row of {bound.system!r}, which is no floor or ceiling"
