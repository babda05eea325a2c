"""Serve a study until it is stopped."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from bench.errors import BenchError
from bench.study.media import require_media
from bench.study.server.app import Survey, create_app
from bench.study.store import RATER, SIMULATED, Store, open_store

#: Connections at once; above, a new one is answered 503, and the page tries again.
MAX_CONNECTIONS = 1_000
#: Raters watch videos between two requests: their connection stays open.
KEEP_ALIVE_S = 30
#: What is being sent when the server is stopped has this long.
SHUTDOWN_S = 5


def serve_study(
    study: Path, host: str, port: int, survey: Survey, announce: Callable[[str], None]
) -> None:
    """Serve a study at ``host`` and ``port`` (0: any free one) until Ctrl-C or SIGTERM.

    Raises:
        BenchError: no study, answers to another design, missing media, or a port in use.
    """
    import uvicorn

    store = open_store(study)
    try:
        require_media(study, store.design)
        _check_source(store, survey)
        app = create_app(study, store, survey)
        with bind(host, port) as listener:
            config = uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                limit_concurrency=MAX_CONNECTIONS,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=SHUTDOWN_S,
                ws="none",
            )
            name = f"[{host}]" if ":" in host else host
            announce(f"http://{name}:{listener.getsockname()[1]}/")
            uvicorn.Server(config).run(sockets=[listener])
    finally:
        store.close()


def _check_source(store: Store, survey: Survey) -> None:
    """Refuse to mix raters with simulated ones, before one of them arrives."""
    source, option = (SIMULATED, "without") if survey.is_simulated else (RATER, "with")
    if any(each.source != source for each in store.read_sessions()):
        raise BenchError(
            f"the study has sessions of another source than {source!r}: serve it {option} "
            "--simulated, or create another study"
        )


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that takes connections at ``host`` and ``port``, before uvicorn is ready.

    Raises:
        BenchError: no such host, or a port in use.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except OSError as error:
        raise BenchError(f"cannot serve at {host}: {error.strerror}") from error
    try:
        listener = socket.create_server((host, port), family=family, backlog=MAX_CONNECTIONS)
    except OSError as error:
        raise BenchError(
            f"cannot serve at {host} port {port}: {error.strerror}; name another port by --port"
        ) from error
    # Connections inherit it; asyncio sets it only on those of its own. Answers, whose header and
    # body are two packets, would wait 40 ms for the client's confirmation of the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
