"""Generate samples with an isolated system: the function that ``System.open`` leads to."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from bench.errors import BenchError
from bench.isolation.process import IsolatedProcessError
from bench.isolation.session import IsolatedSession
from bench.isolation.staging import collect_samples, stage_request
from bench.system import Generate
from bench.types import Audio, Request

if TYPE_CHECKING:
    from bench.isolation.adapter import Adapter

#: A chunk may take this many times what is expected of it, and this long per clip in any case. It
#: is less than the limit of the engine (``bench.pipeline.workers``), which would end this worker.
EXPECTED_TIMES = 10.0
SHORTEST_LIMIT_S = 110.0


def open_isolated(adapter: Adapter, device: str) -> Generate:
    """Start the system in its environment, for ``device``, and return the function of chunks.

    Raises:
        MissingError: it is not set up; the message has the command.
        BenchError: its worker script cannot be opened.
    """
    session = IsolatedSession(adapter, device)
    session.start()
    remove_abandoned(session.folder / "work")
    expected_s = adapter.system().expected_seconds().on(device)
    limit_s = max(SHORTEST_LIMIT_S, EXPECTED_TIMES * expected_s)
    return partial(_generate_chunk, session, itertools.count(), limit_s)


def _generate_chunk(
    session: IsolatedSession,
    count: itertools.count[int],
    limit_s: float,
    requests: Sequence[Request],
) -> list[Audio | Exception]:
    """Generate one chunk; a failure of the whole chunk raises, and its clips are tried again.

    Raises:
        IsolatedProcessError: the system raised, died or took too long.
    """
    name = f"{os.getpid()}-{next(count)}"
    work = session.folder / "work" / name
    inputs, outputs, scratch = (work / each for each in ("inputs", "outputs", "work"))
    try:
        for folder in (inputs, outputs, scratch):
            folder.mkdir(parents=True)
        rows, results = _stage(session.adapter, requests, inputs)
        if rows:
            staged = list(rows.values())
            chunk = {
                "requests": staged,
                "inputs": str(inputs),
                "outputs": str(outputs),
                "work": str(scratch),
            }
            answer = _call(session, chunk, name, limit_s * len(staged))
            errors = (answer or {}).get("errors", {})
            samples = collect_samples(session.adapter, staged, outputs)
            for (index, row), sample in zip(rows.items(), samples, strict=True):
                error = errors.get(row["id"])
                results[index] = BenchError(f"{session.adapter.name}: {error}") if error else sample
        return [results[index] for index in range(len(requests))]
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _stage(
    adapter: Adapter, requests: Sequence[Request], inputs: Path
) -> tuple[dict[int, dict[str, Any]], dict[int, Audio | Exception]]:
    """Write the inputs; return the rows for the worker, and why other requests have none."""
    rows: dict[int, dict[str, Any]] = {}
    results: dict[int, Audio | Exception] = {}
    for index, request in enumerate(requests):
        try:
            # Rows count what is staged: scripts name files by the position in their list.
            rows[index] = stage_request(adapter, request, len(rows), inputs)
        except BenchError as error:
            results[index] = error
    return rows, results


def _call(session: IsolatedSession, chunk: dict[str, Any], name: str, limit_s: float) -> Any:
    try:
        return session.call(chunk, name, limit_s)
    except IsolatedProcessError as error:
        n_clips = len(chunk["requests"])
        clips = "this clip" if n_clips == 1 else f"a chunk of {n_clips} clips"
        raise IsolatedProcessError(f"{session.adapter.name} failed on {clips}: {error}") from error


def remove_abandoned(work: Path) -> None:
    """Delete the folders of chunks whose process was killed."""
    for folder in work.glob("*-*"):
        owner = folder.name.partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
