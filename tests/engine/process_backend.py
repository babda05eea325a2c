"""A back end for tests: every chunk is a process here, as it would be a job of a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.engine import WorkerSettings
from bench.engine.backend import Layout
from tests.conftest import ROOT


class ProcessBackend:
    """Runs ``python -m bench.engine.chunks JOB`` for each chunk, in a process group of its own."""

    logs: Path | None = None

    def __init__(self, n_slots: int = 1, n_submitted: int = 0, n_workers: int = 1) -> None:
        self.n_slots, self.n_submitted, self.n_workers = n_slots, n_submitted or n_slots, n_workers
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.jobs: dict[str, Path] = {}
        self.cancelled: list[str] = []
        self.n_closed = 0
        self.environment: dict[str, str] | None = None

    def layout(self, settings: WorkerSettings) -> Layout:
        return Layout(self.n_slots, self.n_submitted, self.n_workers, settings)

    def submit(self, jobs: Sequence[Path], settings: WorkerSettings) -> list[str]:
        names = []
        for job in jobs:
            command = [sys.executable, "-m", "bench.engine.chunks", str(job)]
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                start_new_session=True,
                stderr=subprocess.PIPE,
            )
            self.processes[str(process.pid)] = process
            self.jobs[str(process.pid)] = job
            names.append(str(process.pid))
        return names

    def ended(self) -> list[tuple[str, str | None]]:
        ended: list[tuple[str, str | None]] = []
        for name, process in list(self.processes.items()):
            if process.poll() is not None:
                del self.processes[name]
                stderr = process.communicate()[1].decode().strip()
                loss = f"exit code {process.returncode}: {stderr}"
                ended.append((name, loss if process.returncode else None))
        return ended

    def waiting(self) -> str:
        return f"{len(self.processes)} processes"

    def cancel(self, ids: Sequence[str]) -> None:
        self.cancelled += ids
        for name in ids:
            if name in self.processes:
                os.killpg(int(name), signal.SIGKILL)

    def close(self) -> None:
        self.n_closed += 1
        self.cancel(list(self.processes))
        for process in self.processes.values():
            process.communicate()
        self.processes.clear()
