"""The log of a run counts every clip of a stage."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest

from bench.engine import Failure, Outcome
from bench.errors import RunError
from bench.pipeline.evaluate import RunLog, _read_keys, _write_keys
from bench.pipeline.roles import Pair
from bench.types import Clip, Excerpt


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


def test_clips_get_their_keys_back_in_their_order_without_those_that_failed() -> None:
    pairs = [Pair(Clip(name, None, 8.0), Excerpt(Path(name))) for name in "abcd"]
    keys = {pair.clip.name: {"generated": pair.clip.name.upper()} for pair in pairs}
    file = StringIO()
    # As workers finish them; b failed.
    extracted = [(pairs[i], keys[pairs[i].clip.name]) for i in (2, 0, 3)]
    assert _write_keys(file, extracted) == 3
    found = list(_read_keys(file, pairs, {"b"}))
    assert found == [(pairs[i], keys[pairs[i].clip.name]) for i in (0, 2, 3)]
