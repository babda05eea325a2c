"""Two finished runs, clip by clip: differences, their intervals, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel

from bench.errors import BenchError
from bench.pipeline.compare import compare_runs
from bench.results import load_rows
from tests.pipeline.finished import write_run


def test_the_interval_of_a_difference_is_that_of_the_paired_t_test(tmp_path, rng):
    base = rng.normal(3, 1, 30)
    new = base + rng.normal(0.2, 0.4, 30)
    runs = (write_run(tmp_path / name, {"mcd": v}) for name, v in (("a", base), ("b", new)))
    (found,) = compare_runs(*runs).differences
    expected = ttest_rel(new, base).confidence_interval(0.95)
    assert (found.value, found.n) == (pytest.approx((new - base).mean()), 30)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_clips_are_paired_by_name_and_not_by_row(tmp_path):
    base = write_run(tmp_path / "a", {"mcd": np.array([1.0, 2, 3])}, names=["x", "y", "z"])
    new = write_run(tmp_path / "b", {"mcd": np.array([3.5, 1.5, 2.5])}, names=["z", "x", "y"])
    (found,) = compare_runs(base, new).differences
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("column", "change", "verdict"),
    [("mcd", 1, "worse"), ("mcd", -1, "better"), ("ib", 1, "better"), ("ib", -1, "worse")],
)
def test_the_verdict_follows_the_direction_that_is_better(tmp_path, rng, column, change, verdict):
    scores = rng.normal(5, 1, 20)
    base = write_run(tmp_path / "a", {column: scores})
    new = write_run(tmp_path / "b", {column: scores + change + rng.normal(0, 0.1, 20)})
    (found,) = compare_runs(base, new).differences
    assert found.verdict == verdict
    assert np.sign(found.loss) == (1 if verdict == "worse" else -1)


def test_clips_of_one_cluster_count_as_one(tmp_path, rng):
    """Ten targets, five references each, one loss per target: ten differences, not fifty."""
    loss = np.repeat(rng.normal(0.1, 0.3, 10), 5)
    clusters = [f"target{i // 5}" for i in range(50)]
    base = write_run(tmp_path / "a", {"mcd": np.zeros(50)}, clusters=clusters)
    new = write_run(tmp_path / "b", {"mcd": loss}, clusters=clusters)
    (found,) = compare_runs(base, new).differences
    assert found.estimate.n_clusters == 10
    assert found.estimate.standard_error == pytest.approx(loss[::5].std(ddof=1) / np.sqrt(10))


def test_rows_that_do_not_name_clusters_are_refused(tmp_path):
    """Their clips would count as independent, and intervals come out too narrow."""
    base = write_run(tmp_path / "a", {"mcd": np.zeros(9)})
    load_rows(base).drop(columns="cluster").to_parquet(base / "scores.parquet", index=False)
    with pytest.raises(BenchError, match="of an earlier version: run it again"):
        compare_runs(base, base)


def test_a_single_clip_has_a_difference_without_an_interval_or_a_verdict(tmp_path):
    base = write_run(tmp_path / "a", {"mcd": np.array([1.0])})
    new = write_run(tmp_path / "b", {"mcd": np.array([2.0])})
    (found,) = compare_runs(base, new).differences
    assert found.value == 1.0
    assert np.isnan([found.low, found.high]).all()
    assert found.verdict == "no clear difference"


@pytest.mark.parametrize(
    "other",
    [{"split": "mini-hits"}, {"judge": "paper"}, {"profile": "strict"}, {"suite_version": 99}],
)
def test_runs_that_are_not_comparable_are_refused(tmp_path, other):
    base = write_run(tmp_path / "a", {"mcd": np.zeros(3)})
    new = write_run(tmp_path / "b", {"mcd": np.zeros(3)}, **other)
    with pytest.raises(BenchError, match=f"cannot be compared: {next(iter(other))}"):
        compare_runs(base, new)


def test_a_run_of_another_judge_is_named_with_its_path(tmp_path):
    base = write_run(tmp_path / "run" / "signal-av-benchmark", {"mcd": np.zeros(3)})
    with pytest.raises(BenchError, match="name one of .*signal-av-benchmark"):
        compare_runs(tmp_path / "run", base)
