"""Many raters at once, who answer over HTTP while the server is killed again and again."""

from __future__ import annotations

import http.client
import json
import random
import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field

import psutil

from bench.study.store import FILE
from tests.study.served import serving

#: A rater gives up a request that no server answers for so long.
PATIENCE_S = 120.0
WAIT_S = 0.2


@dataclass
class Load:
    """What raters sent and were confirmed; times are in milliseconds, by kind of request.

    Lists grow in many threads at once, counts are sums of lists: neither needs a lock.
    """

    confirmed: dict[tuple[int, int], dict[str, str]] = field(default_factory=dict)
    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    retries: list[int] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    server_cpu_s: float = 0.0


class _Rater:
    """One rater with a connection of its own, who sends every request until it is answered."""

    def __init__(self, url: str, number: int, load: Load) -> None:
        self.number, self.load = number, load
        self.connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
        self.cookie = ""

    def send(self, kind, method, path, sent=None, **headers):
        """Return status and body; `http.client` costs a fifth of what httpx costs the cores."""
        deadline = time.monotonic() + PATIENCE_S
        headers = {**headers, "Cookie": self.cookie, "Content-Type": "application/json"}
        body = None if sent is None else json.dumps(sent)
        while time.monotonic() < deadline:
            start = time.perf_counter()
            with suppress(OSError, http.client.HTTPException):
                self.connection.request(method, path, body, headers)
                answer = self.connection.getresponse()
                content = answer.read()
                if answer.status < 500 and answer.status != 429:
                    took = 1000 * (time.perf_counter() - start)
                    self.load.milliseconds.setdefault(kind, []).append(took)
                    self.cookie = (answer.headers["Set-Cookie"] or self.cookie).partition(";")[0]
                    return answer.status, content
            self.connection.close()
            self.load.retries.append(self.number)
            time.sleep(WAIT_S)
        raise TimeoutError(f"{method} {path} had no answer for {PATIENCE_S:g} s")

    def run(self, pause_s):
        generator = random.Random(self.number)  # noqa: S311 - no secret
        time.sleep(generator.uniform(0, pause_s))
        self.send("page", "GET", "/")
        sent = {"agrees": True, "panel_id": "", "key": f"{self.number:032}"}
        self.send("consent", "POST", "/api/sessions", sent)
        while trial := json.loads(self.send("trial", "GET", "/api/session")[1])["trial"]:
            for name in trial["media"].values():
                for part in ("bytes=0-", "bytes=100-"):
                    assert self.send("media", "GET", f"/media/{name}.mp4", Range=part)[0] == 206
            time.sleep(generator.expovariate(1 / pause_s))
            answers = {"fidelity": generator.choice("ab"), "sync": generator.choice("ab")}
            self.vote(trial["position"], answers)
        self.connection.close()

    def vote(self, position, answers):
        path = f"/api/trials/{position}"
        sent = {"seconds": {"true": 5.0, "a": 5.0, "b": 5.0}}
        assert self.send("plays", "POST", f"{path}/plays", sent)[0] == 204
        sent = {"answers": answers, "key": f"{self.number}-{position}", "elapsed_s": 20.0}
        status, content = self.send("vote", "POST", f"{path}/vote", sent)
        assert status in (200, 201), content
        if status == 200:
            self.load.repeated.append(self.number)
        self.load.confirmed[self.number, position] = answers


def answer_under_load(study, n_raters, n_kills, pause_s, run_s=4.0):
    """Serve a study to raters, kill -9 the server so often while it runs ``run_s`` seconds each.

    Returns what was confirmed, and how often the server was killed before all raters had finished.
    """
    load, n_done = Load(), 0
    with ExitStack() as servers, ThreadPoolExecutor(n_raters) as pool:
        url, process = servers.enter_context(serving(study, "--simulated"))
        raters = [_Rater(url, number, load) for number in range(n_raters)]
        runs = [pool.submit(rater.run, pause_s) for rater in raters]
        while n_done < n_kills and wait(runs, run_s).not_done:
            process.kill()
            process.wait()
            n_done += 1
            _, process = servers.enter_context(
                serving(study, "--simulated", port=int(url.rpartition(":")[2]))
            )
        wait(runs)
        used = psutil.Process(process.pid).cpu_times()
        load.server_cpu_s = used.user + used.system
        for run in runs:
            run.result()
    return load, n_done


def compare_with_store(study, load):
    """Return how many confirmed answers the store does not have, and how many it has twice."""
    with closing(sqlite3.connect(study / FILE)) as connection:
        rows = connection.execute(
            "SELECT v.idempotency_key, a.question, a.choice "
            "FROM votes v JOIN answers a USING (session, position)"
        ).fetchall()
    twice = sum(n - 1 for n in Counter((key, question) for key, question, _ in rows).values())
    stored = {(key, question): choice for key, question, choice in rows}
    lost = sum(
        stored.get((f"{number}-{position}", question)) != choice
        for (number, position), answers in load.confirmed.items()
        for question, choice in answers.items()
    )
    return lost, twice
