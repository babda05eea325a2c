"""The report page in Chromium, opened from disk as a user would: ``pytest -m slow`` runs it.

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

import bench as library
from bench.cli.report import report
from bench.results import Failure, write_failures
from reports.page import PageInputs, load_scores, write_page
from tests.conftest import ROOT
from tests.pipeline.finished import write_run
from tests.reports.test_page import EVIL

selenium = pytest.importorskip("selenium.webdriver")
pytestmark = pytest.mark.slow

AXE = ROOT / "build" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
#: How far audio and video may be apart on a busy machine, in seconds; the page corrects 0.08.
AGREE_S = 0.4


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

    def open(self, path: Path) -> None:
        self.driver.get("about:blank")  # the same page with another address is not loaded again
        self.driver.get(path.as_uri())
        self.wait("return Boolean(document.documentElement.dataset.ready)")

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


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("needs chromium and chromedriver")
    opened = Page()
    yield opened
    opened.driver.quit()


@pytest.fixture(autouse=True)
def clean(page) -> Iterator[None]:
    """Every test ends without a message in the console and without a request off the disk."""
    yield
    page.emulate("clearDeviceMetricsOverride")
    page.emulate("setEmulatedMedia", features=[])
    assert page.driver.get_log("browser") == []
    events = [json.loads(row["message"])["message"] for row in page.driver.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in asked if not url.startswith(("file://", "data:", "about:"))] == []


@pytest.fixture(scope="module")
def site(mini_home, tmp_path_factory) -> Path:
    """The page of three systems on four mini clips, one of which has no media."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_HOME", str(mini_home))
        for model in ("reference-loop", "noise", "oracle"):
            library.run(
                model, split="mini", limit=4, metrics="mcd,lsd,env_corr", workers=0,
                runs=folder / "runs",
            )  # fmt: skip
        report([folder / "runs"], folder / "site", "3", None, 0)
    return folder / "site" / "index.html"


def open_clip(page: Page, site: Path) -> None:
    page.open(site)
    page.run("document.querySelector('#list button').click()")
    page.wait("return document.querySelectorAll('#figures img').length === 2")
    page.wait("return [...document.querySelectorAll('#figures img')].every((i) => i.naturalWidth)")


def seconds(page: Page) -> float:
    return float(page.text("time").removesuffix(" s"))


def test_switching_the_system_while_it_plays_keeps_the_position(page, site):
    open_clip(page, site)
    page.run("document.getElementById('play').click()")
    page.wait("return parseFloat(document.getElementById('time').textContent) > 1")
    switch = """
        const video_s = document.getElementById('video').currentTime;
        document.getElementById('tracks').elements[arguments[0]].click();
        return [video_s, parseFloat(document.getElementById('time').textContent)];
    """
    for number in (2, 3, 0, 1):
        # In one step of the browser, so that no time passes: the video plays on in between.
        before, after = page.run(switch, number)
        assert after == pytest.approx(before, abs=AGREE_S)
        page.wait(f"return parseFloat(document.getElementById('time').textContent) > {after + 0.2}")
        assert page.text("play") == "Pause"
    page.run("document.getElementById('play').click()")
    assert page.text("play") == "Play"


def test_waveform_spectrogram_and_onsets_are_drawn_of_the_sample_and_of_the_truth(page, site):
    open_clip(page, site)
    captions = page.run(
        "return [...document.querySelectorAll('#figures figcaption')].map((c) => c.textContent)"
    )
    assert captions[1].startswith("True audio: ")
    assert page.run("return document.querySelectorAll('#figures line.true').length") > 4
    assert page.run("return document.querySelectorAll('#figures line.found').length") > 4
    assert "MCD" in page.text("clip-scores")
    assert page.run("return document.getElementById('reference').src").endswith("reference.m4a")


def test_filters_and_orders_change_the_list(page, site):
    page.open(site)
    names = (
        "return [...document.querySelectorAll('#list tbody th')].map((cell) => cell.textContent)"
    )
    worst = page.run(names)
    assert len(worst) == 4
    change = """
        const field = document.getElementById(arguments[0]);
        field[field.type === 'checkbox' ? 'checked' : 'value'] = arguments[1];
        field.dispatchEvent(new Event('change', { bubbles: true }));
    """
    page.run(change, "order", "best")
    page.wait(f"return document.querySelector('#list tbody th').textContent === '{worst[-1]}'")
    assert page.run(names) == worst[::-1]
    page.run(change, "order", "name")
    page.run(change, "only-media", True)
    page.wait("return document.getElementById('count').textContent === '3 of 4 clips'")
    page.run(change, "only-media", False)
    page.run(change, "axis", "action")
    page.run(change, "group", "0")
    page.wait("return document.getElementById('count').textContent === '1 of 4 clips'")
    page.run(change, "axis", "")
    page.run(change, "metric", "1")
    page.run(change, "system", "0")
    page.run(change, "least", "0")
    page.run(change, "most", "0")
    page.wait("return document.getElementById('count').textContent === '0 of 4 clips'")
    page.run("document.querySelector('#filters [type=reset]').click()")
    page.wait("return document.getElementById('count').textContent === '4 of 4 clips'")
    page.run(change, "search", worst[1])
    page.wait("return document.getElementById('count').textContent === '1 of 4 clips'")


