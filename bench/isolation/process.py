"""The parent's side of one isolated process: start it, call it within a time limit, end it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from bench.errors import BenchError

HOST = Path(__file__).with_name("host.py")

#: What an isolated process is given of the user's environment, beside what its adapter declares:
#: where programs and libraries are, the language, and the way to the network.
PASSED_ON = (
    *("PATH", "LD_LIBRARY_PATH", "CUDA_HOME", "CUDA_PATH", "TMPDIR", "LANG", "LC_ALL", "TZ"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "OMP_NUM_THREADS"),
)
LOG_TAIL_LINES = 3
KILL_WAIT_S = 10.0


class IsolatedProcessError(BenchError):
    """The isolated process died, exceeded its time limit, or its worker script raised."""


class IsolatedProcess:
    """A worker script in an environment of its own; it leads a process group.

    It ends when nobody refers to it, and with this process, however that ends: the host kills its
    group when its socket closes.
    """

    def __init__(
        self, python: Path, script: Path, directory: Path, environment: Mapping[str, str]
    ) -> None:
        self._channel, theirs = socket.socketpair()
        self._received = b""
        # -I: neither the folder of the host nor the user's packages are importable, and no variable
        # of Python counts. -u: the log of a process that is killed is complete.
        command = [str(python), "-I", "-u", str(HOST), str(theirs.fileno()), str(script)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - an interpreter that the user set up
                command,
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except OSError as error:
            self._channel.close()
            raise BenchError(
                f"cannot start {python} in {directory}: {error.strerror}; set the system up again"
            ) from error
        finally:
            theirs.close()
        # When nobody uses it any more, too: several models of one command share a GPU.
        self._end = weakref.finalize(self, _end_process, self._process, self._channel)

    def call(self, kind: str, value: Any, log: Path, limit_s: float) -> Any:
        """Send ``{kind: value}`` and return the answer; what is printed meanwhile is in ``log``.

        Raises:
            IsolatedProcessError: the script raised, or the process died or took longer than
                ``limit_s``; in the last two cases it is gone.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        message = json.dumps({kind: value, "log": str(log)})
        with suppress(BrokenPipeError, ConnectionResetError):  # its death is noticed below
            self._channel.settimeout(limit_s)
            self._channel.sendall(message.encode() + b"\n")
        line = self._receive_line(log, time.monotonic() + limit_s, limit_s)
        answer = json.loads(line)
        if "error" in answer:
            raise IsolatedProcessError(f"{answer['error']} ({describe_log(log)})")
        return answer["value"]

    def _receive_line(self, log: Path, deadline_s: float, limit_s: float) -> bytes:
        while b"\n" not in self._received:
            self._channel.settimeout(max(0.001, deadline_s - time.monotonic()))
            try:
                block = self._channel.recv(65_536)
            except TimeoutError:
                self.kill()
                raise IsolatedProcessError(
                    f"no answer within {limit_s:.0f} s, so it was killed ({describe_log(log)})"
                ) from None
            except ConnectionResetError:
                block = b""
            if not block:
                raise IsolatedProcessError(f"it {self._describe_death()} ({describe_log(log)})")
            self._received += block
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _describe_death(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(KILL_WAIT_S)
        code = self._process.returncode
        self.kill()  # what it has started may still run
        if code is None:
            return "closed its channel"
        return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"

    def kill(self) -> None:
        """Kill the process with everything that it has started."""
        self._end()


def _end_process(process: subprocess.Popen[bytes], channel: socket.socket) -> None:
    children: list[psutil.Process] = []
    with suppress(psutil.Error):  # those in sessions of their own are not in the group
        children = psutil.Process(process.pid).children(recursive=True)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in children:
        with suppress(psutil.Error):
            child.kill()
    channel.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(KILL_WAIT_S)


def make_environment(
    python: Path, home: Path, passed_on: tuple[str, ...], device: str
) -> dict[str, str]:
    """Return the environment variables of an isolated process.

    It has a home folder of its own, no setting of the user's Python, and the variables that its
    adapter declares (``HF_HOME``: nobody downloads checkpoints twice). Of several GPUs it sees the
    one of ``device``.
    """
    found = {name: os.environ[name] for name in (*PASSED_ON, *passed_on) if name in os.environ}
    found["HOME"] = str(home)
    found["PATH"] = f"{python.parent}{os.pathsep}{found.get('PATH', os.defpath)}"
    found["PYTHONUNBUFFERED"] = "1"  # for the scripts that it starts
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    kind, _, index = device.partition(":")
    if kind == "cpu":
        visible = ""
    elif index:
        visible = visible.split(",")[int(index)] if visible else index
    if kind == "cpu" or visible:
        found["CUDA_VISIBLE_DEVICES"] = visible
    return found


def describe_log(log: Path) -> str:
    """Return the last lines of a log, and where it is."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return f"log: {log}"
    last = [line.strip() for line in lines if line.strip()][-LOG_TAIL_LINES:]
    reported = f"it reported: {' | '.join(last)[-300:]}; " if last else ""
    return f"{reported}log: {log}"
