"""No confirmed vote is lost, and none counts twice, whenever the server is killed."""

from __future__ import annotations

import pytest

from bench.study.store import open_store
from tests.study.load import answer_under_load, compare_with_store
from tests.study.served import write_served_study

N_RATERS, N_TRIALS, N_KILLS = 60, 8, 10


@pytest.mark.slow
def test_votes_outlive_ten_kills_of_the_server(tmp_path):
    study = write_served_study(tmp_path / "study")
    load, n_kills = answer_under_load(study, N_RATERS, N_KILLS, pause_s=8.0)
    assert n_kills == N_KILLS
    assert load.retries
    assert len(load.confirmed) == N_RATERS * N_TRIALS
    assert compare_with_store(study, load) == (0, 0)
    # Consent that was asked for again, after a lost reply, made no second session.
    store = open_store(study)
    assert len(store.read_sessions()) == N_RATERS
    store.close()
