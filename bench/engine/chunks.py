"""A chunk of items that a process on another machine answers: its files, and what answers it.

    <n>.job     what to do; the driver writes it and alone may read it (0600), since it is a pickle
    <n>.part    JSON lines, which the worker appends as it goes
    <n>.jsonl   the same file under its final name: every item has its answer

Nothing is read from a pickle that a worker wrote. The lines of ``.part`` are

    {"start": "node17"}                     a process begins, for the first time or again
    {"taken": k}                            item k was given to a worker
    {"answer": k, "value": ..., "seconds": s, "key": ...}
    {"answer": k, "failure": [message, traceback], "seconds": s}
    {"refused": message}                    the work cannot be built

so what a lost job had answered is known, and which items it held when it was lost. The process of
the job has no model: it feeds a ``LocalEngine``, whose worker has it. So an item that kills the
worker, or never returns, costs itself alone, as on one machine.

What is assumed of a shared file system, and holds on NFS: a rename is atomic, and a file that was
closed is complete for those who open it afterwards (close-to-open consistency). Nothing depends on
locks, nor on two machines that append to one file. A new file may be seen late, see ``chunked``.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, TextIO

from bench.engine.backend import Layout
from bench.engine.outcome import Failure, Outcome
from bench.engine.processes import LocalEngine
from bench.engine.settings import WorkerSettings
from bench.errors import BenchError

#: A job is begun again by whoever preempts it, or when its node fails, so many times in all.
MAX_STARTS = 4


@dataclass(frozen=True)
class Chunk:
    """Some items, and all that is needed to answer them in a process on any machine.

    ``factory`` and ``items`` are pickles: they may be of modules that are found only after the
    ``search_path`` is set. ``environment`` has the variables of the driver that are ours.
    """

    factory: bytes
    items: bytes
    settings: WorkerSettings
    workers: int
    gpus: int = 0
    directory: str = field(default_factory=os.getcwd)
    search_path: tuple[str, ...] = field(default_factory=lambda: tuple(sys.path))
    environment: Mapping[str, str] = field(
        default_factory=lambda: {k: v for k, v in os.environ.items() if k.startswith("BENCH_")}
    )


def write_chunk(
    path: Path, factory: Callable[..., Any], items: Sequence[Any], layout: Layout
) -> None:
    """Write a job file that only this user can read."""
    pickled = [bytes(ForkingPickler.dumps(each)) for each in (factory, list(items))]
    chunk = Chunk(pickled[0], pickled[1], layout.settings, layout.workers, layout.gpus)
    temporary = path.with_suffix(".job-new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pickle.dumps(chunk))
        _sync(file)
    temporary.replace(path)


def run_chunk(path: Path) -> None:
    """Answer a chunk with worker processes of its own: what a job of a cluster executes.

    Raises:
        BenchError: see ``answer_chunk``.
    """
    chunk = _read_chunk(path)
    workers = chunk.workers
    if chunk.gpus and chunk.settings.gpu_gib is not None:
        n_fitting = max(1, int(_gpu_gib() / chunk.settings.gpu_gib))
        workers = min(workers, chunk.gpus * n_fitting)
    with LocalEngine(workers) as engine:
        answer_chunk(path, engine)


def _gpu_gib() -> float:
    """Return the memory of the smallest GPU here, in GiB; 0 where it is not known.

    Asked of the driver: CUDA in this process, too, would cost memory of the GPU.
    """
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
        return min(float(line) for line in found.stdout.split()) / 1024
    except (OSError, subprocess.SubprocessError, ValueError):
        return 0.0


def answer_chunk(path: Path, engine: LocalEngine) -> None:
    """Answer what is still open of a chunk, with the workers of an engine.

    In an engine that is open, a worker keeps what it has built for the next chunk of this map.

    Raises:
        BenchError: the work cannot be built, or the chunk was begun too many times.
    """
    if complete_path(path).exists():  # by a process of which Slurm had lost sight
        return
    chunk = _read_chunk(path)
    # Small objects can be one: each position in turn.
    items = pickle.loads(chunk.items)  # noqa: S301 - the job file is ours
    before = read_progress(path)
    positions: dict[int, list[int]] = {}
    with part_path(path).open("a", encoding="utf-8") as part:
        part.write("\n")  # the last line may be torn
        _write_line(part, start=socket.gethostname())
        if before.n_starts >= MAX_STARTS:
            raise BenchError(f"{path} was begun {before.n_starts} times and never finished")

        def remaining() -> Iterator[Any]:
            for position, item in enumerate(items):
                if position not in before.answers:
                    positions.setdefault(id(item), []).append(position)
                    _write_line(part, taken=position)
                    yield item

        factory, settings = _work_of(chunk)
        try:
            for outcome in engine.stream(factory, remaining(), settings):
                position = positions[id(outcome.item)].pop(0)
                answer = _answer(outcome, has_key=bool(chunk.settings.key))
                _write_line(part, answer=position, **answer)
        except BenchError as error:
            _write_line(part, refused=str(error))
            raise
        _sync(part)
    part_path(path).replace(complete_path(path))


def _work_of(chunk: Chunk) -> tuple[Callable[..., Any], WorkerSettings]:
    """Return what the workers of a chunk build, and their settings."""
    digest, settings = hashlib.sha256(chunk.factory).hexdigest(), chunk.settings
    factory: Callable[..., Any] = partial(build_once, digest, chunk.factory)
    if chunk.gpus:
        factory = partial(build_on_gpu, factory, settings.arguments(0))
        settings = replace(settings, devices=tuple(map(str, range(chunk.gpus))))
    return factory, settings


#: What this process has built, by the factory and what it was called with: one at a time, since it
#: may fill a GPU.
_BUILT: dict[tuple[str, tuple[Any, ...]], Any] = {}


def build_once(digest: str, factory: bytes, *arguments: Any) -> Any:
    """Return what a pickled factory makes; another chunk of the same map gets the same again."""
    if (digest, arguments) not in _BUILT:
        # A cluster signals all processes of a job. Its first one decides what follows; a worker
        # that died of that would be the failure of an item. Handlers end with exec, unlike SIG_IGN.
        for number in (signal.SIGTERM, signal.SIGUSR2):
            signal.signal(number, _do_nothing)
        _BUILT.clear()
        made = pickle.loads(factory)(*arguments)  # noqa: S301 - the job file is ours
        _BUILT[digest, arguments] = made
    return _BUILT[digest, arguments]


def build_on_gpu(build: Callable[..., Any], arguments: Sequence[str], index: str) -> Any:
    """Build the work of a worker that sees one GPU of its job, as ``cuda`` or ``cuda:0``."""
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")  # by the numbers that the cluster has given
    numbers = seen.split(",") if seen else []
    os.environ["CUDA_VISIBLE_DEVICES"] = numbers[int(index)] if numbers else index
    return build(*arguments)


def _do_nothing(number: int, frame: object) -> None:
    """Handle a signal that is meant for another process."""


def _read_chunk(path: Path) -> Chunk:
    """Read a job file of our own, and give this process the driver's folder, modules, settings."""
    chunk: Chunk = pickle.loads(path.read_bytes())  # noqa: S301 - written by ``write_chunk``
    os.environ.update(chunk.environment)
    os.chdir(chunk.directory)
    sys.path += [each for each in chunk.search_path if each not in sys.path]
    return chunk


