"""The answers, the comments and the completion codes of a study as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.study.store import open_store
from bench.study.votes import chosen_source, find_broken_rule

COLUMNS = (
    *("session", "source", "position", "kind", "clip", "a", "b", "question", "choice", "chosen"),
    *("elapsed_s", "excluded_by", "design_sha256"),
)

#: What begins a formula in spreadsheets.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def format_answers(study: Path) -> str:
    """Return a row for every answer: ``chosen`` is the system, "tie", or what a check shows.

    ``excluded_by`` is the rule of the design by which the rater does not count, "" for the others.

    Raises:
        BenchError: no study, a design that was changed, or a damaged file.
    """
    store = open_store(study, is_new=False)
    try:
        sessions, answers = store.read_sessions(), store.read_answers()
    finally:
        store.close()
    sources = {each.number: each.source for each in sessions}
    rules = {
        number: find_broken_rule(store.design, [a for a in answers if a.session == number])
        for number in sources
    }
    rows = (
        (
            *(each.session, sources[each.session], each.trial.position, each.trial.kind),
            *(each.trial.clip, each.trial.a, each.trial.b, each.question, each.choice),
            *(chosen_source(each) or "tie", f"{each.elapsed_s:.1f}", rules[each.session]),
            store.design.digest,
        )
        for each in answers
    )
    return _write_csv(COLUMNS, rows)


def format_comments(study: Path) -> str:
    """Return a row for every comment of a rater; ``position`` is "" where it is on the study.

    A spreadsheet would run text that begins as a formula does, so such text has a quote before it.

    Raises:
        BenchError: as above.
    """
    store = open_store(study, is_new=False)
    try:
        comments = store.read_comments()
    finally:
        store.close()
    rows = (
        (session, "" if position is None else position, _quote(comment))
        for session, position, comment in comments
    )
    return _write_csv(("session", "position", "comment"), rows)


def format_codes(study: Path) -> str:
    """Return a row for every session, for those who pay raters: panel id, code, how far it is.

    It is in the order of panel ids and codes, with no number of a session: it does not tell who
    gave which answers.

    Raises:
        BenchError: as above.
    """
    store = open_store(study, is_new=False)
    try:
        codes = store.read_codes()
    finally:
        store.close()
    rows = ((_quote(panel_id), *rest) for panel_id, *rest in codes)
    return _write_csv(("panel_id", "completion_code", "answered", "trials"), rows)


def _write_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _quote(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
