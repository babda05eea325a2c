"""The regression gate on runs whose loss is known."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bench.errors import BenchError
from bench.pipeline.feature_store import shared_root
from bench.pipeline.gate import gate_runs
from bench.pipeline.rules import ColumnRule, Margin, Rules
from bench.results import load_results, write_results
from bench.suite import SUITE_VERSION
from tests.pipeline.finished import write_embeddings, write_run

N = 100


@pytest.fixture
def mcd_runs(tmp_path, rng):
    """Write two runs that differ in MCD by a mean loss with a spread over clips."""

    def call(loss: float, spread: float = 0.1, n: int = N):
        base = rng.normal(5, 1, n)
        noise = rng.normal(0, 1, n)
        change = loss + spread * (noise - noise.mean()) / noise.std(ddof=1)
        return (
            write_run(tmp_path / f"base{loss}", {"mcd": base}),
            write_run(tmp_path / f"new{loss}", {"mcd": base + change}),
        )

    return call


@pytest.mark.parametrize(
    ("loss", "spread", "outcome", "has_passed"),
    [
        (0.15, 0.1, "regression", False),  # 5 standard errors beyond the margin of 0.1
        (0.05, 0.1, "not worse", True),  # clearly above 0, clearly within the margin
        (0.15, 1.0, "inconclusive", True),  # half a standard error beyond it
        (-1.0, 0.1, "not worse", True),
    ],
)
def test_a_loss_counts_only_beyond_the_margin(mcd_runs, loss, spread, outcome, has_passed):
    gate = gate_runs(*mcd_runs(loss, spread), Rules())
    (decision,) = gate.decisions
    assert (decision.outcome, gate.has_passed) == (outcome, has_passed)
    assert decision.margin == 0.1


def test_equivalence_can_be_required_of_all_columns_or_of_one(mcd_runs):
    runs = mcd_runs(0.0, 3.0)
    assert gate_runs(*runs, Rules()).has_passed
    assert not gate_runs(*runs, Rules(), require_equivalence=True).has_passed
    assert not gate_runs(*runs, Rules(columns={"mcd": ColumnRule(is_required=True)})).has_passed


def test_a_rule_changes_the_margin_and_the_level_of_a_column(mcd_runs):
    runs = mcd_runs(0.15)
    wide = Rules(columns={"mcd": ColumnRule(margin=Margin(relative=0.1))})
    (decision,) = gate_runs(*runs, wide).decisions
    assert decision.outcome == "not worse"
    assert decision.margin == pytest.approx(0.1 * decision.found.base)
    strict = Rules(columns={"mcd": ColumnRule(alpha=1e-12)})
    assert gate_runs(*runs, strict).decisions[0].outcome == "inconclusive"


def test_one_of_many_equal_columns_must_be_clearer_than_a_column_alone(tmp_path, rng):
    """The same loss, p between 0.01 and 0.05, decides alone and not among ten."""
    noise = rng.normal(size=N)
    noise = (noise - noise.mean()) / noise.std(ddof=1) * 0.25
    names = ("kl_passt", "kl_panns", "ib", "desync", "onset_acc", "onset_ap")
    equal = {name: np.zeros(N) for name in names}
    base = write_run(tmp_path / "a", {"mcd": np.zeros(N), **equal})
    new = write_run(tmp_path / "b", {"mcd": 0.15 + noise, **equal})
    alone, among = (gate_runs(base, new, rules) for rules in (Rules(primary=("mcd",)), Rules()))
    assert 0.01 < alone.decisions[0].p_regression < 0.05
    assert alone.decisions[0].outcome == "regression"
    (mcd,) = (each for each in among.decisions if each.found.name == "mcd")
    assert mcd.p_regression == pytest.approx(7 * alone.decisions[0].p_regression)
    assert among.has_passed


def test_columns_that_are_not_primary_are_printed_and_never_decide(tmp_path, rng):
    same = rng.normal(size=N)
    base = write_run(tmp_path / "a", {"mcd": same, "lsd": same})
    new = write_run(tmp_path / "b", {"mcd": same, "lsd": same + 100})
    gate = gate_runs(base, new, Rules())
    assert gate.has_passed
    assert [(each.name, each.verdict) for each in gate.information] == [("lsd", "worse")]
    assert not gate_runs(base, new, Rules(primary=("lsd",))).has_passed


def test_a_column_with_a_rule_decides_unless_it_is_ignored(tmp_path, rng):
    same = rng.normal(size=N)
    base = write_run(tmp_path / "a", {"mcd": same, "lsd": same})
    new = write_run(tmp_path / "b", {"mcd": same + 9, "lsd": same + 9})
    rules = Rules(
        columns={"lsd": ColumnRule(margin=Margin(1.0)), "mcd": ColumnRule(is_ignored=True)}
    )
    gate = gate_runs(base, new, rules)
    assert [each.found.name for each in gate.decisions] == ["lsd"]
    assert [each.name for each in gate.information] == ["mcd"]
    assert "ignored by the rules: mcd" in gate.notes


def test_a_rule_that_has_no_effect_is_reported(mcd_runs):
    rules = Rules(primary=("mcd",), columns={"ib": ColumnRule(margin=Margin(1.0))})
    assert "not primary, so their rules have no effect: ib" in gate_runs(*mcd_runs(0), rules).notes


def test_a_column_missing_from_one_run_is_not_tested_and_fails_if_it_is_required(tmp_path):
    base = write_run(tmp_path / "a", {"mcd": np.ones(9), "ib": np.ones(9)})
    new = write_run(tmp_path / "b", {"mcd": np.ones(9)})
    gate = gate_runs(base, new, Rules())
    outcomes = {each.found.name: each.outcome for each in gate.decisions}
    assert outcomes == {"mcd": "not worse", "ib": "not tested"}
    assert gate.has_passed
    assert not gate_runs(base, new, Rules(), require_equivalence=True).has_passed
    with pytest.raises(BenchError, match="no primary column that can be tested: .* has no ib"):
        gate_runs(base, new, Rules(primary=("ib",)))


def test_runs_over_other_clips_are_refused_and_a_few_lost_ones_are_noted(tmp_path):
    names = [f"c{i:03}" for i in range(200)]
    base = write_run(tmp_path / "a", {"mcd": np.zeros(200)}, names=names)
    few = write_run(tmp_path / "b", {"mcd": np.zeros(198)}, names=names[2:])
    many = write_run(tmp_path / "c", {"mcd": np.zeros(197)}, names=names[3:])
    none = write_run(tmp_path / "d", {"mcd": np.zeros(3)}, names=["x", "y", "z"])
    gate = gate_runs(base, few, Rules())
    assert gate.decisions[0].found.n == 198
    assert gate.notes == (
        "2 of 200 clips are scored by only one of the runs (c000, c001) and left out",
    )
    with pytest.raises(BenchError, match="3 of 200 clips .* expected at most 1 %"):
        gate_runs(base, many, Rules())
    assert gate_runs(base, many, Rules(), max_differ=0.02).has_passed
    with pytest.raises(BenchError, match="no scored clip in common"):
        gate_runs(base, none, Rules(), max_differ=1.0)


def test_clips_that_both_runs_lost_are_counted(tmp_path):
    base = write_run(tmp_path / "a", {"mcd": np.zeros(9)}, expected=12)
    assert "3 of 12 clips have no score in either run" in gate_runs(base, base, Rules()).notes


def test_other_columns_that_only_one_run_has_are_named(tmp_path):
    base = write_run(tmp_path / "a", {"mcd": np.zeros(9), "lsd": np.zeros(9)})
    new = write_run(tmp_path / "b", {"mcd": np.zeros(9)})
    assert gate_runs(base, new, Rules()).notes == ("without a value in both runs: lsd",)


def test_distances_of_another_version_of_the_suite_are_not_computed_again(set_runs):
    base, new = set_runs(0.5)
    for run in (base, new):
        results = replace(load_results(run), suite_version=SUITE_VERSION - 1)
        write_results(run, results)
    with pytest.raises(BenchError, match="scored by suite version .* run both again"):
        gate_runs(base, new, Rules())


def test_scores_that_one_run_lost_in_one_column_are_reported(tmp_path):
    lost = np.ones(200)
    lost[:5] = np.nan
    base = write_run(tmp_path / "a", {"mcd": np.ones(200), "ib": np.ones(200)})
    new = write_run(tmp_path / "b", {"mcd": np.ones(200), "ib": lost})
    ib = gate_runs(base, new, Rules()).decisions[0]
    assert (ib.outcome, ib.found.name) == ("not tested", "ib")
    assert ib.found.reason == "5 of 200 clips have a score in only one of the runs"
    gate = gate_runs(base, new, Rules(), max_differ=0.03)
    assert gate.decisions[0].outcome == "not worse"
    assert gate.notes == (
        "ib: 5 of 200 clips have a score in only one of the runs and are left out",
    )


def test_one_cluster_is_no_evidence(tmp_path):
    base = write_run(tmp_path / "a", {"mcd": np.zeros(9)}, clusters=["t"] * 9)
    new = write_run(tmp_path / "b", {"mcd": np.ones(9)}, clusters=["t"] * 9)
    with pytest.raises(BenchError, match="1 clusters of clips have a score, expected at least 2"):
        gate_runs(base, new, Rules())


@pytest.fixture
def set_runs(home, tmp_path, rng):
    """Write two runs whose embeddings lie around the truth, the new one further off."""

    def call(further: float):
        true = rng.normal(size=(60, 4)).astype(np.float32)
        near = true + rng.normal(0.5, 0.2, true.shape).astype(np.float32)
        return (
            write_embeddings(tmp_path / "base", true, near),
            write_embeddings(tmp_path / "new", true, near + np.float32(further)),
        )

    return call


def test_the_distance_of_sets_is_tested_from_the_features(set_runs):
    base, new = set_runs(0.5)
    gate = gate_runs(base, new, Rules())
    (decision,) = gate.decisions
    first, second = (each.metrics["fd_vgg"].value for each in (gate.base, gate.new))
    assert decision.found.value == pytest.approx(second - first)
    assert decision.found.base == pytest.approx(first)
    assert decision.outcome == "regression"


def test_the_features_of_a_run_are_found_from_its_scores_of_a_part_or_another_judge(set_runs):
    inside = []
    for run in set_runs(0.5):
        inside.append(run / "first-60" / "mini-strict")
        inside[-1].mkdir(parents=True)
        for name in ("scores.json", "scores.parquet"):
            (run / name).rename(inside[-1] / name)
    assert gate_runs(*inside, Rules()).decisions[0].outcome == "regression"


def test_sets_of_fewer_clips_than_dimensions_are_tested_too(home, tmp_path, rng):
    """A single distance of so few has no interval; the difference of two over the same has one."""
    true = rng.normal(size=(40, 64)).astype(np.float32)
    near, far = (true + rng.normal(off, 0.2, true.shape).astype(np.float32) for off in (0, 0.5))
    runs = [
        write_embeddings(tmp_path / name, true, made) for name, made in (("a", near), ("b", far))
    ]
    (decision,) = gate_runs(*runs, Rules()).decisions
    assert decision.outcome == "regression"
    assert 0 < decision.found.estimate.standard_error < decision.found.value / 5


def test_equal_sets_are_not_worse(set_runs):
    assert gate_runs(*set_runs(0.0), Rules()).decisions[0].outcome == "not worse"


def test_a_set_column_of_too_few_clips_is_not_tested(home, tmp_path, rng):
    true = rng.normal(size=(12, 5)).astype(np.float32)
    runs = [
        write_embeddings(tmp_path / name, true, true + np.float32(0.1), column="is_panns")
        for name in ("base", "new")
    ]
    with pytest.raises(
        BenchError, match="12 clips: an interval of the inception score needs at least"
    ):
        gate_runs(*runs, Rules(primary=("is_panns",)))


@pytest.mark.parametrize("gone", ["features", "journal.jsonl"])
def test_a_distance_whose_features_are_gone_is_not_tested_with_the_reason(set_runs, tmp_path, gone):
    base, new = set_runs(0.5)
    shutil.rmtree(new / gone) if gone == "features" else (new / gone).unlink()
    reason = (
        "cannot read the features"
        if gone == "features"
        else "has no journal entry for the features"
    )
    with pytest.raises(BenchError, match=f"no primary column that can be tested: .*{reason}"):
        gate_runs(base, new, Rules())


def test_a_distance_of_a_run_of_the_true_audio_is_tested_from_the_features_that_all_share(
    set_runs, home
):
    base, new = set_runs(0.5)
    expected = gate_runs(base, new, Rules()).decisions
    shutil.copytree(new / "features", shared_root("mini"), dirs_exist_ok=True)
    shutil.rmtree(new / "features")
    assert gate_runs(base, new, Rules()).decisions == expected


def test_a_distance_that_does_not_decide_is_printed_without_an_interval(tmp_path):
    scores = {"mcd": np.ones(9)}
    base = write_run(tmp_path / "a", scores, of_set={"fd_vgg": 2.0})
    new = write_run(tmp_path / "b", scores, of_set={"fd_vgg": 9.0})
    (found,) = gate_runs(base, new, Rules(primary=("mcd",))).information
    assert (found.name, found.value, found.n) == ("fd_vgg", 7.0, 9)
    assert np.isnan(found.low)


def test_the_scores_of_each_run_are_read_once(mcd_runs, monkeypatch):
    read, found = pd.read_parquet, []
    monkeypatch.setattr(pd, "read_parquet", lambda path: found.append(path) or read(path))
    base, new = mcd_runs(0.0, 0.1)
    gate_runs(base, new, Rules())
    assert found == [base / "scores.parquet", new / "scores.parquet"]