def test_the_keyboard_alone_opens_plays_and_switches(page, site):
    page.open(site)
    tab, enter = "\ue004", "\ue007"
    for _ in range(80):
        page.press(tab)
        if page.run("return Boolean(document.activeElement.closest('#list tbody'))"):
            break
    page.press(enter)
    page.wait("return document.activeElement.id === 'clip-name'")
    page.wait("return document.querySelectorAll('#figures img').length === 2")
    first = page.text("clip-name")
    page.press(" ")
    page.wait("return parseFloat(document.getElementById('time').textContent) > 0.3")
    page.press("2")
    checked = "return document.querySelector('#tracks input:checked').value"
    assert page.run(checked) == "run1"
    page.press(" ")
    assert page.text("play") == "Play"
    page.press("0")
    assert page.run(checked) == "true"
    page.press("n")
    page.wait(f"return document.getElementById('clip-name').textContent !== '{first}'")
    page.press("p")
    page.wait(f"return document.getElementById('clip-name').textContent === '{first}'")


def test_figures_are_drawn_of_the_clips_that_the_list_has(page, site):
    page.open(site)
    page.wait("return document.querySelectorAll('#distribution polyline').length === 3")
    assert "4 clips" in page.text("cloud-about")
    assert page.run("return document.querySelector('#quantiles td').textContent") == "4"
    cloud = "return document.getElementById('cloud').toDataURL()"
    full = page.run(cloud)
    change = """
        const field = document.getElementById('search');
        field.value = 'no such clip';
        field.dispatchEvent(new Event('change', { bubbles: true }));
    """
    page.run(change)
    page.wait("return document.querySelectorAll('#distribution polyline').length === 0")
    page.wait("return document.getElementById('cloud-about').textContent.includes(' 0 clips')")
    assert page.run(cloud) != full


def test_a_clip_is_opened_by_its_address(page, site):
    page.open(site)
    name = page.run("return document.querySelectorAll('#list button')[1].textContent")
    page.driver.get("about:blank")
    page.driver.get(f"{site.as_uri()}#clip={name}")
    page.wait(f"return document.getElementById('clip-name').textContent === '{name}'")


def test_on_a_phone_nothing_is_wider_than_the_screen(page, site):
    page.emulate("setDeviceMetricsOverride", **PHONE)
    open_clip(page, site)
    assert page.run("return document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_no_violation(page, site, scheme, width):
    if not AXE.is_file():
        pytest.skip("needs axe-core: npm install --prefix build/axe axe-core@4")
    page.emulate("setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    page.emulate("setDeviceMetricsOverride", **{**PHONE, "width": width, "mobile": width < 500})
    open_clip(page, site)
    page.run("for (const each of document.querySelectorAll('details')) each.open = true")
    assert page.run("return matchMedia('(prefers-color-scheme: dark)').matches") == (
        scheme == "dark"
    )
    page.run(AXE.read_text("utf-8"))
    found = page.driver.execute_async_script(
        "const done = arguments[0];"
        # It would read the style sheet again, by a request that a file page may not make.
        "axe.run({preload: false}).then((r) => done(r.violations), (e) => done([e]));"
    )
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


def test_data_that_look_like_html_stay_text(page, tmp_path):
    runs = [
        write_run(
            tmp_path / f"run{i}", {"mcd": [1.0, 2.0]}, names=[EVIL, "__proto__"],
            system=f"{EVIL}{i}", split=EVIL, notes=(EVIL,),
        )
        for i in range(2)
    ]  # fmt: skip
    write_failures(runs[0], [Failure(EVIL, EVIL, EVIL)])
    inputs = PageInputs({EVIL: EVIL, "__proto__": EVIL}, {}, {EVIL: EVIL}, EVIL)
    page.open(write_page(tmp_path / "site", load_scores(runs), inputs))
    page.run("document.querySelectorAll('#list button')[1].click()")
    page.wait("return document.querySelectorAll('#clip-scores tr').length > 1")
    page.wait("return document.querySelectorAll('#failure-list tbody tr').length === 1")
    for id in ("list", "failure-list", "clip-scores", "distribution", "cloud-about", "scores"):
        assert EVIL in page.text(id), id
    assert page.run("return document.querySelectorAll('img[src=x], script').length") == 3
