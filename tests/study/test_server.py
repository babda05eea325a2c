"""The server of a study: who may do what, what is refused, what an answer reveals."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from bench.errors import BenchError
from bench.study.server.app import COOKIE, Survey, create_app
from bench.study.server.guards import MAX_BODY_BYTES, RateLimit
from bench.study.store import RATER, SIMULATED, open_store
from tests.study.served import write_served_study

ANSWERS = {"fidelity": "a", "sync": "tie"}
PLAYED = {"true": 2.0, "a": 2.0, "b": 2.0}
N_TRIALS = 8


@pytest.fixture
def study(tmp_path):
    return write_served_study(tmp_path / "study")


@pytest.fixture
def store(study):
    opened = open_store(study)
    yield opened
    opened.close()


@pytest.fixture
def app(study, store):
    """The server for simulated raters, who may be faster than people."""
    return create_app(study, store, Survey(is_simulated=True))


@pytest.fixture
def rater(app):
    return join(app)


def consent(**changes):
    """What the page sends, with a key of its own."""
    return {"agrees": True, "panel_id": "", "key": secrets.token_hex(24), **changes}


def join(app):
    """A client with a session of its own."""
    client = TestClient(app)
    assert client.post("/api/sessions", json=consent()).status_code == 201
    return client


def present(client):
    return client.get("/api/session").json()["trial"]


def play(client, position, seconds=PLAYED):
    return client.post(f"/api/trials/{position}/plays", json={"seconds": seconds})


def vote(client, position, key="key", answers=ANSWERS):
    sent = {"answers": answers, "key": key, "elapsed_s": 12.5}
    return client.post(f"/api/trials/{position}/vote", json=sent)


def test_a_session_answers_every_trial_once_and_is_given_its_code(rater, store):
    for position in range(N_TRIALS):
        found = rater.get("/api/session").json()
        assert (found["n_answered"], found["n_trials"]) == (position, N_TRIALS)
        assert found["completion_code"] == ""
        assert found["trial"]["position"] == position
        assert found["trial"]["is_practice"] == (position == 0)
        assert play(rater, position).status_code == 204
        assert vote(rater, position).status_code == 201
    found = rater.get("/api/session").json()
    assert found["trial"] is None
    assert len(found["completion_code"]) == 10
    assert len(store.read_answers()) == 2 * N_TRIALS
    assert {each.elapsed_s for each in store.read_answers()} == {12.5}
    assert [each.source for each in store.read_sessions()] == [SIMULATED]


def test_the_same_vote_again_is_confirmed_and_another_one_refused(rater, store):
    play(rater, 0)
    assert vote(rater, 0).status_code == 201
    again = vote(rater, 0)
    assert (again.status_code, again.json()) == (200, {"is_new": False})
    assert vote(rater, 0, key="other").status_code == 409
    assert len(store.read_answers()) == 2


@pytest.mark.parametrize("side", ["true", "a", "b"])
def test_a_vote_counts_only_after_every_video_was_played(rater, store, side):
    play(rater, 0, {**PLAYED, side: 1.8})
    refused = vote(rater, 0)
    assert (refused.status_code, refused.json()["reason"]) == (403, "unplayed")
    assert side in refused.json()["error"]
    play(rater, 0, {side: 1.9})
    assert vote(rater, 0).status_code == 201


def test_trials_come_in_order(rater):
    for answer in (play(rater, 1), vote(rater, 1)):
        assert (answer.status_code, answer.json()["error"]) == (409, "trial 0 comes first")
    for position in (N_TRIALS, 2**31, 10**30):
        assert play(rater, position).status_code == 404
        assert vote(rater, position).status_code == 404
    assert rater.post("/api/trials/-1/vote", json={}).status_code == 404


def test_without_consent_there_is_no_session(app, store):
    client = TestClient(app)
    refused = client.post("/api/sessions", json=consent(agrees=False))
    assert refused.status_code == 422
    assert store.read_sessions() == []
    assert client.get("/api/session").status_code == 401


def test_consent_after_a_lost_reply_is_the_same_session(app, store):
    sent, clients = consent(), [TestClient(app) for _ in range(3)]
    assert [client.post("/api/sessions", json=sent).status_code for client in clients] == [
        201,
        200,
        200,
    ]
    assert len({client.cookies[COOKIE] for client in clients}) == 1
    assert len(store.read_sessions()) == 1
    assert present(clients[2])["position"] == 0
    # The key is as hard to guess as a token, and is no token.
    assert TestClient(app, cookies={COOKIE: sent["key"]}).get("/api/session").status_code == 401
    for key in ("", "k" * 31, "k" * 101):
        assert TestClient(app).post("/api/sessions", json=consent(key=key)).status_code == 422
    assert len(store.read_sessions()) == 1


@pytest.mark.parametrize("token", ["", "wrong", "a" * 32, "%00", '"; DROP TABLE votes'])
def test_a_wrong_token_opens_nothing(app, rater, token):
    client = TestClient(app, cookies={COOKIE: token})
    name = present(rater)["media"]["a"]
    assert client.get("/api/session").status_code == 401
    assert client.get(f"/media/{name}.mp4").status_code == 401
    assert play(client, 0).status_code == 401
    assert vote(client, 0).status_code == 401
    assert client.post("/api/comments", json={"text": "x"}).status_code == 401
    assert client.post("/api/resume", json={"token": token}).status_code == 404


def test_the_cookie_is_the_token_and_out_of_reach_of_scripts_and_other_sites(app):
    client = TestClient(app)
    answer = client.post("/api/sessions", json=consent())
    token = answer.json()["token"]
    assert len(token) == 32
    parts = answer.headers["set-cookie"].lower().split("; ")
    assert parts[0] == f"{COOKIE}={token}".lower()
    assert {"httponly", "samesite=strict", "path=/"} <= set(parts)
    assert "secure" not in parts
    secure = TestClient(app, base_url="https://testserver")
    answer = secure.post("/api/sessions", json=consent())
    assert "secure" in answer.headers["set-cookie"].lower()
    assert list(client.cookies) == [COOKIE]


def test_a_session_goes_on_by_its_token_on_another_device(app, rater):
    play(rater, 0)
    vote(rater, 0)
    other = TestClient(app)
    token = rater.cookies[COOKIE]
    assert other.post("/api/resume", json={"token": token}).status_code == 200
    assert present(other)["position"] == 1


def test_answers_outlive_the_server(study, store, rater):
    play(rater, 0)
    vote(rater, 0)
    reopened = open_store(study)
    other = TestClient(
        create_app(study, reopened, Survey(is_simulated=True)), cookies=rater.cookies
    )
    assert present(other)["position"] == 1
    assert vote(other, 0).status_code == 200
    reopened.close()


def test_media_are_sent_in_ranges_to_the_session_that_needs_them(app, rater, study):
    names = present(rater)["media"]
    assert len(set(names.values())) == 3
    for name in names.values():
        content = (study / "media" / f"{name}.mp4").read_bytes()
        whole = rater.get(f"/media/{name}.mp4")
        assert (whole.status_code, whole.content) == (200, content)
        assert whole.headers["content-type"] == "video/mp4"
        part = rater.get(f"/media/{name}.mp4", headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, content[10:20])
        tail = rater.get(f"/media/{name}.mp4", headers={"Range": "bytes=-5"})
        assert (tail.status_code, tail.content) == (206, content[-5:])
        assert rater.get(f"/media/{name}.mp4", headers={"Range": "bytes=9999-"}).status_code == 416
    play(rater, 0)
    vote(rater, 0)
    assert rater.get(f"/media/{names['a']}.mp4").status_code == 404


def test_media_of_other_trials_are_not_sent(rater, study):
    own = set(present(rater)["media"].values())
    others = {path.stem for path in (study / "media").iterdir()} - own
    assert len(others) > 3
    assert {rater.get(f"/media/{name}.mp4").status_code for name in others} == {404}


@pytest.mark.parametrize(
    "path",
    [
        "/media/../private/key.mp4",
        "/media/..%2fprivate%2fkey.mp4",
        "/media/%2e%2e/private/key",
        "/media//etc/passwd.mp4",
        "/private/key",
        "/study.sqlite",
        "/design.toml",
        "/survey.js/../app.py",
        "/media/.mp4",
        "/media/%00.mp4",
    ],
)
def test_no_path_leads_out_of_the_media(rater, study, path):
    (study / "private" / "key.mp4").write_text("secret")
    answer = rater.get(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_nothing_that_is_sent_names_a_system_a_clip_or_a_kind(rater, store):
    design = store.design
    hidden = [*design.systems, "mismatch", "identical", "spare", "clip_", "class "]
    for position in range(N_TRIALS):
        answers = [rater.get("/api/session"), rater.get("/api/study")]
        for name in present(rater)["media"].values():
            answers.append(rater.head(f"/media/{name}.mp4"))
        for answer in answers:
            text = answer.text + json.dumps(dict(answer.headers))
            assert not [word for word in hidden if f'"{word}' in text or f" {word}" in text]
        play(rater, position)
        vote(rater, position)


def test_times_of_files_reveal_no_order(rater, study):
    for age, path in enumerate(sorted((study / "media").iterdir())):
        os.utime(path, (age, age))
    answers = [rater.head(f"/media/{name}.mp4") for name in present(rater)["media"].values()]
    assert len({each.headers["last-modified"] for each in answers}) == 1
    for name, answer in zip(present(rater)["media"].values(), answers, strict=True):
        assert answer.headers["etag"] == f'"{name}"'


def test_the_same_sample_twice_has_two_names(rater, study):
    described = json.loads((study / "private" / "media.json").read_text())
    twins = 0
    for position in range(N_TRIALS):
        a, b = (present(rater)["media"][side] for side in "ab")
        assert a != b
        assert described[a]["clip"] == described[b]["clip"]
        twins += described[a]["source"] == described[b]["source"]
        play(rater, position)
        vote(rater, position)
    assert twins == 1


@pytest.mark.parametrize("path", ["/", "/survey.js", "/survey.css", "/api/study", "/nothing"])
def test_every_answer_has_the_headers_of_security(app, path):
    headers = TestClient(app).get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not {"unsafe-inline", "unsafe-eval", "data:", "http:", "https:", "*"} & set(
        policy.replace("'", "").replace(";", "").split()
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_pages_ask_no_other_host_and_hold_no_inline_code(app):
    client = TestClient(app)
    page, script, style = (client.get(path).text for path in ("/", "/survey.js", "/survey.css"))
    for text in (page, script, style):
        assert "//" not in text.replace("// ", "")
    for word in ("style=", "onclick", "<script>", "<style"):
        assert word not in page
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert word not in script


WRONG_BODIES = [
    b"",
    b"null",
    b"[]",
    b"{",
    b"{}",
    b"[" * 20_000,
    b"\xff",
    b'{"answers": {}, "key": "k", "elapsed_s": 1, "more": 1}',
    b'{"answers": [], "key": "k", "elapsed_s": 1}',
    b'{"answers": {"fidelity": 1, "sync": "a"}, "key": "k", "elapsed_s": 1}',
    b'{"answers": {"fidelity": "c", "sync": "a"}, "key": "k", "elapsed_s": 1}',
    b'{"answers": {"fidelity": "tie", "sync": "a"}, "key": "k", "elapsed_s": 1}',
    b'{"answers": {"fidelity": "a"}, "key": "k", "elapsed_s": 1}',
    b'{"answers": {"fidelity": "a", "sync": "a"}, "key": "", "elapsed_s": 1}',
    b'{"answers": {"fidelity": "a", "sync": "a"}, "key": "\\ud800", "elapsed_s": 1}',
    b'{"answers": {"fidelity": "a", "sync": "a"}, "key": "k", "elapsed_s": NaN}',
    b'{"answers": {"fidelity": "a", "sync": "a"}, "key": "k", "elapsed_s": -1}',
    b'{"answers": {"fidelity": "a", "sync": "a"}, "key": "k", "elapsed_s": true}',
    b'{"answers": {"fidelity": "a", "sync": "a"}, "key": "k", "elapsed_s": 1' + b"0" * 400 + b"}",
]


@pytest.mark.parametrize("body", WRONG_BODIES)
def test_a_wrong_vote_is_refused_and_leaves_nothing(rater, store, body):
    play(rater, 0)
    headers = {"Content-Type": "application/json"}
    answer = rater.post("/api/trials/0/vote", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert store.read_answers() == []
    assert vote(rater, 0).status_code == 201


@pytest.mark.parametrize("seconds", [{"c": 1}, {"a": -1}, {"a": "5"}, {"a": True}, {"a": None}, []])
def test_wrong_plays_are_refused(rater, seconds):
    assert play(rater, 0, seconds).status_code == 422


def test_requests_that_a_foreign_form_can_send_are_refused(rater, store):
    play(rater, 0)
    body = json.dumps({"answers": ANSWERS, "key": "k", "elapsed_s": 1})
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = rater.post("/api/trials/0/vote", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 415
    assert store.read_answers() == []


def test_long_requests_are_refused(rater):
    body = b'{"text": "' + b"x" * MAX_BODY_BYTES + b'"}'
    headers = {"Content-Type": "application/json"}
    assert rater.post("/api/comments", content=body, headers=headers).status_code == 413
    assert rater.post("/api/comments", json={"text": "x" * 2001}).status_code == 422


def test_a_comment_is_stored_as_it_is(rater, store):
    text = "<script>alert(1)</script> ' -- \u2603 \0"
    assert rater.post("/api/comments", json={"text": text}).status_code == 204
    assert store.read_comments() == [(0, None, text)]


def test_panel_ids_are_taken_only_where_the_design_asks(app, tmp_path):
    sent = consent(panel_id="abc")
    assert TestClient(app).post("/api/sessions", json=sent).status_code == 422
    study = write_served_study(tmp_path / "panel", asks_panel_id=True)
    store = open_store(study)
    asking = TestClient(create_app(study, store, Survey()))
    assert asking.get("/api/study").json()["asks_panel_id"] is True
    for panel_id in ("", "  ", "x" * 101):
        wrong = consent(panel_id=panel_id)
        assert asking.post("/api/sessions", json=wrong).status_code == 422
    assert asking.post("/api/sessions", json=sent).status_code == 201
    store.close()


def test_limits_are_per_session(app, rater):
    app.state.server.requests = RateLimit(per_second=0, burst=5)
    other = join(app)
    statuses = [rater.get("/api/session").status_code for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2
    assert rater.get("/api/session").headers["retry-after"] == "1"
    assert other.get("/api/session").status_code == 200


def test_media_and_arrivals_have_limits_of_their_own(app, rater):
    name = present(rater)["media"]["a"]
    app.state.server.ranges = RateLimit(per_second=0, burst=2)
    app.state.server.arrivals = RateLimit(per_second=0, burst=1)
    assert [rater.get(f"/media/{name}.mp4").status_code for _ in range(3)] == [200, 200, 429]
    join(app)
    late = TestClient(app)
    assert late.post("/api/sessions", json=consent()).status_code == 429
    assert late.post("/api/resume", json={"token": "x"}).status_code == 429
    assert present(rater)["position"] == 0


def test_a_bucket_fills_again():
    now = [0.0]
    limit = RateLimit(per_second=2, burst=2, now=lambda: now[0])

    def is_allowed():
        try:
            limit.spend(0)
        except HTTPException:
            return False
        return True

    assert [is_allowed() for _ in range(3)] == [True, True, False]
    now[0] = 0.5
    assert [is_allowed() for _ in range(2)] == [True, False]
    now[0] = 100.0
    assert [is_allowed() for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    "error", [BenchError("cannot write /secret/study.sqlite"), sqlite3.OperationalError("disk")]
)
def test_a_store_that_fails_asks_for_patience_and_names_the_reason_to_the_operator(
    rater, store, monkeypatch, capsys, error
):
    def fail(*_):
        raise error

    monkeypatch.setattr(store, "record_vote", fail)
    answer = vote(rater, 0)
    assert answer.status_code == 503
    assert "secret" not in answer.text
    assert str(error) in capsys.readouterr().err


def test_the_description_of_the_interface_has_every_route(app):
    described = json.loads((Path(__file__).parent / "openapi.json").read_text())["paths"]
    found = {
        route.path.replace(":int", ""): {each.lower() for each in route.methods - {"HEAD"}}
        for route in app.routes
    }
    assert {path: set(methods) for path, methods in described.items()} == found


def test_raters_are_marked_as_such(study, store):
    join(create_app(study, store, Survey()))
    assert [each.source for each in store.read_sessions()] == [RATER]


def test_a_vote_of_a_rater_takes_as_long_as_the_videos_whatever_is_reported(study, store):
    now = [100.0]
    app = create_app(study, store, Survey(), now=lambda: now[0])
    rater = join(app)
    for position in range(2):
        assert present(rater)["position"] == position
        play(rater, position)
        now[0] += 5.0
        present(rater)  # a reload is no new beginning
        refused = vote(rater, position)
        assert (refused.status_code, refused.json()["reason"]) == (403, "unplayed")
        now[0] += 0.5
        assert vote(rater, position).status_code == 201
        assert vote(rater, position).status_code == 200
    # Another server does not know when the trial was opened: no vote is lost by a restart.
    present(rater)
    restarted = TestClient(create_app(study, store, Survey()), cookies=rater.cookies)
    play(restarted, 2)
    assert vote(restarted, 2).status_code == 201
