"""One metric of two finished runs: the numbers of their tables, with paired intervals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.errors import BenchError
from bench.judges import open_judge
from bench.pipeline.compare import compare_runs
from bench.pipeline.run import run
from bench.results import Score, load_results, load_rows
from tests.pipeline.test_run import TONE, quiet


@pytest.fixture
def finished(make_plan):
    """Run a system, judged by the small networks; returns where its scores lie."""

    def call(model: str, metrics: tuple[str, ...] = ("mcd", "fd_vgg"), limit: int | None = None):
        plan = replace(
            make_plan(model, metrics=metrics, limit=limit),
            judge=open_judge("mini", "av-benchmark"),
        )
        run(plan, quiet)
        return plan.results_directory

    return call


def test_values_are_those_of_the_tables_and_are_inside_their_intervals(finished):
    base, new = (finished(model, ("mcd", "kid_vgg")) for model in ("reference-loop", TONE))
    for name in ("mcd", "kid_vgg"):
        found = compare_runs(base, new).contrast(name)
        before, after = (load_results(each).metrics[name].value for each in (base, new))
        assert found.column.name == name
        assert found.base.value == pytest.approx(before)
        assert found.new.value == pytest.approx(after)
        assert found.difference.value == pytest.approx(after - before)
        assert found.ratio.value == (pytest.approx(after / before) if before > 0 else None)
        for score in (found.base, found.new, found.difference):
            assert score.low <= score.value <= score.high
            assert (score.n, score.n_clusters, score.reason) == (3, 3, "")
        assert compare_runs(base, new).contrast(name) == found


def test_a_run_does_not_differ_from_itself(finished):
    base = finished(TONE, ("mcd", "kid_vgg"))
    for name in ("mcd", "kid_vgg"):
        expected = Score(0.0, 0.0, 0.0, 3, n_clusters=3)
        assert compare_runs(base, base).contrast(name).difference == expected


def test_only_the_clips_of_a_group_count(finished):
    base = finished(TONE)
    for name in ("mcd", "fd_vgg"):
        with pytest.raises(BenchError, match="0 scored clips in common"):
            compare_runs(base, base).contrast(name, "of another group")


def test_of_fewer_clips_than_dimensions_only_the_difference_of_distances_has_an_interval(finished):
    found = compare_runs(finished("ground-truth"), finished(TONE)).contrast("fd_vgg")
    assert found.base.value == pytest.approx(0.0, abs=1e-6)
    assert found.difference.value == pytest.approx(found.new.value)
    for score in (found.base, found.new):
        assert (score.low, score.high) == (None, None)
        assert score.reason.startswith("n = 3 clips in D = ")
    assert found.difference.low < found.difference.value < found.difference.high


def test_rows_that_do_not_name_clusters_are_refused(finished):
    base = finished(TONE)
    load_rows(base).drop(columns="cluster").to_parquet(base / "scores.parquet", index=False)
    with pytest.raises(BenchError, match="of an earlier version: run it again"):
        compare_runs(base, base).contrast("mcd")


def test_runs_that_cannot_be_compared_are_refused(finished, make_plan):
    base = finished(TONE)
    with pytest.raises(BenchError, match="has no desync; run it again"):
        compare_runs(base, base).contrast("desync")
    other = make_plan("reference-loop", metrics=("mcd",))
    run(other, quiet)
    with pytest.raises(BenchError, match="judge 'mini' and 'paper'"):
        compare_runs(base, other.results_directory).contrast("mcd")
    short = finished("silence", limit=1)
    with pytest.raises(BenchError, match="1 scored clips in common"):
        compare_runs(base, short).contrast("mcd")
