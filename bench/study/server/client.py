"""Answer a served study over HTTP: the requests that the page sends, in their order.

It has those methods of ``Store`` that simulated raters call. Which system a video is of comes from
the list in the private folder of the study, which no rater has.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from bench.errors import BenchError
from bench.study.assignment import Trial
from bench.study.design import MAIN, read_design
from bench.study.media import read_media_list
from bench.study.server.app import COOKIE
from bench.study.sessions import NewSession, Session
from bench.study.store import SIMULATED

TIMEOUT_S = 30.0


class ServedStudy:
    """A study that is served at ``url`` with ``--simulated``, with its folder on this machine."""

    def __init__(self, study: Path, url: str) -> None:
        """Raises BenchError where the folder holds no whole study; nothing is sent yet."""
        self.design = read_design(study)
        self._media: dict[str, Any] = read_media_list(study)
        self._client = httpx.Client(base_url=url, timeout=TIMEOUT_S)
        self._url = url
        self._videos: dict[str, str] = {}

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def create_session(self, source: str = SIMULATED) -> NewSession:
        """Agree to take part; the number of the session is not known here.

        Raises:
            BenchError: no study is served there, or one that takes answers of raters.
        """
        if not self._send("GET", "/api/study").json()["is_simulated"]:
            raise BenchError(
                f"{self._url} takes answers of raters: `bench study serve --simulated` takes those "
                "of simulated ones"
            )
        sent = {"agrees": True, "panel_id": "", "key": secrets.token_hex(24)}
        return NewSession(-1, self._send("POST", "/api/sessions", json=sent).json()["token"])

    def find_session(self, token: str) -> Session:
        """Return the session with its present trial alone, if it has one."""
        found = self._send("GET", "/api/session", token).json()
        present = found["trial"]
        if present is None:
            return Session(-1, (), frozenset(), found["completion_code"])
        self._videos = present["media"]
        a, b = (self._media[self._videos[side]] for side in "ab")
        systems = self.design.systems
        is_main = a["source"] != b["source"] and {a["source"], b["source"]} <= set(systems)
        trial = Trial(
            present["position"], MAIN if is_main else "", a["clip"], a["source"], b["source"]
        )
        return Session(-1, (trial,), frozenset(), "")

    def record_plays(self, token: str, position: int, seconds: Mapping[str, float]) -> None:
        """Fetch the videos of the present trial, then report that they were played."""
        for name in self._videos.values():
            self._send("GET", f"/media/{name}.mp4", token, headers={"Range": "bytes=0-"})
        sent = {"seconds": dict(seconds)}
        self._send("POST", f"/api/trials/{position}/plays", token, json=sent)

    def record_vote(
        self, token: str, position: int, answers: Mapping[str, str], key: str, elapsed_s: float
    ) -> bool:
        """Send the answers to a trial."""
        sent = {"answers": dict(answers), "key": key, "elapsed_s": elapsed_s}
        answer = self._send("POST", f"/api/trials/{position}/vote", token, json=sent)
        return bool(answer.json()["is_new"])

    def _send(
        self,
        method: str,
        path: str,
        token: str = "",
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        sent = {**(headers or {}), **({"Cookie": f"{COOKIE}={token}"} if token else {})}
        try:
            while True:
                answer = self._client.request(method, path, json=json, headers=sent)
                if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                    break
                time.sleep(float(answer.headers["Retry-After"]))
            answer.raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise BenchError(f"{self._url} does not answer as a served study: {error}") from error
        return answer
