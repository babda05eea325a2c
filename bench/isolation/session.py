"""One isolated process of an adapter, started when it is needed and anew after a failure."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, MissingError
from bench.io import require_folder
from bench.isolation.process import IsolatedProcess, IsolatedProcessError, make_environment
from bench.isolation.state import describe_missing, read_state, system_folder

if TYPE_CHECKING:
    from bench.isolation.adapter import Adapter

#: To import libraries and load checkpoints from a slow disk.
OPEN_LIMIT_S = 1_800.0
KEPT_LOGS = 500


class IsolatedSession:
    """Calls of the worker script of ``adapter`` on ``device``, each with a log of its own."""

    def __init__(self, adapter: Adapter, device: str) -> None:
        self.adapter, self.device = adapter, device
        self.folder = system_folder(adapter.name)
        self._process: IsolatedProcess | None = None

    def start(self) -> IsolatedProcess:
        """Start the process and open the worker script, unless it runs.

        Raises:
            MissingError: the system is not set up; the message has the command.
            BenchError: its worker script cannot be opened.
        """
        if self._process is not None:
            return self._process
        missing, state = describe_missing(self.adapter), read_state(self.adapter.name)
        if missing or state is None:
            raise MissingError(f"{self.adapter.name} cannot run, it needs {missing}")
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
            process.call("open", settings, self._name_log("open"), OPEN_LIMIT_S)
        except BenchError as error:
            process.kill()
            raise BenchError(f"{self.adapter.name} cannot be opened: {error}") from error
        self._process = process
        return process

    def call(self, message: Any, name: str, limit_s: float) -> Any:
        """Return the answer of the worker; what it prints is in the log that ``name`` ends.

        Raises:
            IsolatedProcessError: it raised, died or took longer than ``limit_s``.
            BenchError: as ``start``.
        """
        process = self.start()
        try:
            return process.call("call", message, self._name_log(name), limit_s)
        except IsolatedProcessError:
            # After an error in a script its state is unknown (memory, random numbers): begin anew.
            process.kill()
            self._process = None
            raise

    def _name_log(self, name: str) -> Path:
        logs = self.folder / "logs"
        # Their names begin with the time.
        for old in sorted(logs.glob("*.log"))[:-KEPT_LOGS]:
            old.unlink(missing_ok=True)
        return logs / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{name}.log"
