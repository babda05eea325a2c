"""``bench compare``: its output, its files and its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.errors import BenchError
from tests.pipeline.finished import write_run

N = 100


@pytest.fixture
def runs(tmp_path, rng) -> tuple[Path, Path]:
    """A base, and a new run that is worse in MCD, unclear in IB, and equal in DeSync."""
    noise = rng.normal(0, 0.1, N)
    base = {"ib": rng.normal(30, 5, N), "desync": np.full(N, 0.4), "mcd": rng.normal(5, 1, N)}
    new = {
        "ib": base["ib"] + 50 * noise,
        "desync": base["desync"],
        "mcd": base["mcd"] + 0.5 + noise,
    }
    sets = {"of_set": {"fd_passt": 9.0}}
    return (
        write_run(tmp_path / "base", base, **sets),
        write_run(tmp_path / "new", new, **sets, system="<new> & | *other*\x01"),
    )


def compare(*arguments: object):
    """The result of the command in this process; refusals are raised."""
    return CliRunner().invoke(app, ["compare", *map(str, arguments)], catch_exceptions=True)


def refusal(*arguments: object) -> str:
    error = compare(*arguments).exception
    assert isinstance(error, BenchError)
    return str(error)


def test_a_regression_ends_with_1_and_is_named(runs):
    done = compare(*runs)
    assert done.exit_code == 1
    assert "fail: regression in mcd" in done.stdout
    assert "FD PaSST not tested: " in done.stdout
    assert [line.split()[-1] for line in done.stdout.splitlines() if "MCD " in line] == [
        "regression"
    ]


def test_equal_runs_end_with_0_and_equivalence_can_be_required(runs):
    base, new = runs
    passed = compare(base, base, "--primary", "mcd,ib")
    assert (passed.exit_code, passed.stderr) == (0, "")
    assert "pass: no regression in 2 primary columns; 2 are shown to be not worse" in passed.stdout
    assert "Holm-adjusted over the tested columns (2)" in passed.stdout
    unclear = compare(base, new, "--primary", "ib")
    assert unclear.exit_code == 0
    assert "inconclusive" in unclear.stdout
    required = compare(base, new, "--primary", "ib", "--require-equivalence")
    assert required.exit_code == 1
    assert "fail: equivalence is required and not shown for ib" in required.stdout


def test_two_runs_of_one_system_are_distinguished_in_the_title(tmp_path):
    runs = (write_run(tmp_path / f"{seed}", {"mcd": np.ones(9)}, seed=seed) for seed in (1, 2))
    title = "made (full, seed 2) minus made (full, seed 1), mini"
    assert title in compare(*runs).stdout


def test_rules_come_from_a_file(runs, tmp_path):
    (tmp_path / "gate.toml").write_text("[columns.mcd]\nabsolute = 2\n[columns.ib]\nignored = true")
    done = compare(*runs, "--rules", tmp_path / "gate.toml")
    assert done.exit_code == 0
    assert "ignored by the rules: ib" in done.stdout


def test_junit_has_a_case_per_primary_column_whatever_the_names_hold(runs, tmp_path):
    compare(*runs, "--junit", tmp_path / "new" / "gate.xml")
    suite = ElementTree.parse(tmp_path / "new" / "gate.xml").getroot()  # noqa: S314
    assert suite.attrib["name"].startswith(
        "bench compare: <new> & | *other*\N{REPLACEMENT CHARACTER}"
    )
    counts = {key: int(suite.attrib[key]) for key in ("tests", "failures", "skipped", "errors")}
    assert counts == {"tests": 4, "failures": 1, "skipped": 2, "errors": 0}
    kinds = {case.attrib["name"]: case[0].tag for case in suite}
    assert kinds == {
        "fd_passt": "skipped",
        "ib": "skipped",
        "desync": "system-out",
        "mcd": "failure",
    }


def test_json_holds_every_number_and_null_for_a_missing_one(runs, tmp_path):
    compare(*runs, "--json", tmp_path / "gate.json")
    found = json.loads((tmp_path / "gate.json").read_text())
    columns = {each["name"]: each for each in found["primary"]}
    assert (found["passed"], found["new"]["split"]) == (False, "mini")
    assert columns["mcd"]["outcome"] == "regression"
    assert columns["mcd"]["low"] < columns["mcd"]["difference"] < columns["mcd"]["high"]
    assert columns["mcd"]["p_regression"] < 0.05 < columns["mcd"]["p_equivalence"]
    assert columns["fd_passt"]["margin"] is None
    assert columns["fd_passt"]["reason"]


def test_markdown_is_printed_or_written_with_names_escaped(runs, tmp_path):
    printed = compare(*runs, "--format", "markdown").stdout
    assert r"**&lt;new&gt; &amp; \| \*other\*" in printed
    rows = [line for line in printed.splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in rows} == {8}
    compare(*runs, "--format", "markdown", "--out", tmp_path / "gate.md")
    assert (tmp_path / "gate.md").read_text("utf-8") == printed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--primary", "mdc"), "--primary: no column 'mdc'; there are: clap"),
        (("--primary", ","), "--primary names no column"),
        (("--format", "latex"), "no format 'latex'; there are: terminal, markdown"),
        (("--out", "x.md"), "--out writes Markdown; add --format markdown"),
        (("--rules", "none.toml"), "cannot read the rules none.toml"),
        (("--primary", "fd_passt"), "no primary column that can be tested"),
    ],
)
def test_invalid_comparisons_are_refused(runs, options, words):
    assert words in refusal(*runs, *options)


def test_a_refusal_ends_with_2_and_one_line(bench, runs):
    other = write_run(runs[0].parent / "other", {"mcd": np.zeros(N)}, split="mini-hits")
    done = bench("compare", runs[0], other)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "cannot be compared: split 'mini' and 'mini-hits'" in done.stderr
