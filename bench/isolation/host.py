"""Runs inside another system's environment: loads its worker script and answers calls.

    python host.py DESCRIPTOR WORKER_SCRIPT

Started by ``bench.isolation.process``, by whatever Python that environment has: so nothing but the
standard library of Python 3.8 is imported here, and nothing of this project. Calls and answers are
lines of JSON on a socket of their own; what the system prints goes to the log of the call.

    parent -> host   {"open": SETTINGS, "log": PATH}    call open_worker(SETTINGS) of the script
                     {"call": MESSAGE, "log": PATH}     call the function that it returned
    host -> parent   {"value": VALUE} or {"error": TEXT}
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from queue import Queue
from typing import Any


def main() -> None:
    """Answer calls until the parent closes the socket or dies."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    channel.set_inheritable(False)  # what the system starts must not keep it open
    lines: Queue[bytes] = Queue()
    threading.Thread(target=_read_lines, args=(channel, lines), daemon=True).start()
    handle: Any = None
    while True:
        message = json.loads(lines.get())
        _redirect_output(message["log"])
        value: Any = None
        try:
            if "open" in message:
                handle = _load(sys.argv[2]).open_worker(message["open"])
            else:
                value = handle(message["call"])
            line = json.dumps({"value": value})
        except subprocess.CalledProcessError as error:  # its own last lines say why
            line = json.dumps({"error": f"{error.cmd[1]} ended with code {error.returncode}"})
        except BaseException as error:  # SystemExit too: scripts of other projects call sys.exit
            traceback.print_exc()
            line = json.dumps({"error": f"{type(error).__name__}: {error}"})
        sys.stdout.flush()
        sys.stderr.flush()
        channel.sendall(line.encode() + b"\n")


def _read_lines(channel: socket.socket, lines: Queue[bytes]) -> None:
    with channel.makefile("rb") as file:
        for line in file:
            lines.put(line)
    # The parent is gone: end with all that the system has started, whatever it is doing.
    os.killpg(0, signal.SIGKILL)


def _redirect_output(log: str) -> None:
    # Descriptors, not sys.stdout: libraries in C and other processes write there too.
    with Path(log).open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def _load(script: str) -> Any:
    specification = importlib.util.spec_from_file_location("worker", script)
    if specification is None or specification.loader is None:
        raise ImportError(f"cannot load {script}")
    module = importlib.util.module_from_spec(specification)
    sys.modules["worker"] = module
    specification.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
