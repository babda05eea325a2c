"""``bench study serve`` and raters who are simulated over HTTP."""

from __future__ import annotations

import socket

import httpx
import pytest

from bench.study.server.serve import bind
from bench.study.store import RATER, SIMULATED, open_store
from tests.cli.conftest import refused
from tests.study.served import serving, write_served_study


@pytest.fixture
def study(tmp_path):
    return write_served_study(tmp_path / "study")


def test_wrong_input_is_one_clear_line(bench, study, tmp_path):
    refused(bench("study", "serve", tmp_path), "holds no study")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(bench("study", "serve", study, "--port", port), f"port {port}: Address already in")
    refused(bench("study", "serve", study, "--host", "no.such.invalid"), "cannot serve at no.such")
    path = next((study / "media").iterdir())
    path.write_bytes(b"changed")
    refused(bench("study", "serve", study), "1 of 24 videos", "are missing or changed")
    path.unlink()
    refused(bench("study", "serve", study), "1 of 24 videos", "are missing or changed")


@pytest.mark.parametrize(
    ("source", "option", "advice"),
    [(SIMULATED, (), "with --simulated"), (RATER, ("--simulated",), "without --simulated")],
)
def test_raters_and_simulated_ones_are_never_mixed(bench, study, source, option, advice):
    store = open_store(study)
    store.create_session(source)
    store.close()
    refused(bench("study", "serve", study, *option), "sessions of another source", advice)


def test_simulated_raters_answer_over_http_as_they_do_directly(bench, study, tmp_path):
    other = write_served_study(tmp_path / "other")
    options = ("--raters", 3, "--careless", 0.3, "--seed", 4)
    assert "24 votes of 3" in bench("study", "simulate", other, *options).stderr
    with serving(study, "--simulated") as (url, _):
        done = bench("study", "simulate", study, *options, "--url", url)
    assert "24 votes of 3 simulated raters" in done.stderr
    direct, served = (bench("study", "export", each).stdout for each in (other, study))
    assert len(direct.splitlines()) == 1 + 2 * 24
    assert served == direct


def test_simulated_raters_answer_no_real_study(bench, study, tmp_path):
    with serving(study) as (url, _):
        refused(bench("study", "simulate", study, "--url", url), "takes answers of raters")
    refused(bench("study", "simulate", study, "--url", url), "does not answer as a served study")
    store = open_store(study)
    assert store.read_sessions() == []
    store.close()


def test_behind_a_proxy_with_https_the_cookie_is_sent_over_https_alone(study):
    sent = {"agrees": True, "panel_id": "", "key": "k" * 32}
    with serving(study) as (url, _):
        for scheme, is_secure in (("http", False), ("https", True)):
            headers = {"X-Forwarded-Proto": scheme}
            answer = httpx.post(f"{url}/api/sessions", json=sent, headers=headers)
            assert ("secure" in answer.headers["set-cookie"].lower()) is is_secure


def test_answers_do_not_wait_for_the_confirmation_of_their_header():
    with bind("127.0.0.1", 0) as server, socket.create_connection(server.getsockname()):
        connection, _ = server.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_operator_names_contact_and_retention(study):
    with serving(study, "--contact", "<b>zebra</b>", "--retention", "For a year.") as (url, _):
        found = httpx.get(f"{url}/api/study").json()
        page = httpx.get(url).text
    assert (found["contact"], found["retention"]) == ("<b>zebra</b>", "For a year.")
    assert "zebra" not in page
