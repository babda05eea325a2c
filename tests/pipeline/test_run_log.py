"""The log of a run counts every clip of a stage."""

from __future__ import annotations

import pytest

from bench.engine import Failure, Outcome
from bench.errors import RunError
from bench.pipeline.evaluate import RunLog


def test_a_clip_without_an_outcome_ends_the_stage() -> None:
    log = RunLog(lambda stage, done, total: None)
    outcomes = iter([Outcome("a", 1), Outcome("b", failure=Failure("broken"))])
    with pytest.raises(RunError, match="score has a result or a failure for 2 of 3 clips"):
        list(log.successes("score", outcomes, 3, str))
    assert [failure.clip for failure in log.failures] == ["b"]


def test_values_and_failures_are_counted_together() -> None:
    log = RunLog(lambda stage, done, total: None)
    outcomes = iter([Outcome("a", 1), Outcome("b", failure=Failure("broken"))])
    assert list(log.successes("score", outcomes, 2, str)) == [("a", 1)]
