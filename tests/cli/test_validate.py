"""``bench validate`` is a gate: it fails if a clip failed or a metric does not follow its fault."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from baselines import SYSTEMS
from bench.cli import pages as validating
from bench.errors import BenchError
from bench.pipeline.run import RunResult
from bench.results import Column, Failure, Results, Score
from bench.suite import PROFILES
from reports.faults import FAULTS

NAMES = [metric.name for metric in PROFILES["av-benchmark"]]
COLUMNS = tuple(Column(name, name, "lower", 2) for name in NAMES)
STEPS = {spec: step for fault in FAULTS for step, spec in enumerate(fault.specs(), 1)}


def result(spec: str, value: float, failures: tuple[Failure, ...] = ()) -> RunResult:
    scores = {column.name: Score(value, value, value, 9) for column in COLUMNS}
    found = Results(
        spec, "mini", "full", 42, "mini", "av-benchmark", 1, True, True, 9, 9, 0, COLUMNS, scores
    )
    return RunResult(found, failures, Path(spec), {})


@pytest.fixture
def validate(monkeypatch, tmp_path):
    """Run the command with results given by their spec; returns its exit code."""

    def call(answer, format=None) -> int:
        plan = lambda spec, *others: SimpleNamespace(  # noqa: E731
            spec=spec, results_directory=spec
        )
        nothing = lambda base, new: SimpleNamespace(differences=())  # noqa: E731
        monkeypatch.setattr(validating, "_plan", plan)
        monkeypatch.setattr("bench.pipeline.compare.compare_runs", nothing)
        monkeypatch.setattr("bench.pipeline.run.run", lambda plan, progress: answer(plan.spec))
        with pytest.raises(typer.Exit) as stop:
            validating.validate(tmp_path, 9, 0, tmp_path, format)
        assert (tmp_path / "validation.md").is_file()
        return stop.value.exit_code

    return call


def step(spec: str) -> float:
    """The loss of each fault; unrelated audio is the worst."""
    return STEPS.get(spec, 0.0 if spec == validating.CLEAN else 9.0)


def test_every_fault_is_an_oracle_and_every_claim_a_column():
    for fault in FAULTS:
        assert fault.system in {usage.partition(":")[0] for usage in SYSTEMS}
        assert set(fault.followed_by) <= set(NAMES)
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_metrics_that_follow_the_faults_pass(validate):
    assert validate(lambda spec: result(spec, step(spec))) == 0


@pytest.mark.slow
def test_the_page_links_figures_of_the_format_that_is_asked_for(validate, tmp_path):
    assert validate(lambda spec: result(spec, step(spec)), "svg") == 0
    page = (tmp_path / "validation.md").read_text()
    for name in ("validation.svg", "validation-matrix.svg"):
        assert f"({name})" in page
        assert (tmp_path / name).read_bytes().startswith(b"<?xml")
    assert not [*tmp_path.glob("*.png")]


def test_an_unknown_format_of_figures_is_refused_before_anything_is_scored(tmp_path):
    with pytest.raises(BenchError, match="no figure format 'jpg'"):
        validating.validate(tmp_path, 9, 0, tmp_path, "jpg")


def test_a_metric_that_is_not_monotone_fails_and_is_named(validate, capsys):
    assert validate(lambda spec: result(spec, -step(spec))) == 1
    assert "other timbre: mcd is not monotone" in capsys.readouterr().err


@pytest.mark.slow
def test_a_clip_without_a_score_fails_and_its_oracle_is_named(validate, capsys):
    def answer(spec: str) -> RunResult:
        failures = (Failure("c", "extract", "no"),) if spec == "oracle-shift:0.1" else ()
        return result(spec, step(spec), failures)

    assert validate(answer) == 1
    assert "oracle-shift:0.1: 1 clips have no score" in capsys.readouterr().err
