"""One URL to one file, going on where it stopped.

Bytes are added to a partial file; after a broken connection or a killed process the next attempt
asks for the rest only. A server that answers such a request with anything but the rest, or a whole
file that is not what was asked for although it was put together from parts, makes the download
start over: once, so that every download ends. The caller says what is wrong with a file; that is
also what makes it safe to join parts of two attempts.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.checkpoints.verify import no_progress
from bench.digests import OnBytes
from bench.errors import BenchError

log = logging.getLogger(__name__)

#: How many attempts in a row may bring nothing before the download gives up.
MAX_FRUITLESS = 5
TIMEOUT_S = 30.0
#: Answers that ask to come back later.
PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}
REMEDY = "try another --mirror, or download it by hand and use --mirror FOLDER"
LOCALHOST = {"localhost", "127.0.0.1", "::1"}
CONTENT_RANGE = re.compile(r"bytes (\d+)-")
UNSATISFIED_RANGE = re.compile(r"bytes \*/(\d+)")

#: What is wrong with a file, as a clause about it; None where nothing is.
FindProblem = Callable[[Path], str | None]


class _InterruptionError(Exception):
    """The connection broke or the server asks to come back; what has arrived so far is kept."""


class _BadPartError(Exception):
    """What was here, or what the server adds to it, is no part of the file."""


@dataclass(frozen=True)
class Download:
    """What is asked for: ``size_bytes`` None accepts any size; redirects stay within ``hosts``.

    Plain http is for this machine, and only where ``hosts`` names it.
    """

    url: str
    size_bytes: int | None
    hosts: Collection[str]


def download(
    wanted: Download,
    part: Path,
    find_problem: FindProblem,
    progress: OnBytes = no_progress,
    pause_s: float = 1.0,
) -> None:
    """Complete ``part`` until ``find_problem`` finds nothing, starting over at most once.

    It takes as many attempts as needed while some bring something; pauses double from ``pause_s``
    between attempts that bring nothing.

    Raises:
        BenchError: another host or plain http is asked for, the server refuses, sends what is not
            the file, or five attempts in a row bring nothing. Only a part that the next call can
            go on from is kept.
    """
    try:
        is_resumed = _complete(wanted, part, progress, pause_s)
        problem = find_problem(part)
        if problem and is_resumed:
            raise _BadPartError(f"the file that two attempts brought together {problem}")
    except _BadPartError as error:
        log.info("download of %s starts over: %s", wanted.url, error)
        part.unlink(missing_ok=True)
        problem = _start_over(wanted, part, find_problem, progress, pause_s)
    if problem:
        part.unlink(missing_ok=True)
        raise BenchError(f"what {wanted.url} gives {problem}; nothing of it was kept: {REMEDY}")


def _start_over(
    wanted: Download, part: Path, find_problem: FindProblem, progress: OnBytes, pause_s: float
) -> str | None:
    """Download once more from the first byte; say what is wrong with the result."""
    try:
        _complete(wanted, part, progress, pause_s)
    except _BadPartError as error:
        part.unlink(missing_ok=True)
        raise BenchError(
            f"cannot download {wanted.url}, also after starting over: {error}; nothing of it was "
            f"kept: {REMEDY}"
        ) from error
    return find_problem(part)


def _complete(wanted: Download, part: Path, progress: OnBytes, pause_s: float) -> bool:
    """Bring ``part`` to its size; return whether it went on from what earlier attempts left.

    Raises:
        BenchError: as ``download`` does.
        _BadPartError: the part is no part of the file, or the server does not continue it.
    """
    largest, fruitless = _size(part), 0
    if wanted.size_bytes is not None and largest > wanted.size_bytes:
        raise _BadPartError(f"{part} has {largest:,} bytes, the file {wanted.size_bytes:,}")
    with _client(wanted) as client:
        while wanted.size_bytes is None or _size(part) != wanted.size_bytes:
            try:
                return _attempt(client, wanted, part, progress)
            except (httpx.TransportError, _InterruptionError) as error:
                log.info("download of %s interrupted: %s", wanted.url, error)
                # More than ever before: with a server that always begins anew, more than the last
                # attempt brought could go on for ever.
                fruitless = 0 if _size(part) > largest else fruitless + 1
                largest = max(largest, _size(part))
                if fruitless == MAX_FRUITLESS:
                    raise BenchError(
                        f"cannot download {wanted.url}: {error or type(error).__name__}; what has "
                        "arrived is kept, and the same command goes on from there; or try another "
                        "--mirror"
                    ) from error
                time.sleep(pause_s * 2**fruitless)
            except (httpx.RequestError, httpx.InvalidURL) as error:
                raise BenchError(f"cannot download {wanted.url}: {error}") from error
    return True


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


def _attempt(client: httpx.Client, wanted: Download, part: Path, progress: OnBytes) -> bool:
    """Ask for what is missing and add it; return whether that went on from an earlier part."""
    start = _size(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with client.stream("GET", wanted.url, headers=headers) as response:
        if response.status_code in PASSING_STATUS:
            raise _InterruptionError(f"the server answers {response.status_code}")
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            _require_whole(response, start)
        elif not response.is_success:
            raise BenchError(f"{wanted.url} answers {response.status_code}; see --mirror")
        else:
            _receive(response, wanted, part, start, progress)
    return start > 0


def _require_whole(response: httpx.Response, start: int) -> None:
    """Accept that there is nothing after ``start`` only where the server says that is the end."""
    stated = UNSATISFIED_RANGE.match(response.headers.get("Content-Range", ""))
    if stated is None or int(stated[1]) != start:
        raise _BadPartError(f"the server has nothing after the {start:,} bytes that were here")


def _receive(
    response: httpx.Response, wanted: Download, part: Path, start: int, progress: OnBytes
) -> None:
    """Write the answer where it belongs in the file.

    Raises:
        _BadPartError: it is not the rest that was asked for, nor the whole file.
        _InterruptionError: it ends before the file does.
        BenchError: it is another file.
    """
    first = _first_byte(response, start)
    total = _total_bytes(response, wanted, start, first)
    with part.open("ab" if first else "wb") as file:
        for block in response.iter_raw():
            file.write(block)
            if wanted.size_bytes is not None and file.tell() > wanted.size_bytes:
                raise _BadPartError(f"the server sends more than {wanted.size_bytes:,} bytes")
            progress(file.tell(), total)
    if wanted.size_bytes is not None and _size(part) < wanted.size_bytes:
        raise _InterruptionError(f"the answer ended after {_size(part):,} bytes")


def _first_byte(response: httpx.Response, start: int) -> int:
    """Where in the file an answer begins: at ``start`` under status 206, at 0 under any other."""
    expected = start if response.status_code == httpx.codes.PARTIAL_CONTENT else 0
    stated = CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    if stated is not None and int(stated[1]) != expected:
        raise _BadPartError(
            f"asked for the bytes from {start:,}, the server answers {response.status_code} with "
            f"those from {int(stated[1]):,}"
        )
    return expected


def _total_bytes(response: httpx.Response, wanted: Download, start: int, first: int) -> int | None:
    """How large the file will be, where it is known."""
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise BenchError(
            f"{wanted.url} gives a web page, not a file (a log-in page of this network?): {REMEDY}"
        )
    stated = response.headers.get("Content-Length")
    if stated is None:
        return wanted.size_bytes
    total = first + int(stated)
    if wanted.size_bytes in (None, total):
        return total
    if first or start + int(stated) == wanted.size_bytes:
        raise _BadPartError(
            f"asked for the bytes from {start:,} of {wanted.size_bytes:,}, the server answers "
            f"{response.status_code} with {int(stated):,} bytes"
        )
    raise BenchError(
        f"{wanted.url} offers {total:,} bytes, the official file has {wanted.size_bytes:,}"
    )


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0
