"""The store: idempotent votes for assigned trials, threads, a kill in the middle."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.errors import BenchError
from bench.study.analyse import analyse_study
from bench.study.assignment import assign_trials
from bench.study.database import TABLES
from bench.study.export import format_codes
from bench.study.sessions import RefusedError
from bench.study.store import SIDES, open_store
from tests.conftest import ROOT
from tests.study.designs import make_design, write_study

ANSWERS = {"fidelity": "a", "sync": "tie"}


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path / "study")


@pytest.fixture
def store(study):
    opened = open_store(study)
    yield opened
    opened.close()


def play(store, token, position):
    store.record_plays(token, position, dict.fromkeys(SIDES, 8.0))


def vote(store, token, position, key="key", answers=ANSWERS):
    play(store, token, position)
    return store.record_vote(token, position, answers, key, 30.0)


def test_sessions_have_the_trials_of_their_number(store):
    tokens = [store.create_session().token for _ in range(3)]
    assert len(set(tokens)) == 3
    for number, token in enumerate(tokens):
        found = store.find_session(token)
        assert found.number == number
        assert found.trials == assign_trials(store.design, number)
        assert found.next_trial == found.trials[0]


def test_a_session_goes_on_where_it_was_and_ends_with_its_code(store):
    token = store.create_session().token
    trials = store.find_session(token).trials
    for trial in trials:
        assert store.find_session(token).next_trial == trial
        assert store.find_session(token).completion_code == ""
        assert vote(store, token, trial.position)
    found = store.find_session(token)
    assert found.next_trial is None
    assert len(found.completion_code) == 10


def test_the_same_vote_again_changes_nothing(store):
    token = store.create_session().token
    assert vote(store, token, 0) is True
    assert vote(store, token, 0) is False
    assert len(store.read_answers()) == 2
    with pytest.raises(RefusedError, match="trial 0 has its vote already") as caught:
        vote(store, token, 0, key="other")
    assert caught.value.reason == "conflict"


@pytest.mark.parametrize(
    ("token", "position", "answers", "key", "reason"),
    [
        ("wrong", 0, ANSWERS, "k", "unknown"),
        ("\udcff", 0, ANSWERS, "k", "unknown"),
        (None, 99, ANSWERS, "k", "unknown"),
        (None, -1, ANSWERS, "k", "unknown"),
        (None, 0, {"fidelity": "a"}, "k", "invalid"),
        (None, 0, {**ANSWERS, "more": "a"}, "k", "invalid"),
        (None, 0, {"fidelity": "tie", "sync": "a"}, "k", "invalid"),
        (None, 0, ANSWERS, "", "invalid"),
        (None, 0, ANSWERS, "k" * 101, "invalid"),
        (None, 0, ANSWERS, "k", "unplayed"),
    ],
)
def test_a_wrong_vote_is_refused_and_leaves_nothing(store, token, position, answers, key, reason):
    own = store.create_session().token
    with pytest.raises(RefusedError) as caught:
        store.record_vote(token or own, position, answers, key, 1.0)
    assert caught.value.reason == reason
    assert store.read_answers() == []
    assert vote(store, own, 0)


def test_each_video_must_play_for_long_enough(store):
    token = store.create_session().token
    store.record_plays(token, 0, {"true": 5.0, "a": 5.0})
    store.record_plays(token, 0, {"b": 4.9})
    with pytest.raises(RefusedError, match="not played for long enough: b"):
        store.record_vote(token, 0, ANSWERS, "k", 1.0)
    for wrong in ({"c": 5.0}, {"b": -1.0}, {"b": float("nan")}):
        with pytest.raises(RefusedError, match="expected a side"):
            store.record_plays(token, 0, wrong)
    store.record_plays(token, 0, {"b": 5.0})
    assert store.record_vote(token, 0, ANSWERS, "k", 1.0)


def test_a_trial_of_another_session_cannot_be_answered(tmp_path):
    short = write_study(tmp_path / "short", make_design(2))
    store = open_store(short)
    one, other = (store.create_session().token for _ in range(2))
    vote(store, one, 0)
    assert store.find_session(other).answered == frozenset()
    assert vote(store, other, 0)
    store.close()


def test_answers_name_the_systems_and_sessions_no_token(store, study):
    made = store.create_session()
    vote(store, made.token, 1)
    first, second = store.read_answers()
    assert (first.question, first.choice, first.session) == ("fidelity", "a", 0)
    assert first.trial == store.find_session(made.token).trials[1]
    assert second.elapsed_s == 30.0
    assert store.read_sessions()[0].n_answered == 1
    store.close()
    content = b"".join(path.read_bytes() for path in study.glob("study.sqlite*"))
    assert made.token.encode() not in content


def test_comments_are_kept_and_have_a_limit(store):
    token = store.create_session().token
    store.add_comment(token, "B was late", 2)
    store.add_comment(token, "good study")
    assert store.read_comments() == [(0, 2, "B was late"), (0, None, "good study")]
    for text, position in (("", None), ("x" * 2001, None), ("x", 99)):
        with pytest.raises(RefusedError):
            store.add_comment(token, text, position)


def test_one_session_cannot_fill_the_disk(store):
    token, other = (store.create_session().token for _ in range(2))
    for number in range(20):
        store.add_comment(token, f"{number}")
    with pytest.raises(RefusedError, match="a session has at most 20 comments"):
        store.add_comment(token, "one more")
    store.add_comment(other, "of another rater")
    for _ in range(333):
        play(store, token, 0)
    with pytest.raises(RefusedError, match=r"a trial has at most 1000 plays"):
        play(store, token, 0)
    # What was played before counts.
    assert store.record_vote(token, 0, ANSWERS, "k", 1.0)
    play(store, token, 1)


def test_codes_are_of_those_who_finished_and_in_no_order_of_sessions(tmp_path):
    store = open_store(write_study(tmp_path / "study", make_design(2, asks_panel_id=True)))
    codes = {}
    for name in ("zoe", "amy", "=x"):
        token = store.create_session(panel_id=name).token
        n_trials = len(store.find_session(token).trials)
        for position in range(n_trials if name != "amy" else 3):
            vote(store, token, position)
        codes[name] = store.find_session(token).completion_code
    store.create_session(panel_id="new")
    assert store.read_codes() == [
        ("=x", codes["=x"], 6, 6),
        ("amy", "", 3, 6),
        ("new", "", 0, 6),
        ("zoe", codes["zoe"], 6, 6),
    ]
    store.close()
    lines = format_codes(tmp_path / "study").splitlines()
    assert lines[0] == "panel_id,completion_code,answered,trials"
    assert lines[1] == f"'=x,{codes['=x']},6,6"


def test_raters_and_simulated_raters_are_never_mixed(store):
    store.create_session()
    with pytest.raises(BenchError, match="never mixed"):
        store.create_session("simulated")


def test_a_panel_id_is_taken_only_where_the_design_asks(store, tmp_path):
    with pytest.raises(RefusedError, match="takes no such panel id"):
        store.create_session(panel_id="P1")
    asking = open_store(write_study(tmp_path / "asking", make_design(asks_panel_id=True)))
    asking.create_session(panel_id="P1")
    asking.close()


def test_threads_that_vote_at_once_lose_and_double_nothing(store):
    tokens = [store.create_session().token for _ in range(8)]

    def answer(number):
        token, position = tokens[number % 8], number // 16
        return vote(store, token, position, key=f"{position}")  # every vote is sent twice

    with ThreadPoolExecutor(8) as pool:
        new = list(pool.map(answer, range(160)))
    assert sum(new) == 80
    assert len(store.read_answers()) == 160
    per_trial = Counter((a.session, a.trial.position) for a in store.read_answers())
    assert set(per_trial.values()) == {2}


def test_sessions_made_by_threads_have_their_own_numbers(store):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: store.create_session().number, range(24)))
    assert sorted(made) == list(range(24))


VOTER = """
import sys
from pathlib import Path
from bench.study.store import open_store
store = open_store(Path(sys.argv[1]))
while True:
    token = store.create_session().token
    for position in range(20):
        store.record_plays(token, position, {"true": 8.0, "a": 8.0, "b": 8.0})
        store.record_vote(token, position, {"fidelity": "b", "sync": "a"}, "k", 1.0)
        print(token, position, flush=True)
