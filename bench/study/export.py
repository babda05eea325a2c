"""The answers, the comments and the completion codes of a study as CSV."""

from __future__ import annotations

import csv
import io
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
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in answers:
        trial = each.trial
        writer.writerow(
            (
                *(each.session, sources[each.session], trial.position, trial.kind, trial.clip),
                *(trial.a, trial.b, each.question, each.choice, chosen_source(each) or "tie"),
                *(f"{each.elapsed_s:.1f}", rules[each.session], store.design.digest),
            )
        )
    return text.getvalue()


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
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("session", "position", "comment"))
    for session, position, comment in comments:
        writer.writerow((session, "" if position is None else position, _quote(comment)))
    return text.getvalue()


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
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("panel_id", "completion_code", "answered", "trials"))
    writer.writerows((_quote(panel_id), *rest) for panel_id, *rest in codes)
    return text.getvalue()


def _quote(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
