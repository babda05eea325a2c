"""Set an isolated system up: environment from the lock, requirements, checkout, weights; check it.

``uv`` makes the environment: it brings the Python version that a lock was made for, verifies every
hash, and takes packages from the index that the user has configured.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil

from bench.digests import read_checksums
from bench.errors import BenchError, MissingError, format_names
from bench.extras import describe_missing_module
from bench.io import require_folder
from bench.isolation.adapter import Adapter, Weight
from bench.isolation.generate import open_isolated
from bench.isolation.process import make_environment
from bench.isolation.state import (
    SystemState,
    describe_missing,
    describe_missing_environment,
    read_state,
    system_folder,
    write_state,
)
from bench.types import Audio, Request

#: Lines for the user, as the work goes on.
Report = Callable[[str], None]

LIST_PACKAGES = (
    "import json, platform; from importlib import metadata; "
    "names = {d.metadata['Name']: d.version for d in metadata.distributions()}; "
    "print(json.dumps([platform.python_version(), "
    "sorted('%s==%s' % item for item in names.items() if item[0])]))"
)
PROBE_LIMIT_S = 120
POLL_S = 0.2
GIBIBYTE = 2**30


def accept_licence(adapter: Adapter, *, is_accepted: bool) -> None:
    """Refuse to go on until the terms were accepted, now or when the system was set up before.

    Raises:
        BenchError: they were not; the message has the option.
    """
    state = read_state(adapter.name)
    if not is_accepted and (state is None or state.licence != adapter.terms):
        raise BenchError(
            f"the licence of {adapter.name} is not accepted yet: read the terms above, then give "
            "--accept-licence"
        )


def set_up(adapter: Adapter, checkout: Path, interpreter: Path | None, report: Report) -> None:
    """Make the environment, or take ``interpreter`` (a conda environment), and store where it is.

    Raises:
        MissingError: uv is not installed.
        BenchError: the checkout is not that of this system, the interpreter does not run, or the
            environment cannot be made; nothing is stored then.
    """
    checkout = checkout.expanduser().resolve()
    if missing := [name for name in adapter.entry if not (checkout / name).is_file()]:
        raise BenchError(
            f"{checkout} is no checkout of {adapter.repository}: it has no {format_names(missing)};"
            f" clone it and give its folder by --checkout"
        )
    lock = adapter.folder / "requirements.lock"
    python = _find_interpreter(interpreter) if interpreter else _make_environment(adapter, report)
    version, packages = _list_packages(python)
    if not version.startswith(f"{adapter.python}."):
        report(f"Note: {python} is Python {version}, {adapter.name} expects {adapter.python}")
    before = read_state(adapter.name)
    state = SystemState(
        checkout=str(checkout),
        python=str(python),
        licence=adapter.terms,
        lock="" if interpreter else hashlib.sha256(lock.read_bytes()).hexdigest(),
        packages=packages,
        measured=before.measured if before else {},
    )
    write_state(adapter.name, state)


def remove(adapter: Adapter) -> int:
    """Delete environment, logs and state of a system; return the bytes that were freed.

    Its checkout and its weights are the user's, and stay.

    Raises:
        BenchError: it is not set up.
    """
    folder = system_folder(adapter.name)
    if not folder.is_dir():
        raise BenchError(f"{adapter.name} is not set up: there is no {folder}")
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    freed = sum(path.stat().st_size for path in files)
    shutil.rmtree(folder)
    return freed


def list_unmet_requirements(adapter: Adapter) -> list[str]:
    """Return what the user has to install beside the lock and is not found, with the way to it."""
    state = read_state(adapter.name)
    if (missing := describe_missing_environment(adapter)) or state is None:
        return [missing]
    python, checkout = Path(state.python), Path(state.checkout)
    unmet = (each for each in adapter.requirements if not _is_met(each.check, python, checkout))
    places = {"ENVIRONMENT": shlex.quote(state.python), "CHECKOUT": shlex.quote(state.checkout)}
    return [
        f"{each.check}: {' '.join(places.get(word, word) for word in each.how.split())}"
        for each in unmet
    ]


def list_weight_faults(adapter: Adapter) -> list[str]:
    """Return the weights that are missing, or are not the published files by size or checksum.

    [] where the system is not set up: then there is no checkout to look in.
    """
    state = read_state(adapter.name)
    if state is None:
        return []
    checkout, faults = Path(state.checkout), []
    for weight in adapter.weights:
        if not (paths := weight.find(checkout)):
            faults.append(f"{weight.path} is missing: get it from {weight.source}")
        faults += [_find_fault(weight, path) for path in paths]
    return [fault for fault in faults if fault]


def _find_fault(weight: Weight, path: Path) -> str:
    size = path.stat().st_size
    if weight.size_bytes is not None and size != weight.size_bytes:
        return f"{weight.path} has {size:,} bytes, the published file {weight.size_bytes:,}"
    if weight.sha256 is None and weight.md5 is None:
        return ""
    found = read_checksums(path, with_md5=weight.md5 is not None)
    is_same = weight.sha256 in (None, found.sha256) and weight.md5 in (None, found.md5)
    return "" if is_same else f"{weight.path} is not the published file: its checksum differs"


def _is_met(check: str, python: Path, checkout: Path) -> bool:
    kind, _, name = check.partition(" ")
    if kind == "file":
        return (checkout / name).exists()
    if kind == "command":
        return (
            shutil.which(name, path=make_environment(python, checkout, (), "cpu")["PATH"])
            is not None
        )
    find = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is None)"
    with suppress(subprocess.TimeoutExpired):  # finding a part of a package imports the package
        return _run([str(python), "-I", "-c", find], PROBE_LIMIT_S).returncode == 0
    return False


def _run(command: Sequence[str], limit_s: float | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - a list of arguments, no shell
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=limit_s,
        check=False,
    )


def _find_interpreter(interpreter: Path) -> Path:
    # Not resolved: the interpreter of an environment is often a link, by whose place it knows it.
    path = interpreter.expanduser().absolute()
    if path.is_dir():
        path = path / "bin" / "python"
    if not path.is_file():
        raise BenchError(f"there is no interpreter {path}: give the python of an environment")
    return path


def _list_packages(python: Path) -> tuple[str, list[str]]:
    try:
        done = _run([str(python), "-I", "-c", LIST_PACKAGES], PROBE_LIMIT_S)
        version, packages = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"{python} does not run as a Python 3.8 or newer: {error}") from error
    return version, packages


def _make_environment(adapter: Adapter, report: Report) -> Path:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if uv is None:
        purpose = f"the environment of {adapter.name}"
        raise MissingError(describe_missing_module("uv", purpose) or "uv is missing")
    folder = require_folder(system_folder(adapter.name)) / "environment"
    python = folder / "bin" / "python"
    lock = adapter.folder / "requirements.lock"
    report(f"Making an environment with Python {adapter.python} from {lock.name} ...")
    if before := read_state(adapter.name):  # if this is stopped, it must not look complete
        write_state(adapter.name, replace(before, python=""))
    # Cleared, in case an earlier set-up was stopped in the middle.
    steps = (
        [uv, "venv", "--clear", "--quiet", "--python", adapter.python, str(folder)],
        [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(python), str(lock)],
    )
    for command in steps:
        done = _run(command, None)
        if done.returncode != 0:
            shutil.rmtree(folder, ignore_errors=True)
            reported = " ".join(done.stderr.split())[-600:]
            raise BenchError(f"uv cannot make the environment of {adapter.name}: {reported}")
    return python


@dataclass(frozen=True)
class CheckReport:
    """What two clips showed: seconds per clip in a full chunk, peaks of memory, and repetition.

    ``difference`` is the largest between two samples of one clip and seed, full scale 1.
    """

    seconds_per_clip: float
    memory_gib: float
    device_memory_gib: float | None
    difference: float


def check(adapter: Adapter, requests: Sequence[Request], device: str) -> CheckReport:
    """Generate the first of two clips, then both; store the time and the memory they took.

    What was installed since the set-up is stored too. The time of loading is that of a chunk, which
    the difference of the two calls leaves out.

    Raises:
        MissingError: the system is not set up.
        BenchError: a clip has no sample; the message has the reason.
    """
    if missing := describe_missing(adapter):
        raise MissingError(f"{adapter.name} cannot generate, it needs {missing}")
    with _MemoryWatch() as memory:
        generate = open_isolated(adapter, device)
        started = time.monotonic()
        alone = generate(requests[:1])
        after_one = time.monotonic()
        both = generate(requests)
        after_two = time.monotonic()
    for request, result in zip((requests[0], *requests), (*alone, *both), strict=True):
        if isinstance(result, Exception):
            raise BenchError(f"{adapter.name} made no sample of {request.name}: {result}")
    one_s, two_s = after_one - started, after_two - after_one
    clip_s = max((two_s - one_s) / max(1, len(requests) - 1), 0.05 * one_s)
    report = CheckReport(
        clip_s + max(0.0, one_s - clip_s) / adapter.chunk,
        memory.peak_bytes / GIBIBYTE,
        memory.peak_device_bytes / GIBIBYTE if memory.peak_device_bytes else None,
        _difference(alone[0], both[0]),
    )
    state = read_state(adapter.name)
    if state is not None:
        measured = {
            "seconds_per_clip": report.seconds_per_clip,
            "memory_gib": report.memory_gib,
            "device_memory_gib": report.device_memory_gib or 0.0,
        }
        kind = device.partition(":")[0]
        _, packages = _list_packages(Path(state.python))
        both_kinds = {**state.measured, kind: measured}
        write_state(adapter.name, replace(state, packages=packages, measured=both_kinds))
    return report


def _difference(first: Audio | Exception, second: Audio | Exception) -> float:
    if isinstance(first, Exception) or isinstance(second, Exception):
        return float("nan")
    if first.samples.shape != second.samples.shape:
        return float("inf")
    return float(np.abs(first.samples - second.samples).max(initial=0.0))


class _MemoryWatch:
    """The most memory that processes below this one use at once, and their memory on GPUs."""

    peak_bytes = 0
    peak_device_bytes = 0

    def __enter__(self) -> _MemoryWatch:
        self._is_over = threading.Event()
        self._smi = shutil.which("nvidia-smi")
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(POLL_S):
            children = psutil.Process().children(recursive=True)
            total = 0
            for child in children:
                with suppress(psutil.Error):
                    total += child.memory_info().rss
            self.peak_bytes = max(self.peak_bytes, total)
            on_device = self._device_bytes({child.pid for child in children})
            self.peak_device_bytes = max(self.peak_device_bytes, on_device)

    def _device_bytes(self, pids: set[int]) -> int:
        if self._smi is None:
            return 0
        query = ["--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
        with suppress(OSError, subprocess.TimeoutExpired):
            rows = [line.split(",") for line in _run([self._smi, *query], 10).stdout.splitlines()]
            return sum(
                int(row[1]) * 2**20
                for row in rows
                if len(row) == 2 and row[0].strip().isdigit() and int(row[0]) in pids
            )
        return 0
