"""Table 3 as results: from either side of the pair, and the published values beside."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from bench.errors import BenchError
from bench.study.analyse import analyse_study
from bench.study.create import StudyOptions
from bench.study.rehearse import is_rehearsed, rehearse_study
from bench.study.simulate import PAPER_TRUTH, Raters, simulate_study
from bench.study.store import RATER, open_store
from bench.study.table3 import COLUMNS, PUBLISHED, as_results
from reports.published import load_table
from tests.study.conftest import ignore
from tests.study.test_analyse import write_simulable


@pytest.fixture(scope="module")
def analysis(tmp_path_factory):
    study = write_simulable(tmp_path_factory.mktemp("table3") / "study")
    simulate_study(study, Raters(12), PAPER_TRUTH)
    return analyse_study(study)


def test_the_rates_are_those_of_the_first_system_in_percent(analysis):
    results, plain = as_results(analysis, "one", "two")
    fidelity, sync = (each.pairs[0] for each in analysis.questions)
    expected = {
        "temporal_win": sync.rates["win"],
        "temporal_tie": sync.rates["tie"],
        "fidelity_win": fidelity.rates["win"],
    }
    for name, rate in expected.items():
        score = results.metrics[name]
        assert score.value == pytest.approx(100 * rate.two_way.value)
        assert (score.low, score.high) == pytest.approx(
            (100 * rate.two_way.low, 100 * rate.two_way.high)
        )
        assert plain[name].high == pytest.approx(100 * rate.binomial.high)
        assert score.n == 12 * 16
    assert results.judge == "simulated raters"
    assert results.is_mini
    assert "their votes state nothing about the systems" in " ".join(results.notes)


def test_the_other_way_round_wins_are_losses(analysis):
    results, _ = as_results(analysis, "two", "one")
    sync = analysis.questions[1].pairs[0]
    assert results.metrics["temporal_win"].value == pytest.approx(
        100 * sync.rates["loss"].two_way.value
    )
    assert results.metrics["temporal_tie"].value == pytest.approx(
        100 * sync.rates["tie"].two_way.value
    )


def test_other_systems_are_refused(analysis):
    with pytest.raises(BenchError, match="the study compares one and two, not one and three"):
        as_results(analysis, "one", "three")


def test_votes_of_people_are_not_called_simulated(analysis):
    results, _ = as_results(replace(analysis, is_simulated=False), "one", "two")
    assert results.judge == "raters"
    assert "simulated" not in " ".join(results.notes)


def test_the_published_table_agrees_with_the_bars_of_the_study():
    table = load_table(3)
    (row,) = table.rows
    by_question = {(each.question, each.outcome): each for each in PUBLISHED}
    bars = []
    for column in table.columns:
        question, outcome, _ = COLUMNS[column.metric]
        each = by_question[question, outcome]
        assert row.values[column.name] == each.percent
        assert row.half_widths[column.name] == each.half_percent
        bars.append(f"{each.clustered_half_percent:.1f}")
    (note,) = table.paper_notes
    assert re.findall(r"\d\.\d", note)[-3:] == bars


def test_a_rehearsal_is_kept_for_the_same_runs_and_never_replaces_people(
    run_folders, mini_home, tmp_path, monkeypatch
):
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    options = StudyOptions(tuple(run_folders[:2]), tmp_path / "rehearsal", videos=2)
    assert not is_rehearsed(options, 3)
    rehearse_study(options, Raters(3), ignore)
    assert [path.name for path in tmp_path.iterdir()] == ["rehearsal"]
    assert is_rehearsed(options, 3)
    assert not is_rehearsed(options, 4)
    assert not is_rehearsed(replace(options, videos=3), 3)
    other = replace(options, runs=tuple(run_folders[1:]))
    assert not is_rehearsed(other, 3)
    rehearse_study(other, Raters(2), ignore)
    assert is_rehearsed(other, 2)
    assert not is_rehearsed(options, 3)
    # People have answered: it stays as it is.
    people = StudyOptions(tuple(run_folders[:2]), tmp_path / "people", videos=2)
    rehearse_study(people, Raters(1), ignore)
    store = open_store(people.out)
    store._connection.execute("UPDATE sessions SET source = ?", (RATER,))
    store.close()
    assert not is_rehearsed(people, 1)
    with pytest.raises(BenchError, match="is no study of simulated raters"):
        rehearse_study(people, Raters(1), ignore)
    assert (people.out / "study.sqlite").is_file()
