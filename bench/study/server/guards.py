"""What every answer of the server carries, and how much one client may send."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: The longest comment, escaped as JSON, is below.
MAX_BODY_BYTES = 32_768

#: Nothing but our own files; no frame around the page, and no form that leaves it.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; media-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class AddHeaders:
    """Middleware that adds the headers of security to every answer, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; what only some answers set, such as caching, is kept."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class RateLimit:
    """A bucket per key: ``burst`` at once, then ``per_second``; any thread may ask."""

    def __init__(
        self, per_second: float, burst: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second, self._burst, self._now = per_second, burst, now
        self._lock = threading.Lock()
        self._buckets: dict[int, tuple[float, float]] = {}

    def spend(self, key: int) -> None:
        """Count one request.

        Raises:
            HTTPException: 429, if there were too many.
        """
        with self._lock:
            now = self._now()
            level, since = self._buckets.get(key, (float(self._burst), now))
            level = min(self._burst, level + (now - since) * self._per_second)
            is_allowed = level >= 1
            self._buckets[key] = (level - is_allowed, now)
        if not is_allowed:
            raise HTTPException(429, "too many requests", {"Retry-After": "1"})


async def read_json_body(request: Request, kinds: Mapping[str, type]) -> dict[str, Any]:
    """Return the fields of a JSON object: those of ``kinds``, all of them, and no others.

    ``float`` takes any number. JSON alone is read, since a form of another site can send no such
    type.

    Raises:
        HTTPException: 413 too long, 415 no JSON, 422 other fields or types.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "expected application/json")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, f"a request has at most {MAX_BODY_BYTES} bytes")
    try:
        values = json.loads(body)
        json.dumps(values, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise HTTPException(422, "this is no JSON") from error
    if not isinstance(values, dict) or set(values) != set(kinds):
        raise HTTPException(422, f"expected an object with {', '.join(kinds)}")
    for name, kind in kinds.items():
        if not is_kind(values[name], kind):
            raise HTTPException(422, f"{name}: expected {kind.__name__}")
    return values


def is_kind(value: object, kind: type) -> bool:
    """Whether a value of JSON is of this type; true and false are no numbers."""
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)
