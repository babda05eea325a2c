"""What the store gives and refuses: sessions with their trials, answers, errors of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bench.errors import BenchError
from bench.study.assignment import Trial
from bench.study.design import KINDS, MAIN, OTHER, TRUE, Design

LONGEST_S = 24 * 3600.0
MAX_KEY = 100


class RefusedError(BenchError):
    """What a rater sent is not accepted; ``reason`` says why, for the status of an answer.

    ``unknown``: no such session or trial; ``invalid``: not an answer to the questions;
    ``conflict``: the trial has another vote; ``unplayed``: a video was not played for long enough.
    """

    def __init__(
        self, reason: Literal["unknown", "invalid", "conflict", "unplayed"], message: str
    ) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class NewSession:
    """A session with its token, which is nowhere else: whoever has it goes on with the session.

    ``is_new`` is False where the same rater had asked for it before.
    """

    number: int
    token: str
    is_new: bool = True


@dataclass(frozen=True)
class Session:
    """A session and its trials; ``answered`` are the positions with a vote.

    ``completion_code`` is "" until all trials have one.
    """

    number: int
    trials: tuple[Trial, ...]
    answered: frozenset[int]
    completion_code: str

    @property
    def next_trial(self) -> Trial | None:
        """The first trial without a vote; None at the end."""
        return next((each for each in self.trials if each.position not in self.answered), None)


@dataclass(frozen=True)
class SessionRow:
    """A session as it is exported: no token and no panel id."""

    number: int
    source: str
    n_trials: int
    n_answered: int


@dataclass(frozen=True)
class Answer:
    """The choice of one rater in one question of one trial."""

    session: int
    trial: Trial
    question: str
    choice: str
    elapsed_s: float


def check_vote(design: Design, answers: Mapping[str, str], key: str, elapsed_s: float) -> None:
    """Refuse what is no answer to every question of the design.

    Raises:
        RefusedError: other questions or choices, a key that is empty or long, an impossible time.
    """
    expected = {question.name: question.choices for question in design.questions}
    if set(answers) != set(expected):
        raise RefusedError("invalid", f"expected answers to {', '.join(expected)}")
    for name, choice in answers.items():
        if choice not in expected[name]:
            raise RefusedError("invalid", f"{name}: expected {', '.join(expected[name])}")
    if not 0 < len(key) <= MAX_KEY or not 0 <= elapsed_s <= LONGEST_S:
        raise RefusedError(
            "invalid", f"expected a key of 1 to {MAX_KEY} characters and the seconds taken"
        )


def is_of_design(design: Design, answer: Answer) -> bool:
    """Whether a stored answer is one to a trial and a question that the design has."""
    trial, question = answer.trial, design.question(answer.question)
    is_known = (
        trial.kind in KINDS
        and {trial.a, trial.b} <= {TRUE, OTHER, *design.systems}
        and question is not None
        and answer.choice in question.choices
        and isinstance(trial.position, int)
        and isinstance(answer.elapsed_s, (int, float))
    )
    if trial.kind != MAIN:
        return is_known
    names = {clip.name for clip in design.clips}
    pairs = {pair[::step] for pair in design.pairs for step in (1, -1)}
    return is_known and trial.clip in names and (trial.a, trial.b) in pairs
