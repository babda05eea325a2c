"""Ray as a back end: actors on the nodes of a cluster, each with the model of one worker.

An actor takes one chunk after another. Its own process is small: it feeds a ``LocalEngine``, whose
worker has the model and keeps it from chunk to chunk. So a clip that kills that worker or never
returns costs itself alone, and an actor is lost only with its node.

The pool grows while there are more chunks than actors, and an actor that has nothing to do leaves.
A job is given to an actor that has started, never to one that waits for its place. Ray's own
retries are off (``max_restarts``, ``max_task_retries``): by default a killed actor is started again
and again without end, while ``bench.engine.chunked`` counts what was tried.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from bench.engine.backend import Layout
from bench.engine.chunks import answer_chunk
from bench.engine.processes import LocalEngine
from bench.engine.ray_connection import connect, disconnect
from bench.engine.ray_nodes import (
    Need,
    choose_need,
    count_places,
    describe_nodes,
    list_nodes,
    share_gpus,
)
from bench.engine.settings import WorkerSettings
from bench.errors import BenchError

#: An actor that has had nothing to do for so long leaves its place to others.
IDLE_S = 10.0
#: A second chunk waits at an actor while more than this many chunks per slot are submitted: towards
#: the end no actor must have two while another has none.
CHUNKS_AHEAD = 3
#: A node may go while an actor starts on it; so many in a row mean that none can.
MAX_FAILED_STARTS = 3


class Runner:
    """The process of an actor."""

    def __init__(self) -> None:
        self.engine = LocalEngine(1).__enter__()

    def report(self) -> str:
        """Return nothing of interest: that it returns means that the actor has started."""
        return ""

    def answer(self, job: str) -> None:
        """Answer a chunk; its outcomes are in a file."""
        answer_chunk(Path(job), self.engine)


@dataclass(eq=False)
class _Actor:
    """An actor, and the chunks that it was given, the first of which it works on."""

    handle: Any
    need: Need
    started: Any  # the reference that is ready when it has started
    is_started: bool = False
    given: list[_Given] = field(default_factory=list)
    idle_since_s: float = field(default_factory=time.monotonic)


class _Given(NamedTuple):
    name: str
    job: Path
    reference: Any


class RayBackend:
    """Chunks are answered by up to ``workers`` actors; by default as many as the cluster holds.

    ``address`` is that of a cluster, or "" for one of this machine alone.
    """

    logs: Path | None = None

    def __init__(self, address: str, workers: int | None) -> None:
        self.address, self.workers = address, workers
        self.is_connected = False
        self.need = Need(1, 0.0)
        self.n_slots = 1
        self.n_jobs = 0
        self.n_failed_starts = 0
        self.actors: list[_Actor] = []
        self.queue: deque[tuple[str, Path]] = deque()

    def layout(self, settings: WorkerSettings) -> Layout:
        """Return the number of actors that a map with these settings has.

        Raises:
            BenchError: no node has what a worker needs.
        """
        need, n_slots = self._plan(settings)
        return Layout(n_slots, CHUNKS_AHEAD * n_slots, 1, replace(settings, cpus=need.cpus))

    def _plan(self, settings: WorkerSettings) -> tuple[Need, int]:
        """Return what an actor reserves, and how many actors there are at most."""
        self._open()
        nodes = list_nodes()
        need = choose_need(share_gpus(settings), nodes)
        n_slots = self.workers or 0
        if not self.address or not n_slots:  # another cluster may grow as far as it is asked to
            n_places = count_places(need, nodes)
            n_slots = min(n_slots or n_places, n_places)
        if not n_slots:
            raise BenchError(
                f"no node of the Ray cluster has {need}: {describe_nodes(nodes)}; for a cluster "
                "that grows by itself name the number of --workers"
            )
        return need, n_slots

    def submit(self, jobs: Sequence[Path], settings: WorkerSettings) -> list[str]:
        """Queue chunks; actors are started for them where there are too few."""
        self.need, self.n_slots = self._plan(settings)
        names = []
        for job in jobs:
            self.n_jobs += 1
            names.append(f"chunk-{self.n_jobs}")
            self.queue.append((names[-1], job))
        self._assign()
        return names

    def ended(self) -> list[tuple[str, str | None]]:
        """Return the chunks that ended, and why those were lost that were."""
        ended: list[tuple[str, str | None]] = []
        for actor in list(self.actors):
            ended += self._collect(actor)
        self._assign()
        return ended

    def waiting(self) -> str:
        """Return how many actors have started, and what is free in the cluster."""
        import ray

        n_started = sum(actor.is_started for actor in self.actors)
        free, total = ray.available_resources(), ray.cluster_resources()
        names = [name for name in ("CPU", "GPU") if total.get(name)]
        room = ", ".join(f"{free.get(name, 0):g} of {total[name]:g} {name}s" for name in names)
        return (
            f"{n_started} of {len(self.actors)} Ray actors started, each with {self.need}; free in "
            f"the cluster: {room or 'nothing'}"
        )

    def cancel(self, ids: Sequence[str]) -> None:
        """End the actors that work on these chunks, and forget those that wait."""
        gone = set(ids)
        self.queue = deque(each for each in self.queue if each[0] not in gone)
        for actor in list(self.actors):
            if any(given.name in gone for given in actor.given):
                kept = [(g.name, g.job) for g in actor.given if g.name not in gone]
                self.queue.extendleft(reversed(kept))
                self._dismiss(actor)

    def close(self) -> None:
        """End all actors, and the connection."""
        for actor in list(self.actors):
            self._dismiss(actor)
        self.queue.clear()
        if self.is_connected:
            self.is_connected = False
            disconnect()

    def _open(self) -> None:
        if not self.is_connected:
            connect(self.address, self.workers)
            self.is_connected = True

    def _collect(self, actor: _Actor) -> list[tuple[str, str | None]]:
        """Return what an actor has finished; of a dead one the chunk that it worked on is lost."""
        import ray

        ended: list[tuple[str, str | None]] = []
        if not actor.is_started and ray.wait([actor.started], timeout=0)[0]:
            self._confirm_start(actor)
        while actor.given and ray.wait([actor.given[0].reference], timeout=0)[0]:
            given = actor.given.pop(0)
            actor.idle_since_s = time.monotonic()
            try:
                ray.get(given.reference)
                ended.append((given.name, None))
            except ray.exceptions.RayTaskError as error:
                _require_shared(given.job, error)
                ended.append((given.name, _reason(error)))
            except ray.exceptions.RayError as error:
                ended.append((given.name, _reason(error)))
                # The others it has not begun.
                self.queue.extendleft((g.name, g.job) for g in reversed(actor.given))
                self._dismiss(actor)
                break
        return ended

    def _confirm_start(self, actor: _Actor) -> None:
        """Take note that an actor has started, or that it cannot.

        Raises:
            BenchError: several could not, one after another.
        """
        import ray

        try:
            ray.get(actor.started)
        except ray.exceptions.RayError as error:
            self._dismiss(actor)
            self.n_failed_starts += 1
            if self.n_failed_starts >= MAX_FAILED_STARTS:
                raise BenchError(
                    f"{self.n_failed_starts} Ray actors could not start, the last one because "
                    f"{_reason(error)}; every node needs the same foley-bench and Python"
                ) from error
        else:
            actor.is_started, self.n_failed_starts = True, 0

    def _assign(self) -> None:
        """Give chunks to actors that have started; start more, or let idle ones leave."""
        for actor in [a for a in self.actors if a.need != self.need and not a.given]:
            self._dismiss(actor)  # of an earlier map: its place is needed
        started = [actor for actor in self.actors if actor.is_started and actor.need == self.need]
        for n_given in (0, 1):
            for actor in started:
                # Towards the end nobody gets a second one, which another could begin at once.
                has_enough = len(self.queue) > n_given * self.n_slots
                if self.queue and has_enough and len(actor.given) <= n_given:
                    self._give(actor, *self.queue.popleft())
        n_open = len(self.queue) + sum(len(actor.given) for actor in self.actors)
        while len(self.actors) < min(self.n_slots, n_open):
            self.actors.append(self._start_actor())
        now_s = time.monotonic()
        for actor in started:
            if not actor.given and not self.queue and now_s - actor.idle_since_s > IDLE_S:
                self._dismiss(actor)

    def _give(self, actor: _Actor, name: str, job: Path) -> None:
        actor.given.append(_Given(name, job, actor.handle.answer.remote(str(job))))

    def _start_actor(self) -> _Actor:
        import ray

        make = ray.remote(
            num_cpus=self.need.cpus,
            num_gpus=self.need.gpus,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
        )
        handle = make(Runner).remote()
        return _Actor(handle, self.need, handle.report.remote())

    def _dismiss(self, actor: _Actor) -> None:
        import ray

        self.actors.remove(actor)
        ray.kill(actor.handle, no_restart=True)


def check_ray(address: str, workers: int | None, *, needs_gpu: bool) -> None:
    """Refuse a cluster that cannot be joined, or has no GPU where one is needed.

    Raises:
        BenchError: none answers, or no node has one.
    """
    connect(address, workers)
    try:
        nodes = list_nodes()
    finally:
        disconnect()
    if needs_gpu and not any(node.get("GPU") for node in nodes):
        raise BenchError(
            f"--device cuda needs a GPU, and no node of the Ray cluster has one: "
            f"{describe_nodes(nodes)}"
        )


def _require_shared(job: Path, error: Exception) -> None:
    """Refuse to go on where a node does not find the job's file."""
    if isinstance(getattr(error, "cause", None), FileNotFoundError) and job.exists():
        raise BenchError(
            f"a node of the Ray cluster does not find {job}: the folder of runs and BENCH_HOME "
            "have to be on a file system that all nodes share"
        ) from error


def _reason(error: Exception) -> str:
    """Return why an actor or its work was lost, in one line without Ray's advice."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    cause = getattr(error, "cause", None)
    if isinstance(cause, Exception):
        return f"{type(cause).__name__}: {cause}"
    named = [line for line in lines if line.startswith("The actor died") or "Error:" in line]
    return (named or lines)[-1]
