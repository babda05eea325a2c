"""Whatever is sent to the server of a study, it answers without an error of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from bench.study.server.app import COOKIE, Survey, create_app
from bench.study.server.guards import RateLimit
from bench.study.store import open_store
from tests.study.served import serving, write_served_study

SCHEMATHESIS = shutil.which("schemathesis")
OPENAPI = Path(__file__).parent / "openapi.json"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "agrees": st.booleans() | JSON,
        "panel_id": st.text() | JSON,
        "token": st.text() | JSON,
        "text": st.text() | JSON,
        "seconds": st.dictionaries(st.sampled_from(["true", "a", "b", "c"]), JSON) | JSON,
        "answers": st.dictionaries(st.sampled_from(["fidelity", "sync", "x"]), JSON) | JSON,
        "key": st.text() | JSON,
        "elapsed_s": st.floats() | st.integers() | JSON,
    },
)
SHAPES = {
    "/api/sessions": ("agrees", "panel_id", "key"),
    "/api/resume": ("token",),
    "/api/comments": ("text",),
    "/api/trials/{position}/plays": ("seconds",),
    "/api/trials/{position}/vote": ("answers", "key", "elapsed_s"),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    study = write_served_study(tmp_path_factory.mktemp("fuzz") / "study")
    store = open_store(study)
    app = create_app(study, store, Survey(is_simulated=True))
    for name in ("requests", "ranges", "arrivals"):
        setattr(app.state.server, name, RateLimit(per_second=0, burst=10**9))
    # Errors of the server must come as an exception, not as an answer.
    client = TestClient(app, raise_server_exceptions=True)
    client.post("/api/sessions", json={"agrees": True, "panel_id": "", "key": "k" * 32})
    yield client, client.cookies[COOKIE]
    store.close()


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    path=st.sampled_from(sorted(SHAPES)), position=st.integers(0, 10**20), fields=FIELDS, raw=JSON
)
def test_no_body_is_an_error_of_the_server(client, path, position, fields, raw):
    sender, token = client
    shaped = {name: fields[name] for name in SHAPES[path] if name in fields}
    for small in (0, position):
        for body in (shaped, fields, raw):
            sender.cookies.clear()
            sender.cookies.set(COOKIE, token)
            answer = sender.post(
                path.format(position=small),
                content=json.dumps(body),
                headers={"Content-Type": "application/json"},
            )
            assert answer.status_code < 500


@settings(deadline=None, max_examples=150)
@given(name=st.text(min_size=1), bounds=st.text() | st.from_regex(r"bytes=\d*-\d*(,\d*-\d*)*"))
def test_no_name_and_no_range_is_an_error_of_the_server(client, name, bounds):
    sender, token = client
    sender.cookies.clear()
    sender.cookies.set(COOKIE, token)
    known = sender.get("/api/session").json()["trial"]["media"]["a"]
    bounds = bounds.encode("ascii", "replace").replace(b"\n", b"").replace(b"\r", b"")
    for wanted in (name, known):
        path = f"/media/{quote(wanted, safe='', errors='replace')}.mp4"
        answer = sender.get(path, headers={"Range": bounds.decode()})
        assert answer.status_code in (200, 206, 400, 401, 404, 416)


@pytest.mark.slow
@pytest.mark.skipif(not SCHEMATHESIS, reason="needs schemathesis: pip install schemathesis")
def test_schemathesis_finds_no_error_of_the_server(tmp_path):
    study = write_served_study(tmp_path / "study")
    with serving(study, "--simulated") as (url, _):
        sent = {"agrees": True, "panel_id": "", "key": "k" * 32}
        token = httpx.post(f"{url}/api/sessions", json=sent).json()["token"]
        checks = "not_a_server_error,status_code_conformance,content_type_conformance"
        done = subprocess.run(
            [
                *(SCHEMATHESIS, "run", OPENAPI, "--url", url, "--checks", checks),
                *("--header", f"Cookie: {COOKIE}={token}", "--max-examples", "50"),
                *("--rate-limit", "8/s", "--generation-deterministic", "--no-color"),
            ],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"Tested: {len(list_operations())}" in done.stdout


def list_operations():
    paths = json.loads(OPENAPI.read_text(encoding="utf-8"))["paths"]
    return [(path, method) for path, methods in paths.items() for method in methods]
