"""The workflow for the CI of users, and the baseline of our own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from bench.pipeline.repeat import find_changes, read_tolerances
from benchmarks import gate
from tests.conftest import ROOT
from tests.workflow_files import read_commands, read_scripts, read_workflow

WORKFLOW = ROOT / ".github" / "workflows" / "regression-gate.yml"
PAGE = ROOT / "docs" / "ci.md"


@pytest.fixture
def workflow() -> dict:
    return read_workflow(WORKFLOW)


def test_the_workflow_runs_and_compares(workflow):
    commands = [each for script in read_scripts(workflow) for each in read_commands(script)]
    assert [words[0] for words in commands] == ["data", "run", "compare", "compare"]


def test_inputs_reach_the_shell_as_variables_only(workflow):
    (job,) = workflow["jobs"].values()
    inputs = workflow["on"]["workflow_call"]["inputs"]
    assert {f"${{{{ inputs.{name} }}}}" for name in inputs} <= set(job["env"].values())


def test_the_documentation_calls_the_workflow_with_its_inputs_and_lists_them_all(workflow):
    text = PAGE.read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (job,) = yaml.safe_load(example)["jobs"].values()
    inputs = workflow["on"]["workflow_call"]["inputs"]
    assert set(job["with"]) <= set(inputs)
    assert job["uses"].endswith(f"/{WORKFLOW.relative_to(ROOT)}@main")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \|.*\|(.*)\|$", text, re.MULTILINE))
    assert set(rows) == set(inputs)
    defaults = {name: value.strip(" `") for name, value in rows.items()}
    # Others are described in words.
    stated = {name: value for name, value in defaults.items() if inputs[name].get("default")}
    assert stated == {name: str(inputs[name]["default"]) for name in stated}


@pytest.mark.parametrize("system", gate.SYSTEMS)
def test_the_baseline_is_complete_and_small(system):
    base = gate.BASELINE / system
    tolerances = read_tolerances(base / "tolerances.toml")
    found = find_changes(base, base, tolerances)
    assert found.has_passed
    assert len(found.changes) == 14
    assert found.base.scored == gate.N_CLIPS
    assert all(value > 0 for value in tolerances.values())


def test_the_baseline_is_below_200_kb():
    files = [path for path in gate.BASELINE.rglob("*") if path.is_file()]
    assert len(files) == 3 * len(gate.SYSTEMS)
    assert sum(path.stat().st_size for path in files) < 200_000


def test_the_page_has_a_trial_for_each_planted_regression_and_rerun():
    from benchmarks.gate_trials import FAULTS, RERUNS

    assert (len(FAULTS), len(RERUNS)) == (20, 20)
    text = PAGE.read_text()
    assert "20 of 20 planted regressions are caught" in text
    assert "20 of 20 reruns pass" in text
    for each in (*FAULTS, *(how for _, how in RERUNS)):
        assert f"\n| {each.name} | " in text


def test_ci_runs_the_gate():
    assert "make gate" in Path(ROOT / ".ci" / "run").read_text()
    assert "-m benchmarks.gate check" in (ROOT / "Makefile").read_text()
