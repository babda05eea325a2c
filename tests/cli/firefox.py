"""A tab of Firefox for tests of pages: WebDriver BiDi without geckodriver, which Debian has not.

Needs ``apt-get install firefox-esr`` and the websocket client that selenium brings along.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import pytest

websocket = pytest.importorskip("websocket")

#: No sound on the machine of the test, no question before it plays, no requests of its own.
PREFERENCES = {
    "media.volume_scale": "0.0",
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "remote.active-protocols": 1,
    "datareporting.policy.dataSubmissionEnabled": False,
    "browser.shell.checkDefaultBrowser": False,
}


class Firefox:
    """One tab and what its console has logged, until the ``with`` ends."""

    def __init__(self, program: str, folder: Path) -> None:
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
        (folder / "user.js").write_text("\n".join(lines))
        command = [program, "--headless", "--no-remote", "--remote-debugging-port", "0"]
        self.process = subprocess.Popen(
            [*command, "--profile", str(folder)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.port_file = folder / "WebDriverBiDiServer.json"
        self.numbers = itertools.count()
        self.logged: list[str] = []

    def __enter__(self) -> Self:
        try:
            self._connect()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _connect(self) -> None:
        end = time.monotonic() + 60
        while not (self.port_file.is_file() and self.port_file.stat().st_size):
            assert self.process.poll() is None, "Firefox has ended before it listened"
            assert time.monotonic() < end, "Firefox does not listen"
            time.sleep(0.05)
        port = json.loads(self.port_file.read_text())["ws_port"]
        # It refuses clients that name an origin, as scripts of web pages do.
        self.socket = websocket.create_connection(
            f"ws://127.0.0.1:{port}/session", timeout=60, suppress_origin=True
        )
        self.call("session.new", capabilities={})
        self.call("session.subscribe", events=["log.entryAdded"])
        self.tab = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def __exit__(self, *error: object) -> None:
        if hasattr(self, "socket"):
            self.socket.close()
        self.process.terminate()
        self.process.wait(30)

    def call(self, method: str, **values: object) -> dict[str, Any]:
        """Send a command and return its result; keep what was logged meanwhile."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": values}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("method") == "log.entryAdded":
                entry = message["params"]
                self.logged.append(f"{entry['level']}: {entry.get('text')}")
            elif message.get("id") == number:
                assert message["type"] == "success", message
                return message["result"]

    def open(self, address: str) -> None:
        self.call("browsingContext.navigate", context=self.tab, url=address, wait="complete")

    def run(self, expression: str) -> Any:
        """Return the value of an expression: a number, a text or a truth value."""
        found = self.call(
            "script.evaluate",
            expression=expression,
            target={"context": self.tab},
            awaitPromise=True,
        )
        assert found["type"] == "success", found
        return found["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + 60
        while not self.run(f"Boolean({expression})"):
            assert time.monotonic() < end, f"{expression}: {self.logged}"
            time.sleep(0.05)
