"""One URL to one file, going on where it stopped.

Bytes are added to a partial file; after a broken connection or a killed process the next attempt
asks for the rest only. Nothing here decides whether the result is right: the caller knows its
checksum, and that is also what makes it safe to join parts of two attempts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.digests import OnBytes
from bench.errors import BenchError

log = logging.getLogger(__name__)

#: How many attempts in a row may bring nothing before the download gives up.
MAX_FRUITLESS = 5
TIMEOUT_S = 30.0
#: Answers that ask to come back later.
PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}
LOCALHOST = {"localhost", "127.0.0.1", "::1"}


class _InterruptionError(Exception):
    """The server asks to come back, or for another range; what has arrived so far is kept."""


@dataclass(frozen=True)
class Download:
    """What is asked for: ``size_bytes`` None accepts any size; redirects stay within ``hosts``.

    Plain http is for this machine, and only where ``hosts`` names it.
    """

    url: str
    size_bytes: int | None
    hosts: Collection[str]


def download(wanted: Download, part: Path, progress: OnBytes, pause_s: float = 1.0) -> None:
    """Complete ``part``, however many attempts it takes as long as some bring something.

    Pauses double from ``pause_s`` between attempts that bring nothing.

    Raises:
        BenchError: another host or plain http is asked for, the server refuses, offers a file of
            another size, or five attempts in a row bring nothing.
    """
    fruitless = 0
    with _client(wanted) as client:
        while wanted.size_bytes is None or _size(part) != wanted.size_bytes:
            before = _size(part)
            try:
                _attempt(client, wanted, part, progress)
            except (httpx.TransportError, _InterruptionError) as error:
                log.info("download of %s interrupted: %s", wanted.url, error)
                fruitless = 0 if _size(part) > before else fruitless + 1
                if fruitless == MAX_FRUITLESS:
                    raise BenchError(
                        f"cannot download {wanted.url}: {error or type(error).__name__}; what has "
                        "arrived is kept, and the same command goes on from there"
                    ) from error
                time.sleep(pause_s * 2**fruitless)
            except (httpx.RequestError, httpx.InvalidURL) as error:
                raise BenchError(f"cannot download {wanted.url}: {error}") from error
            else:
                return


def _client(wanted: Download) -> httpx.Client:
    return httpx.Client(
        follow_redirects=True, timeout=TIMEOUT_S, event_hooks={"request": [_guard(wanted)]}
    )


def _guard(wanted: Download) -> Callable[[httpx.Request], None]:
    """Refuse, at every hop, hosts that were not named and connections that are not private."""

    def check(request: httpx.Request) -> None:
        host, scheme = request.url.host, request.url.scheme
        if host not in wanted.hosts:
            raise BenchError(
                f"{wanted.url} leads to {host!r}, expected one of {', '.join(sorted(wanted.hosts))}"
                "; download it by hand and use --mirror FOLDER"
            )
        if scheme != "https" and host not in LOCALHOST:
            raise BenchError(f"{request.url} is not https; plain http is for mirrors on localhost")

    return check


def _attempt(client: httpx.Client, wanted: Download, part: Path, progress: OnBytes) -> None:
    start = _size(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with client.stream("GET", wanted.url, headers=headers) as response:
        if response.status_code in PASSING_STATUS:
            raise _InterruptionError(f"the server answers {response.status_code}")
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink(missing_ok=True)
            raise _InterruptionError("the part that was here is no part of the file: starting over")
        if not response.is_success:
            raise BenchError(f"{wanted.url} answers {response.status_code}; see --mirror")
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            start = 0  # the server knows no ranges, or there was nothing to go on from
        _receive(response, wanted, part, start, progress)


def _receive(
    response: httpx.Response, wanted: Download, part: Path, start: int, progress: OnBytes
) -> None:
    length = response.headers.get("Content-Length")
    total = start + int(length) if length else wanted.size_bytes
    if wanted.size_bytes is not None and total != wanted.size_bytes:
        raise BenchError(
            f"{wanted.url} offers {total:,} bytes, the official file has {wanted.size_bytes:,}"
        )
    with part.open("ab" if start else "wb") as file:
        for block in response.iter_raw():
            file.write(block)
            progress(file.tell(), total)


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0
