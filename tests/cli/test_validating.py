"""``bench validate`` holds as a gate: it fails where clips failed or a metric misleads."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from bench.cli import validating
from bench.results import Column, Failure, Results, Score
from bench.runs import RunResult

NAMES = (*validating.SHIFT_METRICS, *validating.TIMBRE_METRICS)
COLUMNS = tuple(Column(name, name, "lower", 2) for name in NAMES)


def result(spec: str, value: float, failures: tuple[Failure, ...] = ()) -> RunResult:
    scores = {column.name: Score(value, value, value, 9) for column in COLUMNS}
    found = Results(
        spec, "mini", "full", 42, "signal", "av-benchmark", 1, True, True, 9, 9, 0, COLUMNS, scores
    )
    return RunResult(found, failures, Path(spec), {})


@pytest.fixture
def validate(monkeypatch, tmp_path):
    """Run the command with results given by their spec; returns its exit code."""

    def call(answer) -> int:
        plan = lambda spec, *rest: SimpleNamespace(spec=spec)  # noqa: E731
        monkeypatch.setattr(validating, "_plan", plan)
        monkeypatch.setattr(validating, "run", lambda plan, progress: answer(plan.spec))
        with pytest.raises(typer.Exit) as stop:
            validating.validate_command(tmp_path, 9, 0, tmp_path)
        assert (tmp_path / "validation.md").is_file()
        return stop.value.exit_code

    return call


def amount(spec: str) -> float:
    return float(spec.partition(":")[2])


def test_metrics_that_follow_the_fault_pass(validate):
    assert validate(lambda spec: result(spec, amount(spec))) == 0


def test_a_metric_that_is_not_monotone_fails_and_is_named(validate, capsys):
    assert validate(lambda spec: result(spec, -amount(spec))) == 1
    assert "distance in timbre: mcd is not monotone" in capsys.readouterr().err


def test_a_clip_without_a_score_fails_and_its_oracle_is_named(validate, capsys):
    def answer(spec: str) -> RunResult:
        failures = (Failure("c", "extract", "no"),) if spec == "oracle-shift:0.1" else ()
        return result(spec, amount(spec), failures)

    assert validate(answer) == 1
    assert "oracle-shift:0.1: 1 clips have no score" in capsys.readouterr().err
