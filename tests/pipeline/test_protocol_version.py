"""The version of the protocol: stored in every result, and never mixed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from bench.errors import BenchError
from bench.pipeline.compare import compare_runs
from bench.results import load_results
from bench.splits.split import PROTOCOL_VERSION
from reports.tables import check_comparable, with_bounds
from tests.pipeline.finished import write_run

LATER = PROTOCOL_VERSION + 1


def test_results_without_a_protocol_version_are_of_the_first(tmp_path):
    run = write_run(tmp_path / "a", {"mcd": np.zeros(3)})
    path = run / "scores.json"
    value = json.loads(path.read_text())
    assert value.pop("protocol_version") == 1
    path.write_text(json.dumps(value))
    assert load_results(run).protocol_version == 1


def test_results_of_two_protocol_versions_are_neither_compared_nor_in_one_table(tmp_path):
    base = write_run(tmp_path / "a", {"mcd": np.zeros(3)})
    new = write_run(tmp_path / "b", {"mcd": np.zeros(3)}, protocol_version=LATER)
    expected = f"protocol_version {PROTOCOL_VERSION} and {LATER}"
    with pytest.raises(BenchError, match=f"cannot be compared: {expected}"):
        compare_runs(base, new)
    first, second = load_results(base), load_results(new)
    with pytest.raises(BenchError, match=f"cannot share a table: {expected}"):
        check_comparable([first, second])
    bound = replace(second, is_anchor=True)
    assert with_bounds([first], [bound]) == [first]
