"""A tab of Chromium for tests of pages, opened from disk as a user would.

Needs chromium and chromedriver (``apt-get install chromium chromium-driver``) and selenium (``pip
install selenium``); the check of accessibility also axe-core:

    npm install --prefix build/axe axe-core@4
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

selenium = pytest.importorskip("selenium.webdriver")

AXE = ROOT / "build" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}


class Page:
    """One tab: shorthands, what it logged, and what it asked for."""

    def __init__(self) -> None:
        options = selenium.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        flags = ("headless=new", "no-sandbox", "disable-dev-shm-usage", "mute-audio")
        for flag in (*flags, "window-size=1280,900", "autoplay-policy=no-user-gesture-required"):
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = selenium.ChromeService(shutil.which("chromedriver"))
        self.driver = selenium.Chrome(options=options, service=service)
        self.driver.set_script_timeout(120)

    def open(
        self, path: Path, is_ready: str = "return Boolean(document.documentElement.dataset.ready)"
    ) -> None:
        self.driver.get("about:blank")  # the same page with another address is not loaded again
        self.driver.get(path.as_uri())
        self.wait(is_ready)

    def run(self, script: str, *values: object):
        return self.driver.execute_script(script, *values)

    def wait(self, script: str) -> None:
        end = time.monotonic() + 30
        while not self.run(script):
            assert time.monotonic() < end, f"{script}: {self.driver.get_log('browser')}"
            time.sleep(0.05)

    def text(self, id: str) -> str:
        return self.run("return document.getElementById(arguments[0]).textContent", id)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def emulate(self, name: str, **values: object) -> None:
        self.driver.execute_cdp_cmd(f"Emulation.{name}", values)

    def show(self, scheme: str, width: int) -> None:
        """Take the colours ``light`` or ``dark`` and a width in pixels."""
        self.emulate(
            "setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
        )
        size = {**PHONE, "width": width, "mobile": width < 500}
        self.emulate("setDeviceMetricsOverride", **size)
        assert self.run("return matchMedia('(prefers-color-scheme: dark)').matches") == (
            scheme == "dark"
        )

    def find_violations(self) -> list[tuple[str, list[str]]]:
        """What axe-core finds: its rules, and the elements that break them."""
        if not AXE.is_file():
            pytest.skip("needs axe-core: npm install --prefix build/axe axe-core@4")
        self.run(AXE.read_text("utf-8"))
        found = self.driver.execute_async_script(
            "const done = arguments[0];"
            # It would read the style sheet again, by a request that a file page may not make.
            "axe.run({preload: false}).then((r) => done(r.violations), (e) => done([e]));"
        )
        return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]

    def close_clean(self) -> None:
        """Expect no message in the console and no request off the disk, and be as at the start."""
        self.emulate("clearDeviceMetricsOverride")
        self.emulate("setEmulatedMedia", features=[])
        assert self.driver.get_log("browser") == []
        events = [
            json.loads(row["message"])["message"] for row in self.driver.get_log("performance")
        ]
        asked = [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
        assert [url for url in asked if not url.startswith(("file://", "data:", "about:"))] == []


def open_tab() -> Iterator[Page]:
    """A tab, closed at the end; skips where there is no Chromium."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("needs chromium and chromedriver")
    opened = Page()
    yield opened
    opened.driver.quit()
