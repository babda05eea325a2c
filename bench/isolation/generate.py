"""Generate samples with an isolated system: the function that ``System.open`` leads to."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from bench.errors import BenchError, MissingError
from bench.io import require_folder
from bench.isolation.process import IsolatedProcess, IsolatedProcessError, make_environment
from bench.isolation.staging import collect_samples, stage_request
from bench.isolation.state import describe_missing, read_state, system_folder
from bench.system import Generate
from bench.types import Audio, Request

if TYPE_CHECKING:
    from bench.isolation.adapter import Adapter

#: To import libraries and load checkpoints from a slow disk.
OPEN_LIMIT_S = 1_800.0
#: A chunk may take this many times what is expected of it, and this long in any case. It is less
#: than the limit of the engine (``bench.pipeline.workers``), which would end this worker too.
EXPECTED_TIMES = 10.0
SHORTEST_LIMIT_S = 110.0
KEPT_LOGS = 500


def open_isolated(adapter: Adapter, device: str) -> Generate:
    """Start the system in its environment, for ``device``, and return the function of chunks.

    Raises:
        MissingError: it is not set up; the message has the command.
        BenchError: its worker script cannot be opened.
    """
    if missing := describe_missing(adapter):
        raise MissingError(f"{adapter.name} cannot generate, it needs {missing}")
    folder = require_folder(system_folder(adapter.name))
    _remove_abandoned(folder / "work")
    chunks = _Chunks(adapter, device, folder)
    chunks.start()
    return chunks.generate


class _Chunks:
    """One isolated process, started anew after it has died, and the folders of its chunks."""

    def __init__(self, adapter: Adapter, device: str, folder: Path) -> None:
        self.adapter, self.device, self.folder = adapter, device, folder
        self.process: IsolatedProcess | None = None
        self.count = itertools.count()

    def start(self) -> IsolatedProcess:
        state = read_state(self.adapter.name)
        if state is None:  # removed while a run was going on
            raise MissingError(f"{self.adapter.name} is no longer set up")
        python, home = Path(state.python), require_folder(self.folder / "home")
        process = IsolatedProcess(
            python,
            self.adapter.folder / "worker.py",
            Path(state.checkout),
            make_environment(python, home, self.adapter.variables, self.device),
        )
        settings = {
            "checkout": state.checkout,
            "device": self.device.partition(":")[0],
            "options": dict(self.adapter.options),
        }
        try:
            process.call("open", settings, self._log("open"), OPEN_LIMIT_S)
        except BenchError as error:
            process.kill()
            raise BenchError(f"{self.adapter.name} cannot be opened: {error}") from error
        self.process = process
        return process

    def generate(self, requests: Sequence[Request]) -> list[Audio | Exception]:
        """Generate one chunk; a failure of the whole chunk raises, and its clips are tried again.

        Raises:
            IsolatedProcessError: the system raised, died or hung.
        """
        name = f"{os.getpid()}-{next(self.count)}"
        work = self.folder / "work" / name
        try:
            return self._generate_in(work, requests, self._log(name))
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _generate_in(
        self, work: Path, requests: Sequence[Request], log: Path
    ) -> list[Audio | Exception]:
        inputs, outputs, scratch = (work / name for name in ("inputs", "outputs", "work"))
        for folder in (inputs, outputs, scratch):
            folder.mkdir(parents=True)
        results: dict[int, Audio | Exception] = {}
        staged: dict[int, dict[str, Any]] = {}
        for row, request in enumerate(requests):
            try:
                # Rows count what is staged: scripts name files by the position in their list.
                staged[row] = stage_request(self.adapter, request, len(staged), inputs)
            except BenchError as error:
                results[row] = error
        if staged:
            rows = list(staged.values())
            chunk = {
                "requests": rows,
                "inputs": str(inputs),
                "outputs": str(outputs),
                "work": str(scratch),
            }
            answer = self._call(chunk, log, len(staged))
            samples = collect_samples(self.adapter, rows, outputs)
            errors = (answer or {}).get("errors", {})
            for (row, each), sample in zip(staged.items(), samples, strict=True):
                reported = errors.get(each["id"])
                results[row] = (
                    BenchError(f"{self.adapter.name}: {reported}") if reported else sample
                )
        return [results[row] for row in range(len(requests))]

    def _call(self, chunk: dict[str, Any], log: Path, n_clips: int) -> Any:
        process = self.process or self.start()
        expected_s = self.adapter.system().expected_seconds().on(self.device)
        limit_s = max(SHORTEST_LIMIT_S, EXPECTED_TIMES * expected_s) * n_clips
        try:
            return process.call("call", chunk, log, limit_s)
        except IsolatedProcessError as error:
            # After an error in a script its state is unknown (memory, random numbers): begin anew.
            process.kill()
            self.process = None
            clips = "this clip" if n_clips == 1 else f"a chunk of {n_clips} clips"
            raise IsolatedProcessError(f"{self.adapter.name} failed on {clips}: {error}") from error

    def _log(self, name: str) -> Path:
        logs = self.folder / "logs"
        for old in sorted(logs.glob("*.log"), key=lambda path: path.name)[:-KEPT_LOGS]:
            old.unlink(missing_ok=True)
        return logs / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{name}.log"


def _remove_abandoned(work: Path) -> None:
    """Delete the folders of chunks whose process was killed."""
    for folder in work.glob("*-*"):
        owner = folder.name.partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
