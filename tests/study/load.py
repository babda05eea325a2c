"""Many raters at once, who answer over HTTP while the server is killed again and again."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import ssl
import time
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field

import httpx
import psutil

from bench.study.store import FILE
from tests.study.served import serving

#: A rater gives up a request that no server answers for so long.
PATIENCE_S = 120.0
WAIT_S = 0.2


@dataclass
class Load:
    """What raters sent and were confirmed; times are in milliseconds, by kind of request."""

    confirmed: dict[tuple[int, int], dict[str, str]] = field(default_factory=dict)
    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    n_retries: int = 0
    n_repeated: int = 0
    server_cpu_s: float = 0.0


@dataclass
class _Rater:
    """One rater with a connection of its own, who sends every request until it is answered."""

    number: int
    client: httpx.AsyncClient
    load: Load

    async def send(self, kind, method, path, **options):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            start = time.perf_counter()
            with suppress(httpx.TransportError):
                answer = await self.client.request(method, path, **options)
                if answer.status_code < 500 and answer.status_code != 429:
                    took = 1000 * (time.perf_counter() - start)
                    self.load.milliseconds.setdefault(kind, []).append(took)
                    return answer
            self.load.n_retries += 1
            await asyncio.sleep(WAIT_S)
        raise TimeoutError(f"{method} {path} had no answer for {PATIENCE_S:g} s")

    async def run(self, pause_s):
        generator = random.Random(self.number)  # noqa: S311 - no secret
        await asyncio.sleep(generator.uniform(0, pause_s))
        await self.send("page", "GET", "/")
        sent = {"agrees": True, "panel_id": ""}
        await self.send("consent", "POST", "/api/sessions", json=sent)
        while trial := (await self.send("trial", "GET", "/api/session")).json()["trial"]:
            for name in trial["media"].values():
                for part in ("bytes=0-", "bytes=100-"):
                    headers, path = {"Range": part}, f"/media/{name}.mp4"
                    answer = await self.send("media", "GET", path, headers=headers)
                    assert answer.status_code == 206
            await asyncio.sleep(generator.expovariate(1 / pause_s))
            answers = {"fidelity": generator.choice("ab"), "sync": generator.choice("ab")}
            await self.vote(trial["position"], answers)

    async def vote(self, position, answers):
        path = f"/api/trials/{position}"
        sent = {"seconds": {"true": 5.0, "a": 5.0, "b": 5.0}}
        assert (await self.send("plays", "POST", f"{path}/plays", json=sent)).status_code == 204
        sent = {"answers": answers, "key": f"{self.number}-{position}", "elapsed_s": 20.0}
        answer = await self.send("vote", "POST", f"{path}/vote", json=sent)
        assert answer.status_code in (200, 201), answer.text
        self.load.n_repeated += answer.status_code == 200
        self.load.confirmed[self.number, position] = answers


async def _run_rater(url, number, pause_s, load, context):
    async with httpx.AsyncClient(base_url=url, verify=context, timeout=30.0) as client:
        await _Rater(number, client, load).run(pause_s)


def answer_under_load(study, n_raters, n_kills, pause_s, run_s=4.0):
    """Serve a study to raters, kill -9 the server so often while it runs ``run_s`` seconds each."""
    load = Load()

    async def run(url, process):
        context = ssl.create_default_context()  # one for all: each costs 20 ms
        raters = [
            asyncio.create_task(_run_rater(url, number, pause_s, load, context))
            for number in range(n_raters)
        ]
        stops = asyncio.create_task(_kill_again(study, url, process, n_kills, run_s))
        await asyncio.gather(*raters)
        if not n_kills:
            used = psutil.Process(process.pid).cpu_times()
            load.server_cpu_s = used.user + used.system
        return await stops

    with serving(study) as (url, process):
        n_done, last = asyncio.run(run(url, process))
        if last is not None:
            last.__exit__(None, None, None)
    return load, n_done


async def _kill_again(study, url, process, n_kills, run_s):
    """Return how often the server was killed, and the context of the last one."""
    port, context, n_done = int(url.rpartition(":")[2]), None, 0
    while n_done < n_kills:
        await asyncio.sleep(run_s)
        process.kill()
        await asyncio.to_thread(process.wait)
        n_done += 1
        context = serving(study, port=port)
        _, process = await asyncio.to_thread(context.__enter__)
    return n_done, context


def compare_with_store(study, load):
    """Return how many confirmed votes the store does not have, and how many it has twice."""
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
