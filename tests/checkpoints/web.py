"""A local web server with the fault that a test selects."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(range(256)) * 1_000


@dataclass
class Server:
    """The content, the manner of serving it, and a log of the requests.

    ``statuses`` are answered first, one each; ``cuts`` are the bytes after which an answer breaks.
    ``quirk`` names a way in which servers and proxies get an answer wrong:

        part200         the rest that was asked for, under the status of a whole file
        bare-part200    the same without saying so
        whole206        the full file, with the status of a part
        bare-whole206   the same without saying so
        other206        the part before the one that was asked for
        endless         more bytes than the file has, of no stated number
        page            a page of HTML
    """

    url: str = ""
    content: bytes = CONTENT
    has_ranges: bool = True
    quirk: str = ""
    states_length: bool = True
    statuses: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    redirect: str = ""
    asked: list[str] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    """Answers in the manner of its ``server_state``."""

    server_state: Server

    def do_GET(self) -> None:
        state = self.server_state
        state.asked.append(f"{self.path} {self.headers.get('Range', '-')}")
        if state.statuses:
            self.reply(state.statuses.pop(0))
        elif state.redirect:
            self.reply(302, Location=state.redirect)
        else:
            self.send_content(state)

    def send_content(self, state: Server) -> None:
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1]) if state.has_ranges else 0
        if start >= len(state.content) and "whole" not in state.quirk:
            self.reply(416, Content_Range=f"bytes */{len(state.content)}")
            return
        status, first, fields = self.header_fields(state, start)
        body = state.content[first:]
        if state.quirk == "page":
            body, fields["Content-Type"] = b"<html>Log in</html>", "text/html; charset=utf-8"
        if state.quirk == "endless":
            body += body
        elif state.states_length:
            fields["Content-Length"] = str(len(body))
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: state.cuts.pop(0)] if state.cuts else body)

    def header_fields(self, state: Server, start: int) -> tuple[int, int, dict[str, str]]:
        """Status, first byte and header fields of the answer to a request from ``start``."""
        if not start:
            return 200, 0, {}
        quirk = state.quirk
        first = {"whole206": 0, "bare-whole206": 0, "other206": start - 1}.get(quirk, start)
        stated = {"Content-Range": f"bytes {first}-{len(state.content) - 1}/{len(state.content)}"}
        status = 200 if quirk.endswith("part200") else 206
        return status, first, {} if quirk.startswith("bare") else stated

    def reply(self, status: int, **fields: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **fields}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def serve() -> Iterator[Server]:
    """Yield the state of a running server, which is at its ``url``."""
    state = Server()
    handler = type("Local", (Handler,), {"server_state": state})
    web = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    state.url = f"http://127.0.0.1:{web.server_address[1]}"
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        web.shutdown()
        thread.join()
        web.server_close()