def _answer(outcome: Outcome[Any, Any], *, has_key: bool) -> dict[str, Any]:
    failure, seconds = outcome.failure, outcome.seconds
    if failure is None:
        try:
            is_kept = json.loads(json.dumps(outcome.value, allow_nan=False)) == outcome.value
        except (TypeError, ValueError):
            is_kept = False
        if is_kept:
            # After the work: the item's own output is among the files that it names.
            key = {"key": item_key(outcome.item)} if has_key else {}
            return {"value": outcome.value, "seconds": seconds, **key}
        kind = type(outcome.value).__name__
        failure = Failure(f"the result, a {kind}, is not the same after it was stored as JSON")
    return {"failure": [failure.message, failure.traceback], "seconds": seconds}


def _write_line(file: TextIO, **values: Any) -> None:
    file.write(json.dumps(values) + "\n")
    file.flush()


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


# --- the side of the driver


@dataclass
class Progress:
    """What the files of a chunk hold: answers and items given to a worker, by position."""

    answers: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)
    n_starts: int = 0
    refused: str = ""


def part_path(job: Path) -> Path:
    """Return the file of the answers so far."""
    return job.with_suffix(".part")


def complete_path(job: Path) -> Path:
    """Return the file of all answers; it exists once they are complete."""
    return job.with_suffix(".jsonl")


def read_progress(job: Path) -> Progress:
    """Read the answers of a chunk, complete or not, without the line that a killed process tore."""
    progress = Progress()
    for path in (complete_path(job), part_path(job)):
        try:
            lines = path.read_bytes().splitlines()
            break
        except FileNotFoundError:  # the first may come, and the second go, at any moment
            continue
    else:
        return progress
    for line in lines:
        try:
            entry = json.loads(line)
            if "answer" in entry:
                progress.answers[int(entry["answer"])] = entry
            elif "taken" in entry:
                progress.taken.add(int(entry["taken"]))
            progress.n_starts += "start" in entry
            progress.refused = entry.get("refused", progress.refused)
        except (ValueError, TypeError, AttributeError):
            continue
    return progress


def to_outcome(item: Any, answer: Mapping[str, Any]) -> Outcome[Any, Any]:
    """Return the outcome that a line holds."""
    failure = Failure(*answer["failure"]) if "failure" in answer else None
    return Outcome(item, answer.get("value"), failure, float(answer["seconds"]))


def item_key(item: Any) -> str:
    """Return a hash of an item, the same in every process while the files it names are unchanged.

    Not of its pickle: that depends on the order of sets, and on which strings are one object.
    """
    text = json.dumps(item, default=_describe, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _describe(value: Any) -> Any:
    """Return an object as something that JSON can write, where it is not that already."""
    if isinstance(value, Path):
        return _describe_file(value)
    if is_dataclass(value) and not isinstance(value, type):
        compared = [each.name for each in fields(value) if each.compare]
        return [type(value).__qualname__, {name: getattr(value, name) for name in compared}]
    if isinstance(value, Mapping):
        pairs = {json.dumps(key, default=_describe): each for key, each in value.items()}
        return ["mapping", sorted(pairs), [pairs[key] for key in sorted(pairs)]]
    if isinstance(value, set | frozenset):
        return ["set", *sorted(json.dumps(each, default=_describe) for each in value)]
    return hashlib.sha256(bytes(ForkingPickler.dumps(value))).hexdigest()


def _describe_file(path: Path) -> list[Any]:
    try:
        found = path.stat()
    except OSError:
        return [str(path)]
    # What is in a folder changes all the time.
    is_file = stat.S_ISREG(found.st_mode)
    return [str(path), *([found.st_size, found.st_mtime_ns] if is_file else [])]


if __name__ == "__main__":
    # Through the package: the caches of a module that runs as a program are others.
    from bench.engine import chunks

    try:
        chunks.run_chunk(Path(sys.argv[1]))
    except BenchError as error:
        sys.exit(f"error: {error}")
