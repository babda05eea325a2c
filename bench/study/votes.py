"""Votes by system: sides are resolved, and raters beyond the rules of the design left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.study.design import IDENTICAL, MAIN, MISMATCH, OTHER, Design
from bench.study.sessions import Answer, SessionRow

#: A rater with fewer answers that name a side is not judged by how often it is the same one.
FEWEST_SIDES = 10


@dataclass(frozen=True)
class Vote:
    """One answer on two systems of the design, numbered ``first < second``.

    ``outcome`` is 1 for the first, -1 for the second, 0 for a tie.
    """

    rater: int
    clip: str
    question: str
    first: int
    second: int
    outcome: int


@dataclass(frozen=True)
class Checks:
    """What raters did where the answer is known: of those who are counted and those left out.

    ``failed`` of ``mismatch`` trials chose another clip's audio. Of the answers to ``identical``
    pairs, ``ties`` were no side, and ``side_a`` side a: about half of the rest, if sides are fair.
    """

    mismatch: int
    failed: int
    identical: int
    ties: int
    side_a: int


@dataclass(frozen=True)
class CountedVotes:
    """The votes that count; ``excluded`` has the sessions that do not by the first rule broken."""

    votes: tuple[Vote, ...]
    n_sessions: int
    excluded: Mapping[str, tuple[int, ...]]
    checks: Checks


def count_votes(
    design: Design, sessions: Sequence[SessionRow], answers: Iterable[Answer]
) -> CountedVotes:
    """Apply the rules of the design, a rater at a time, and return the votes that remain."""
    by_session: dict[int, list[Answer]] = {each.number: [] for each in sessions}
    for answer in answers:
        by_session[answer.session].append(answer)
    excluded: dict[str, list[int]] = {}
    votes: list[Vote] = []
    for number, given in by_session.items():
        if rule := find_broken_rule(design, given):
            excluded.setdefault(rule, []).append(number)
        else:
            votes += [_resolve(design, each) for each in given if each.trial.kind == MAIN]
    every = [answer for given in by_session.values() for answer in given]
    return CountedVotes(
        tuple(votes),
        len(sessions),
        {rule: tuple(numbers) for rule, numbers in excluded.items()},
        _count_checks(every),
    )


def find_broken_rule(design: Design, answers: Sequence[Answer]) -> str:
    """Return the first rule that a rater's answers break, in the order of the design; "" if none.

    ``max_failed_checks``: trials in which another clip's audio was chosen, in any question.
    ``min_answered``: the share of the main trials with a vote. ``min_median_s``: the median time of
    a main trial. ``max_same_side``: the share of the more frequent side among all that name one.
    """
    rules = design.rules
    main = [each for each in answers if each.trial.kind == MAIN]
    failed = {each.trial.position for each in answers if _has_failed(each)}
    if len(failed) > rules.max_failed_checks:
        return "max_failed_checks"
    times = {each.trial.position: each.elapsed_s for each in main}
    if len(times) < max(1.0, rules.min_answered * design.per_rater):
        return "min_answered"
    if median(times.values()) < rules.min_median_s:
        return "min_median_s"
    sides = Counter(each.choice for each in main if each.choice in ("a", "b"))
    n_sides = sides.total()
    if n_sides >= FEWEST_SIDES and max(sides.values()) > rules.max_same_side * n_sides:
        return "max_same_side"
    return ""


def chosen_source(answer: Answer) -> str | None:
    """Return what was on the side that was chosen; None for a tie."""
    return {"a": answer.trial.a, "b": answer.trial.b}.get(answer.choice)


def _has_failed(answer: Answer) -> bool:
    return answer.trial.kind == MISMATCH and chosen_source(answer) == OTHER


def _resolve(design: Design, answer: Answer) -> Vote:
    first, second = sorted(design.systems.index(each) for each in (answer.trial.a, answer.trial.b))
    chosen = chosen_source(answer)
    outcome = 0 if chosen is None else 1 if chosen == design.systems[first] else -1
    return Vote(answer.session, answer.trial.clip, answer.question, first, second, outcome)


def _count_checks(answers: Sequence[Answer]) -> Checks:
    mismatch = {(a.session, a.trial.position) for a in answers if a.trial.kind == MISMATCH}
    failed = {(a.session, a.trial.position) for a in answers if _has_failed(a)}
    identical = Counter(each.choice for each in answers if each.trial.kind == IDENTICAL)
    return Checks(len(mismatch), len(failed), identical.total(), identical["tie"], identical["a"])
