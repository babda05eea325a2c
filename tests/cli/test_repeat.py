"""``bench compare --repeat``: a run that has to be another one again, clip by clip."""

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

N = 6
TOLERANCES = "[columns]\nfd_passt = 0.5\nmcd = 0.01\nonset_acc = 0\n"


@pytest.fixture
def write(tmp_path):
    """Write a run of the same scores but for what is given."""
    scores = {"mcd": np.arange(N, dtype=float), "onset_acc": np.full(N, 0.5)}

    def call(name: str, mcd: np.ndarray | None = None, *, fd: float = 9.0, **about) -> Path:
        own = scores if mcd is None else {**scores, "mcd": mcd}
        return write_run(tmp_path / name, own, of_set={"fd_passt": fd}, **about)

    (tmp_path / "tolerances.toml").write_text(TOLERANCES)
    return call


def repeat(base: Path, new: Path, *options: object):
    tolerances = base.parent / "tolerances.toml"
    arguments = ("compare", base, new, "--repeat", tolerances, *options)
    return CliRunner().invoke(app, [*map(str, arguments)])


def refusal(*arguments: object) -> str:
    error = repeat(*arguments).exception
    assert isinstance(error, BenchError)
    return str(error)


def test_rounding_is_a_repetition(write):
    done = repeat(write("base"), write("new", np.arange(N) + 0.009, fd=9.4))
    assert done.exit_code == 0
    assert "pass: 3 columns of 6 clips are repeated" in done.stdout


def test_one_clip_of_all_beyond_its_tolerance_fails_whatever_the_mean_and_the_direction(write):
    changed = np.arange(N, dtype=float)
    changed[2] -= 0.02
    done = repeat(write("base"), write("new", changed))
    assert done.exit_code == 1
    assert "fail: not repeated in mcd" in done.stdout
    (row,) = [line.split() for line in done.stdout.splitlines() if line.split()[:1] == ["MCD"]]
    assert row[-6:] == ["0.02", "clip_002", "0.01", "1", "6", "changed"]


def test_a_value_of_the_whole_set_has_a_tolerance_too(write):
    done = repeat(write("base"), write("new", fd=9.6))
    assert done.exit_code == 1
    assert "fail: not repeated in fd_passt" in done.stdout


def test_a_score_that_is_lost_or_found_is_a_change_without_bound(write):
    holes = np.arange(N, dtype=float)
    holes[1] = np.nan
    done = repeat(write("base"), write("new", holes))
    assert done.exit_code == 1
    assert "lost" in done.stdout
    assert repeat(write("holes", holes), write("again", holes)).exit_code == 0


def test_a_clip_that_is_dropped_or_added_fails_and_is_named(write, tmp_path):
    names = [f"clip_{i:03}" for i in range(N)]
    other = write("other", names=[*names[:-1], "clip_9"])
    done = repeat(write("base"), other)
    assert done.exit_code == 1
    assert "fail: not repeated in clips" in done.stdout
    assert "clips: 1 scored by the base alone (clip_005)" in done.stdout
    assert "clips: 1 scored by the new run alone (clip_9)" in done.stdout


def test_all_is_written_to_files_as_well(write, tmp_path):
    runs = write("base"), write("new", np.arange(N) + 1.0)
    files = {name: tmp_path / f"gate.{name}" for name in ("xml", "json", "md")}
    options = ("--junit", files["xml"], "--json", files["json"], "--format", "markdown")
    assert repeat(*runs, *options, "--out", files["md"]).exit_code == 1
    suite = ElementTree.parse(files["xml"]).getroot()  # noqa: S314
    failed = {case.attrib["name"] for case in suite if len(case)}
    assert (suite.attrib["tests"], failed) == ("4", {"mcd"})
    found = json.loads(files["json"].read_text())
    columns = {each["name"]: each for each in found["columns"]}
    assert (found["passed"], columns["mcd"]["n_beyond"], columns["mcd"]["largest"]) == (False, N, 1)
    assert "| MCD | 1 | clip\\_000 | 0.01 | 6 | 6 | changed |" in files["md"].read_text()


def test_runs_of_another_system_seed_or_split_are_no_repetitions(write):
    base = write("base")
    assert "seed 42 and 43" in refusal(base, write("seed", seed=43))
    assert "system 'made' and 'other'" in refusal(base, write("system", system="other"))
    assert "split 'mini' and" in refusal(base, write("split", split="mini-hits"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TOLERANCES.replace("mcd = 0.01\n", ""), "differ in mcd; each column"),
        (TOLERANCES + "ib = 1", "differ in ib; each column"),
        (TOLERANCES.replace("0.01", "-1"), "the tolerance of mcd is -1, expected a number from 0"),
        (TOLERANCES.replace("0.01", "true"), "the tolerance of mcd is True"),
        (TOLERANCES.replace("0.01", "inf"), "the tolerance of mcd is inf"),
        ("[columns]", "expected one table [columns]"),
        ("alpha = 1", "expected one table [columns]"),
        ("[", "cannot read the tolerances"),
    ],
)
def test_invalid_tolerances_are_refused(write, tmp_path, text, words):
    base = write("base")
    (tmp_path / "tolerances.toml").write_text(text)
    assert words in refusal(base, base)


def test_rules_of_the_other_comparison_are_refused(write):
    base = write("base")
    assert "takes no primary columns or rules" in refusal(base, base, "--primary", "mcd")
