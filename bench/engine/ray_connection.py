"""The connection to Ray: a cluster that exists, or one that is started on this machine alone.

Several runs of one command share it. What was started here ends with the last of them, or with this
process, however that ends: its daemons are killed by the system when their parent dies.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.engine.settings import core_count
from bench.errors import BenchError

#: A cluster that exists has to answer within this; Ray itself would try for minutes.
CONNECT_S = 10.0
HEALTH_S = 40.0
#: Shared memory for objects, of which there are hardly any: results go through files.
STORE_BYTES = 100 * 2**20
#: A socket of the session is below its folder, and 107 bytes long at most.
LONGEST_FOLDER = 40

#: Read when ray is imported. No statistics are reported; a worker without a GPU keeps the variables
#: of the devices as they are; an environment of uv is not built again on every node.
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}


class _Connection:
    """Who uses the connection, and what of it is ours."""

    users = 0
    is_ours = False
    folder: Path | None = None
    lock: int | None = None


def connect(address: str, workers: int | None) -> None:
    """Connect to a cluster, or with address "" start one here, unless there is a connection.

    Each call needs one of ``disconnect``. A cluster of this machine has room for ``workers``.

    Raises:
        BenchError: no cluster answers at the address, or none can be started.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if not address and "ray" not in sys.modules and "RAY_AUTH_MODE" not in os.environ:
        # Only processes that know the token may give a cluster of this machine work. Without one
        # Ray writes a token for good into the home directory.
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    import ray

    if not ray.is_initialized():
        _Connection.is_ours = True
        try:
            if address:
                _join(address)
            else:
                _start(max(core_count(), workers or 0))
        except BaseException:
            _leave()
            raise
    _Connection.users += 1


def share() -> None:
    """Keep a connection that is made from now on until ``disconnect`` is called once more."""
    _Connection.users += 1


def disconnect() -> None:
    """Give up the connection; the last user ends it, with a cluster that was started here."""
    _Connection.users -= 1
    if _Connection.users == 0 and _Connection.is_ours:
        _leave()


def _leave() -> None:
    import ray

    ray.shutdown()
    if _Connection.folder is not None:
        shutil.rmtree(_Connection.folder, ignore_errors=True)
    if _Connection.lock is not None:
        os.close(_Connection.lock)
    _Connection.is_ours, _Connection.folder, _Connection.lock = False, None, None


def _start(n_cpus: int) -> None:
    import ray

    base = tempfile.gettempdir() if len(tempfile.gettempdir()) <= LONGEST_FOLDER else "/tmp"  # noqa: S108
    _remove_left(Path(base))
    _Connection.folder = Path(tempfile.mkdtemp(prefix="bench-ray-", dir=base))
    # Held until this process ends, however it ends; before that nobody removes the folder.
    _Connection.lock = os.open(_Connection.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(_Connection.lock, fcntl.LOCK_EX)
    try:
        with _delayed_interrupt():
            ray.init(
                address="local",
                num_cpus=n_cpus,
                object_store_memory=STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                # Ray opens its folder to all users of the machine; the one around it stays ours.
                _temp_dir=str(_Connection.folder / "ray"),
                _node_ip_address="127.0.0.1",
            )
    except (OSError, RuntimeError, ValueError) as error:
        raise BenchError(f"Ray cannot start on this machine: {_first_line(error)}") from error


def _remove_left(base: Path) -> None:
    """Remove the folders of clusters whose process was killed: nobody holds their locks."""
    for folder in base.glob("bench-ray-*"):
        with suppress(OSError), (folder / "lock").open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _delayed_interrupt() -> Iterator[None]:
    """Have a first Ctrl-C wait for the end: daemons that are half started would outlive us."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    came = threading.Event()

    def note(number: int, frame: object) -> None:
        came.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came.is_set():
        raise KeyboardInterrupt


def _join(address: str) -> None:
    import ray

    _require_answer(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        raise BenchError(
            f"cannot join the Ray cluster at {address}: {_first_line(error)} "
            "(this machine has to be one of its nodes: ray start --address HOST:PORT)"
        ) from error


def _require_answer(address: str) -> None:
    """Refuse an address at which no cluster is, within a minute."""
    remedy = "start one with ray start --head, or unset RAY_ADDRESS for this machine alone"
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check"]
    if address != "auto":
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
        except OSError as error:
            reason = error.strerror or error
            raise BenchError(f"no Ray cluster answers at {address} ({reason}): {remedy}") from error
        command += ["--address", address]
    try:
        found = subprocess.run(command, capture_output=True, timeout=HEALTH_S, check=False)  # noqa: S603
        is_there = found.returncode == 0
    except subprocess.TimeoutExpired:
        is_there = False
    if not is_there:
        where = "on this machine" if address == "auto" else f"at {address}"
        raise BenchError(f"no Ray cluster answers {where}: {remedy}")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
