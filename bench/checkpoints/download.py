"""Download one URL to one file, and resume where an earlier attempt stopped.

Bytes are added to a partial file; after a broken connection or a killed process the next attempt
asks for the rest only. The download starts over where a server answers such a request with anything
but the rest, or where the parts together are not the file that was asked for: once, so that every
download ends. The caller's check of the complete file is what makes it safe to join parts of
several attempts, and to follow redirects to any server.
"""

from __future__ import annotations

import logging
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.checkpoints.verify import no_progress
from bench.digests import OnBytes
from bench.errors import BenchError

log = logging.getLogger(__name__)

#: How many attempts in a row may bring nothing before the download gives up.
MAX_FRUITLESS = 5
#: Between two blocks, not for the file: gigabytes may take hours as long as some arrive.
TIMEOUT_S = 30.0
#: Answers that ask to come back later.
PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}
REMEDY = "try another --mirror, or download it by hand and use --mirror FOLDER"
LOCALHOST = {"localhost", "127.0.0.1", "::1"}
CONTENT_RANGE = re.compile(r"bytes (\d+)-")
UNSATISFIED_RANGE = re.compile(r"bytes \*/(\d+)")

#: Describes what is wrong with a file, as a clause about it; None where nothing is.
FindProblem = Callable[[Path], str | None]


class _InterruptionError(Exception):
    """The connection broke or the server asks to come back; what has arrived so far is kept."""


class _BadPartError(Exception):
    """The bytes of an earlier attempt, or those that the server adds, are no part of the file."""


@dataclass(frozen=True)
class Download:
    """A file to download; ``size_bytes`` None accepts any size."""

    url: str
    size_bytes: int | None


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
        BenchError: plain http to another machine is asked for, the server refuses, sends another
            file, the disk is too small, or five attempts in a row bring nothing. Only a part that
            the next call can resume is kept.
    """
    for is_last in (False, True):
        try:
            is_resumed = _complete(wanted, part, progress, pause_s)
            problem = find_problem(part)
            # What came in one piece is what the server has: it would send the same again.
            if not problem or is_last or not is_resumed:
                break
            reason = f"the file put together from several attempts {problem}"
        except _BadPartError as error:
            if is_last:
                part.unlink(missing_ok=True)
                raise BenchError(
                    f"cannot download {wanted.url}, also after starting over: {error}; nothing of "
                    f"it was kept: {REMEDY}"
                ) from error
            reason = str(error)
        log.info("download of %s starts over: %s", wanted.url, reason)
        part.unlink(missing_ok=True)
    if problem:
        part.unlink(missing_ok=True)
        raise BenchError(f"the file at {wanted.url} {problem}; nothing of it was kept: {REMEDY}")


def _complete(wanted: Download, part: Path, progress: OnBytes, pause_s: float) -> bool:
    """Bring ``part`` to its size; return whether it resumed what earlier attempts left.

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
                # Progress means more bytes than ever before. A server that always starts at the
                # first byte may beat the last attempt again and again without ever finishing.
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
    """A client that refuses, at every hop, connections that others can read or change.

    Any https server may deliver the bytes: publishers redirect to delivery networks whose names
    change without notice, and the checksum decides whether the bytes are the file. Plain http is
    for a mirror on this machine.
    """

    def check(request: httpx.Request) -> None:
        asked = httpx.URL(wanted.url)
        is_local = asked.host in LOCALHOST
        if request.url.scheme != "https" and not (is_local and request.url.host in LOCALHOST):
            leads = "" if request.url == asked else f" leads to {request.url}, which"
            raise BenchError(
                f"{wanted.url}{leads} is not https; plain http is for mirrors on localhost"
            )

    return httpx.Client(follow_redirects=True, timeout=TIMEOUT_S, event_hooks={"request": [check]})


def _attempt(client: httpx.Client, wanted: Download, part: Path, progress: OnBytes) -> bool:
    """Ask for the missing bytes and add them; return whether that resumed an earlier part."""
    start = _size(part)
    # Sizes and positions count the bytes of the file: compressed, those of the answer are others.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with client.stream("GET", wanted.url, headers=headers) as response:
        if response.status_code in PASSING_STATUS:
            raise _InterruptionError(f"the server answers {response.status_code}")
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            # Nothing follows ``start``: the file is complete, but only where the server states that
            # this is its size. Otherwise the part is longer than the file, or of another one.
            stated = UNSATISFIED_RANGE.match(response.headers.get("Content-Range", ""))
            if stated is None or int(stated[1]) != start:
                raise _BadPartError(
                    f"the server has nothing after the {start:,} bytes that were here"
                )
        elif not response.is_success:
            raise BenchError(f"{wanted.url} answers {response.status_code}; see --mirror")
        else:
            _receive(response, wanted, part, start, progress)
    return start > 0


def _receive(
    response: httpx.Response, wanted: Download, part: Path, start: int, progress: OnBytes
) -> None:
    """Write the answer at its position in the file.

    Raises:
        _BadPartError: it is neither the rest that was asked for nor the complete file.
        _InterruptionError: it ends before the file does.
        BenchError: it is another file, or does not fit on the disk.
    """
    first = _first_byte(response, start)
    total = _total_bytes(response, wanted, start, first)
    if total is not None and total - start > (free := shutil.disk_usage(part.parent).free):
        raise BenchError(
            f"{wanted.url} has {total - start:,} bytes more and {part.parent} has {free:,} bytes "
            "free; use --weights elsewhere"
        )
    done = first
    with part.open("ab" if first else "wb") as file:
        for block in response.iter_raw():
            done += file.write(block)
            if wanted.size_bytes is not None and done > wanted.size_bytes:
                raise _BadPartError(f"the server sends more than {wanted.size_bytes:,} bytes")
            progress(done, total)
    if wanted.size_bytes is not None and _size(part) < wanted.size_bytes:
        raise _InterruptionError(f"the answer ended after {_size(part):,} bytes")


def _first_byte(response: httpx.Response, start: int) -> int:
    """The position in the file where an answer begins: ``start`` under status 206, else 0."""
    expected = start if response.status_code == httpx.codes.PARTIAL_CONTENT else 0
    stated = CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    if stated is not None and int(stated[1]) != expected:
        raise _BadPartError(
            f"asked for the bytes from {start:,}, the server answers {response.status_code} with "
            f"those from {int(stated[1]):,}"
        )
    return expected


def _total_bytes(response: httpx.Response, wanted: Download, start: int, first: int) -> int | None:
    """The size of the complete file, where it is known."""
    # Networks with a log-in page answer any request with it, and with status 200.
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
    # Sizes that fit the rest show a server that continued under another status, or from another
    # byte: the same file from its start may still be had. Any other size is another file.
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
