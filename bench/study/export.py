"""The answers and the comments of a study as CSV."""

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
        safe = f"'{comment}" if comment.startswith(FORMULA_STARTS) else comment
        writer.writerow((session, "" if position is None else position, safe))
    return text.getvalue()
