"""From votes to tables: exclusions are counted, known preferences come back, figures are drawn."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from bench.cli.study_tables import print_analysis
from bench.errors import BenchError
from bench.study.analyse import analyse_study, to_json
from bench.study.assignment import Trial
from bench.study.export import format_answers, format_comments
from bench.study.forest import plot_forest, require_figure
from bench.study.scores import correlate_scores
from bench.study.sessions import Answer, SessionRow
from bench.study.simulate import PAPER_TRUTH, Raters, Truth, simulate_study
from bench.study.statistics import binomial_interval
from bench.study.store import open_store
from bench.study.table3 import PUBLISHED, make_table
from bench.study.votes import Vote, count_votes, find_broken_rule
from tests.study.designs import make_design, write_study

COLUMNS = [
    {"name": "desync", "label": "DeSync", "better": "lower"},
    {"name": "mcd", "label": "MCD", "better": "lower"},
]


def write_simulable(folder, **changes):
    """A study without media, whose first column goes with nothing and has a gap."""
    design = make_design(**changes)
    write_study(folder, design)
    (folder / "private").mkdir()
    rng = np.random.default_rng(3)
    scores = {
        system: {
            column["name"]: {clip.name: float(rng.normal()) for clip in design.clips[:-1]}
            for column in COLUMNS
        }
        for system in design.systems
    }
    content = {"judge": "mini", "columns": COLUMNS, "scores": scores}
    (folder / "private" / "scores.json").write_text(json.dumps(content))
    return folder


def answer(kind, choice, position=1, question="fidelity", a="one", b="two", elapsed_s=30.0):
    return Answer(0, Trial(position, kind, "clip_000000", a, b), question, choice, elapsed_s)


def mains(choices, **about):
    return [answer("main", choice, place, **about) for place, choice in enumerate(choices)]


@pytest.mark.parametrize(
    ("answers", "rule"),
    [
        (mains("ab" * 8), ""),
        (mains("ab" * 8) + [answer("mismatch", "a", 30, a="other", b="true")], "max_failed_checks"),
        (mains("ab" * 8) + [answer("mismatch", "b", 30, a="other", b="true")], ""),
        (mains("ab" * 8) + [answer("practice", "a", 30, a="other", b="true")], ""),
        (mains("ab" * 8) + [answer("mismatch", "tie", 30, "sync", a="other", b="true")], ""),
        (mains("ab" * 4), ""),
        (mains("ab" * 3), "min_answered"),
        ([], "min_answered"),
        (mains("ab" * 8, elapsed_s=7.9), "min_median_s"),
        (mains("a" * 16), "max_same_side"),
        (mains("a" * 14 + "bb"), ""),
        (mains("a" * 9), ""),
    ],
)
def test_rules_leave_out_raters(answers, rule):
    assert find_broken_rule(make_design(), answers) == rule


def test_votes_are_of_systems_not_of_sides_and_sessions_without_answers_count():
    design = make_design(4, rules=replace(make_design().rules, min_answered=0.0))
    given = [
        answer("main", "a", 1, a="one", b="two"),
        answer("main", "a", 2, a="two", b="one"),
        answer("main", "tie", 3, "sync"),
        answer("identical", "a", 4, a="one", b="one"),
        answer("identical", "tie", 4, "sync", a="one", b="one"),
        answer("mismatch", "a", 5, a="true", b="other"),
    ]
    sessions = [SessionRow(0, "rater", 8, 4), SessionRow(1, "rater", 8, 0)]
    found = count_votes(design, sessions, given)
    assert [vote.outcome for vote in found.votes] == [1, -1, 0]
    assert found.excluded == {"min_answered": (1,)}
    assert found.checks == (found.checks.__class__)(1, 0, 2, 1, 1)


def test_simulated_preferences_are_recovered(tmp_path):
    study = write_simulable(tmp_path / "study")
    assert simulate_study(study, Raters(30), PAPER_TRUTH) == 30 * 20
    found = analyse_study(study)
    assert found.n_counted == found.n_sessions == 30
    for question in found.questions:
        (pair,) = question.pairs
        assert sum(pair.counts) == 480
        for name, rate in pair.rates.items():
            expected = getattr(PAPER_TRUTH[question.question.name], name, None)
            assert rate.truth == pytest.approx(expected) if expected else rate.truth > 0
            assert rate.two_way.low <= rate.truth <= rate.two_way.high
    assert "tie" not in found.questions[0].pairs[0].rates
    assert found.title == "Human study of one and two (simulated raters, mini clips)"


def test_careless_raters_are_left_out_and_counted(tmp_path):
    study = write_simulable(tmp_path / "study")
    simulate_study(study, Raters(24, careless=0.5), {**PAPER_TRUTH, "fidelity": Truth(0.95, 0.0)})
    found = analyse_study(study)
    assert 4 <= found.excluded["max_failed_checks"] <= 18
    assert found.n_counted + sum(found.excluded.values()) == 24
    assert found.checks.failed >= found.excluded["max_failed_checks"]
    assert found.questions[0].pairs[0].rates["win"].two_way.value > 0.85


def test_three_systems_have_strengths_in_their_order(tmp_path):
    study = write_simulable(tmp_path / "study", systems=("x", "y", "z"))
    simulate_study(study, Raters(40), {"fidelity": Truth(0.7, 0.0), "sync": Truth(0.5, 0.3)})
    found = analyse_study(study)
    for question, gap in zip(found.questions, (math.log(7 / 3), math.log(5 / 2)), strict=True):
        assert len(question.pairs) == 3
        for estimate, truth in zip(question.strengths.systems, (gap, 0.0, -gap), strict=True):
            assert estimate.low <= truth <= estimate.high
    assert found.questions[0].strengths.tie is None
    assert found.questions[1].strengths.tie is not None
    plot_forest(found, tmp_path / "forest.png")


def test_the_same_raters_again_give_the_same_numbers(tmp_path):
    found = []
    for name in ("one", "two"):
        study = write_simulable(tmp_path / name)
        simulate_study(study, Raters(6, seed=4), PAPER_TRUTH)
        found.append(to_json(analyse_study(study)))
    assert found[0] == found[1]
    assert json.loads(json.dumps(found[0], allow_nan=False)) == found[0]
    assert found[0]["design"]["is_mini"] is True


@pytest.mark.parametrize(
    ("raters", "truth", "message"),
    [
        (Raters(1, 0.6, 0.4), PAPER_TRUTH, "sum to less than 1, got 0.6 and 0.4"),
        (Raters(1), {"sync": Truth(0.5, 0.1)}, "a truth for each question of fidelity, sync"),
        (Raters(1), {**PAPER_TRUTH, "sync": Truth(0.8, 0.2)}, "below 1 together, got 0.8 and 0.2"),
        (Raters(1), {**PAPER_TRUTH, "fidelity": Truth(0.5, 0.2)}, "has no choice for a tie"),
    ],
)
def test_preferences_that_cannot_be_are_refused(tmp_path, raters, truth, message):
    study = write_simulable(tmp_path / "study")
    with pytest.raises(BenchError, match=message):
        simulate_study(study, raters, truth)


def test_a_study_is_simulated_once_and_without_votes_there_is_no_analysis(tmp_path):
    study = write_simulable(tmp_path / "study")
    for read in (analyse_study, format_answers, format_comments):
        with pytest.raises(BenchError, match="has no answers yet"):
            read(study)
    assert not (study / "study.sqlite").exists()
    simulate_study(study, Raters(2), PAPER_TRUTH)
    with pytest.raises(BenchError, match=r"has 2 sessions already: .*delete the files study.s"):
        simulate_study(study, Raters(2), PAPER_TRUTH)


@pytest.mark.parametrize("error", [KeyboardInterrupt, BenchError])
def test_a_simulation_that_is_stopped_leaves_no_session(tmp_path, error):
    def stop(done, total):
        if done == 3:
            raise error

    stopped, whole = (write_simulable(tmp_path / name) for name in ("stopped", "whole"))
    with pytest.raises(error):
        simulate_study(stopped, Raters(5), PAPER_TRUTH, stop)
    with pytest.raises(BenchError, match="has no votes that count: 0 sessions"):
        analyse_study(stopped)
    for study in (stopped, whole):
        simulate_study(study, Raters(5), PAPER_TRUTH)
    assert format_answers(stopped) == format_answers(whole)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("truth.json", "{", "cannot read .*truth.json as JSON"),
        ("truth.json", "[]", "does not have the preferences of simulated raters"),
        ("truth.json", '{"sync": {"win": 0.5}}', "the preferences of simulated raters .'tie'"),
        ("truth.json", '{"sync": {"win": 0.5, "tie": 0.1}}', "a truth for each question"),
        ("truth.json", '{"sync": {"win": "x", "tie": 0.1}}', "restore a copy of it"),
        ("scores.json", "[]", "does not have the scores of one and two"),
        ("scores.json", '{"judge": "mini"}', "restore a copy of it"),
        ("scores.json", '{"judge": 3, "columns": [], "scores": {}}', "restore a copy of it"),
        ("scores.json", None, "cannot read .*scores.json as JSON"),
        ("columns", [{"name": "mcd", "label": "MCD", "better": "x"}], "the scores of one and two"),
        ("columns", [{"name": "x", "label": "X", "better": "lower"}], "the scores of one and two"),
        ("scores", {"one": {"mcd": {}, "desync": {}}}, "does not have the scores of one and two"),
        ("scores", {"one": {"mcd": {"a": "x"}}}, "does not have the scores of one and two"),
    ],
)
def test_a_private_file_that_was_damaged_is_one_clear_line(tmp_path, name, content, message):
    study = write_simulable(tmp_path / "study", n_clips=2)
    simulate_study(study, Raters(1), PAPER_TRUTH)
    if content is None:
        (study / "private" / name).unlink()
    elif name.endswith(".json"):
        (study / "private" / name).write_text(content)
    else:
        path = study / "private" / "scores.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), name: content}))
    with pytest.raises(BenchError, match=message) as caught:
        analyse_study(study)
    assert "\n" not in str(caught.value)


def test_metrics_that_raters_agree_with_have_a_positive_correlation():
    design = make_design(8)
    votes, scores = [], {"one": {"good": {}, "bad": {}}, "two": {"good": {}, "bad": {}}}
    for place, clip in enumerate(design.clips):
        # 8 raters, of whom ``place`` prefer the first.
        votes += [Vote(r, clip.name, "sync", 0, 1, 1 if r < place else -1) for r in range(8)]
        for system, value in (("one", place**2), ("two", 1.0)):
            scores[system]["good"][clip.name] = float(value)
            scores[system]["bad"][clip.name] = float(value + 3 * (place == 0))
    columns = [
        {"name": "good", "label": "Good", "better": "higher"},
        {"name": "bad", "label": "Bad", "better": "lower"},
    ]
    found = correlate_scores(design, votes, {"columns": columns, "scores": scores})
    by_name = {each.column: each.spearman.value for each in found if each.question == "sync"}
    assert by_name["good"] == pytest.approx(1.0)
    assert by_name["bad"] < -0.5
    # The other question has no votes at all.
    assert all(math.isnan(e.spearman.value) for e in found if e.question == "fidelity")


def test_table_3_has_the_papers_values_beside(tmp_path):
    study = write_simulable(tmp_path / "study")
    simulate_study(study, Raters(6), PAPER_TRUTH)
    rows = make_table(analyse_study(study))
    assert [row.published.percent for row in rows] == [61.1, 21.8, 83.5]
    assert all(row.measured.truth == pytest.approx(row.published.percent / 100) for row in rows)
    for each in PUBLISHED:
        plain = binomial_interval(round(each.percent * each.n / 100), each.n)
        assert round(100 * (plain.high - plain.value), 1) == each.half_percent
        assert each.clustered_half_percent == pytest.approx(each.half_percent * 1.323, abs=0.1)


def test_the_export_names_systems_and_reasons(tmp_path):
    study = write_simulable(tmp_path / "study")
    simulate_study(study, Raters(2, careless=1.0, seed=1), PAPER_TRUTH)
    rows = list(csv.DictReader(io.StringIO(format_answers(study))))
    assert len(rows) == 2 * 20 * 2
    assert {row["source"] for row in rows} == {"simulated"}
    for row in rows:
        assert row["chosen"] == ("tie" if row["choice"] == "tie" else row[row["choice"]])
    by_session = {row["session"]: row["excluded_by"] for row in rows}
    assert "max_failed_checks" in by_session.values()


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_forest_plot_is_drawn_and_repeats(tmp_path, suffix):
    study = write_simulable(tmp_path / "study", n_clips=5)
    simulate_study(study, Raters(4), PAPER_TRUTH)
    found = analyse_study(study)
    files = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in files:
        plot_forest(found, path)
    assert files[0].read_bytes() == files[1].read_bytes()
    if suffix == ".png":
        with Image.open(files[0]) as image:
            assert min(image.size) > 300
    if suffix == ".svg":
        assert "Date" not in files[0].read_text()
    with pytest.raises(BenchError, match=r"a figure is .png, .svg, .pdf"):
        require_figure(tmp_path / "forest.bmp")


@pytest.mark.slow
def test_whole_studies_cover_the_truth(tmp_path):
    truth, covered = PAPER_TRUTH, []
    for seed in range(25):
        study = write_simulable(tmp_path / f"{seed}")
        simulate_study(study, Raters(16, seed=seed), truth)
        for question in analyse_study(study).questions:
            for name in ("win", "tie") if question.question.tie else ("win",):
                rate = question.pairs[0].rates[name]
                covered.append(rate.two_way.low <= rate.truth <= rate.two_way.high)
    print(np.mean(covered))
    assert np.mean(covered) >= 0.88  # 75 intervals: 0.95 with an error of 0.03


def test_without_the_package_of_agreement_the_rest_is_analysed(tmp_path, monkeypatch):
    study = write_simulable(tmp_path / "study", n_clips=3)
    simulate_study(study, Raters(2), PAPER_TRUTH)
    monkeypatch.setattr("bench.study.analyse.has_module", lambda name: False)
    found = analyse_study(study)
    assert "pip install 'foley-bench[study]'" in found.questions[0].alpha.reason
    assert found.questions[0].pairs


def test_a_mixed_logit_stands_beside_where_it_is_asked_for(tmp_path, monkeypatch, capsys):
    study = write_simulable(tmp_path / "study", n_clips=6)
    simulate_study(study, Raters(8), PAPER_TRUTH)
    assert analyse_study(study).questions[0].pairs[0].rates["win"].mixed is None
    found = analyse_study(study, is_mixed=True)
    mixed = found.questions[0].pairs[0].rates["win"].mixed
    print_analysis(found)
    assert f"{100 * mixed.low:.1f} – {100 * mixed.high:.1f}" in capsys.readouterr().out
    monkeypatch.setattr("bench.study.mixed_logit.has_module", lambda name: False)
    print_analysis(analyse_study(study, is_mixed=True))
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count("pip install 'foley-bench[mixed-logit]'") == 1


def test_comments_are_exported_as_text(tmp_path):
    study = write_simulable(tmp_path / "study")
    store = open_store(study)
    token = store.create_session().token
    store.add_comment(token, 'too late, "b" was', 3)
    store.add_comment(token, "=HYPERLINK(1)")
    store.close()
    rows = list(csv.reader(io.StringIO(format_comments(study))))
    assert rows[1:] == [["0", "3", 'too late, "b" was'], ["0", "", "'=HYPERLINK(1)"]]