"""


def test_a_killed_process_loses_no_acknowledged_vote(study):
    command = [sys.executable, "-c", VOTER, str(study)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    acknowledged = [process.stdout.readline().split() for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [line.split() for line in process.communicate()[0].splitlines()]
    assert len(acknowledged) >= 50
    store = open_store(study)
    for token, position in acknowledged:
        assert int(position) in store.find_session(token).answered
    # Whole votes only: a vote that was cut off left no single answer.
    per_trial = Counter((a.session, a.trial.position) for a in store.read_answers())
    assert set(per_trial.values()) == {2}
    assert len(per_trial) - len(acknowledged) in (0, 1)
    store.close()


def test_a_vote_is_on_the_disk_when_it_is_acknowledged(store, study):
    modes = dict.fromkeys(("journal_mode", "synchronous"))
    for name in modes:
        (modes[name],) = store._connection.execute(f"PRAGMA {name}").fetchone()
    assert modes == {"journal_mode": "wal", "synchronous": 2}
    assert stat.S_IMODE((study / "study.sqlite").stat().st_mode) == 0o600


def test_a_design_that_was_changed_is_refused(store, study):
    store.create_session()
    path = study / "design.toml"
    path.write_text(path.read_text("utf-8").replace("seed = 0", "seed = 1"), encoding="utf-8")
    with pytest.raises(BenchError, match="was changed after the first session"):
        open_store(study)


def test_a_damaged_file_is_one_clear_line(tmp_path):
    study = write_study(tmp_path / "study")
    (study / "study.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(BenchError, match=r"cannot open .*study.sqlite: file is not a database"):
        open_store(study)


def test_answers_that_are_to_be_read_are_not_created(study):
    with pytest.raises(BenchError, match=r"has no answers yet: `bench study serve .*study` takes"):
        open_store(study, is_new=False)
    assert [path.name for path in study.iterdir()] == ["design.toml"]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ("UPDATE trials SET a = 'three' WHERE kind = 'main'", "not of the design .session 0, tria"),
        ("UPDATE trials SET a = b WHERE kind = 'main'", "an answer that is not of the design"),
        ("UPDATE trials SET clip = 'x' WHERE kind = 'main'", "an answer that is not of the design"),
        ("UPDATE trials SET kind = 'x'", "an answer that is not of the design"),
        ("UPDATE answers SET question = 'x' WHERE question = 'sync'", "not of the design"),
        ("UPDATE answers SET choice = 'tie'", "not of the design"),
        ("UPDATE votes SET elapsed_s = 'x'", "not of the design"),
        ("UPDATE sessions SET source = 'x'", "not all of raters or all of simulated ones"),
        ("ALTER TABLE votes DROP COLUMN elapsed_s", "cannot read .*study.sqlite: .*elapsed_s"),
        ("PRAGMA writable_schema = ON; DROP TABLE answers", "has no votes that count"),
    ],
)
def test_a_file_that_was_edited_is_refused(store, study, edit, message):
    token = store.create_session().token
    for position in range(3):
        vote(store, token, position)
    store._connection.execute("PRAGMA foreign_keys = OFF")
    store._connection.executescript(edit)
    with pytest.raises(BenchError, match=message):
        analyse_study(study)


def test_simulated_sessions_are_removed_as_a_whole_and_those_of_raters_never(study):
    store = open_store(study)
    for _ in range(2):
        token = store.create_session("simulated").token
        vote(store, token, 0)
        store.add_comment(token, "x", 0)
    assert store.remove_simulated() == 2
    for table in TABLES:
        assert store._connection.execute(f"SELECT * FROM {table}").fetchall() == []  # noqa: S608
    assert store.create_session().number == 0
    assert store.remove_simulated() == 0
    assert len(store.read_sessions()) == 1
    store.close()


def test_a_full_disk_leaves_no_part_of_a_vote(store):
    token = store.create_session().token
    play(store, token, 0)
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")

    def fill():
        for number in range(10_000):
            store.add_comment(token, f"{number} " * 300)

    with pytest.raises(BenchError, match=r"cannot write .*sqlite: database or disk is full"):
        fill()
    store._connection.execute(f"PRAGMA max_page_count = {pages * 10}")
    assert vote(store, token, 0)
