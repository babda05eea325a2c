"""What the store gives and refuses: sessions with their trials, answers, errors of a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.errors import BenchError
from bench.study.assignment import Trial


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
    """A session with its token, which is nowhere else: whoever has it goes on with the session."""

    number: int
    token: str


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
