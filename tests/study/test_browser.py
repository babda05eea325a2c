"""Chromium answers a served study as a rater would.

    npm install --no-save axe-core     once, in the root of the repository, for the checks of access

With ``STUDY_SCREENSHOTS=<folder>`` every screen is also stored there.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from urllib3.exceptions import HTTPError

from bench.study.store import open_store
from tests.conftest import ROOT
from tests.study.designs import FIDELITY, SYNC
from tests.study.served import serving, write_served_study

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
N_TRIALS = 8

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM or not DRIVER, reason="needs chromium and chromium-driver"),
]


@pytest.fixture
def study(tmp_path):
    return write_served_study(tmp_path / "study", has_video=True)


@contextmanager
def browsing(profile, *, width=1100, height=1000, is_dark=False):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new",
        "--no-sandbox",  # tests may run as root
        "--disable-dev-shm-usage",
        "--mute-audio",
        f"--window-size={width},{height}",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(60)
    # Windows have a least width, phones have not.
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    if is_dark:
        dark = {"name": "prefers-color-scheme", "value": "dark"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [dark]})
    try:
        yield Page(driver)
    finally:
        with suppress(WebDriverException, HTTPError):  # of a browser that was killed
            driver.quit()


class Page:
    """What a rater does on the page."""

    def __init__(self, driver):
        self.driver = driver

    def find(self, name):
        return self.driver.find_element(By.ID, name)

    def wait(self, condition, seconds=60):
        return WebDriverWait(self.driver, seconds, 0.1).until(lambda _: condition())

    def expect(self, screen):
        self.wait(lambda: self.find(screen).is_displayed())
        visible = self.driver.find_elements(By.CSS_SELECTOR, "main > section:not([hidden])")
        assert [each.get_attribute("id") for each in visible] == [screen]
        assert self.driver.switch_to.active_element.get_attribute("id") == f"{screen}-title"

    def begin(self):
        """From consent to the practice pair."""
        self.expect("consent")
        self.find("agree").click()
        self.press_button("consent-form")
        self.expect("audio")
        self.driver.execute_script("Math.random = () => 0.5")  # three tones
        self.find("tones").click()
        self.count("2")
        self.wait(lambda: "another number" in self.find("status").text)
        self.find("tones").click()
        self.count("3")
        self.expect("instructions")
        self.find("start").click()
        self.expect("trial")

    def count(self, number):
        self.find(f"choice-count-{number}").click()
        self.press_button("audio-form")

    def press_button(self, form):
        self.find(form).find_element(By.CSS_SELECTOR, "button").click()

    def is_played(self, side):
        return "played" in self.find(f"play-{side}").get_attribute("class").split()

    def play_all(self):
        for side in ("true", "a", "b"):
            assert not self.find("next").is_enabled()
            self.find(f"play-{side}").click()
            self.wait(lambda side=side: self.is_played(side))
        self.wait(lambda: self.find("next").is_enabled())

    def answer(self, fidelity="a", sync="tie"):
        title = self.find("trial-title").text
        self.find(f"choice-fidelity-{fidelity}").click()
        self.find(f"choice-sync-{sync}").click()
        self.find("next").click()
        self.wait(
            lambda: self.find("finished").is_displayed() or self.find("trial-title").text != title
        )

    def store_screen(self, name):
        folder = os.environ.get("STUDY_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.driver.save_screenshot(str(Path(folder) / f"{name}.png"))

    def check_access(self):
        """Run axe-core, all rules, and expect no violation."""
        if not AXE.is_file():
            pytest.skip("axe-core is missing: npm install --no-save axe-core")
        self.driver.execute_script(AXE.read_text(encoding="utf-8"))
        found = self.driver.execute_async_script("axe.run().then(arguments[0])")
        assert [(each["id"], each["help"]) for each in found["violations"]] == []
        assert len(found["passes"]) > 10

    def check_log(self):
        """No error of the script, no breach of the policy, no request to another host."""
        entries = [each["message"] for each in self.driver.get_log("browser")]
        expected = ("401 (Unauthorized)", "favicon.ico")
        assert [each for each in entries if not any(word in each for word in expected)] == []


def test_a_whole_session(study, tmp_path):
    with serving(study) as (url, _), browsing(tmp_path / "profile") as page:
        page.driver.get(url)
        page.begin()
        assert page.find("trial-title").text == "Practice pair"
        for number in range(N_TRIALS):
            if number:
                assert page.find("trial-title").text == f"Pair {number} of {N_TRIALS - 1}"
            assert not page.find("choice-fidelity-a").is_enabled()
            page.play_all()
            page.answer()
        page.expect("finished")
        code = page.find("code").text
        assert len(code) == 10
        page.find("comment").send_keys("<b>fine</b>")
        page.press_button("comment-form")
        page.wait(lambda: "stored" in page.find("status").text)
        page.driver.refresh()
        page.expect("finished")
        assert page.find("code").text == code
        page.check_log()
        hosts = page.driver.execute_script(
            "return performance.getEntriesByType('resource').map((each) => new URL(each.name).host)"
        )
        assert set(hosts) == {url.removeprefix("http://")}
    store = open_store(study)
    assert len(store.read_answers()) == 2 * N_TRIALS
    assert {each.choice for each in store.read_answers()} == {"a", "tie"}
    assert all(5.7 < each.elapsed_s < 300 for each in store.read_answers())
    assert store.read_comments() == [(0, None, "<b>fine</b>")]
    store.close()


def test_the_keyboard_is_enough(study, tmp_path):
    with serving(study) as (url, _), browsing(tmp_path / "profile") as page:
        page.driver.get(url)
        page.expect("consent")
        press(page, Keys.TAB, Keys.SPACE, Keys.TAB, Keys.ENTER)
        page.expect("audio")
        page.driver.execute_script("Math.random = () => 0")  # two tones
        press(page, Keys.TAB, Keys.ENTER, Keys.TAB, Keys.SPACE, Keys.ARROW_DOWN, Keys.TAB)
        press(page, Keys.ENTER)
        page.expect("instructions")
        press(page, Keys.TAB, Keys.ENTER)
        page.expect("trial")
        for key, side in zip("123", ("true", "a", "b"), strict=True):
            press(page, key)
            page.wait(lambda side=side: page.is_played(side))
        assert "You can answer now" in page.find("status").text
        press(page, "2", "0")
        page.wait(lambda: page.find("pause").text == "Play")
        assert page.driver.execute_script("return document.getElementById('video-a').paused")
        while page.driver.switch_to.active_element.get_attribute("name") != "fidelity":
            press(page, Keys.TAB)
        press(page, Keys.SPACE, Keys.TAB, Keys.SPACE, Keys.ARROW_DOWN, Keys.TAB, Keys.ENTER)
        page.wait(lambda: page.find("trial-title").text.startswith("Pair 1"))
    store = open_store(study)
    found = {each.question: each.choice for each in store.read_answers()}
    assert found == {"fidelity": "a", "sync": "b"}
    store.close()


def press(page, *keys):
    for key in keys:
        webdriver.ActionChains(page.driver).send_keys(key).perform()


def test_a_short_play_is_not_enough(study, tmp_path):
    with serving(study) as (url, _), browsing(tmp_path / "profile") as page:
        page.driver.get(url)
        page.begin()
        for side in ("true", "a"):
            page.find(f"play-{side}").click()
            page.wait(lambda side=side: page.is_played(side))
        page.find("play-b").click()
        page.wait(lambda: current_time(page, "b") > 0.3)
        page.find("pause").click()
        assert not page.is_played("b")
        assert not page.find("next").is_enabled()
        time.sleep(2.5)
        assert not page.find("next").is_enabled()
        # Whoever enables the form by force is refused by the server.
        answer = page.driver.execute_async_script(
            "fetch('api/trials/0/vote', {method: 'POST', headers: {'Content-Type': "
            "'application/json'}, body: JSON.stringify({answers: {fidelity: 'a', sync: 'a'}, "
            "key: 'k', elapsed_s: 1})}).then((answer) => arguments[0](answer.status))"
        )
        assert answer == 403
        page.find("pause").click()
        page.wait(lambda: page.find("next").is_enabled())
        # Answers may be changed until Next.
        page.find("choice-fidelity-b").click()
        page.answer("a", "a")
    store = open_store(study)
    assert {each.choice for each in store.read_answers()} == {"a"}
    store.close()


LOSE_FIRST_REPLY = """
const send = window.fetch;
let n = 0;
window.fetch = async (path, ...rest) => {
  const answer = await send(path, ...rest);
  if (path === "api/sessions" && n++ === 0) throw new TypeError("lost");
  return answer;
};
"""


def test_consent_with_a_lost_reply_makes_one_session(study, tmp_path):
    with serving(study) as (url, _), browsing(tmp_path / "profile") as page:
        page.driver.get(url)
        page.expect("consent")
        page.driver.execute_script(LOSE_FIRST_REPLY)
        page.find("agree").click()
        page.press_button("consent-form")
        page.expect("audio")
    store = open_store(study)
    assert [each.number for each in store.read_sessions()] == [0]
    store.close()


def test_a_question_may_have_the_name_of_a_part_of_the_page(tmp_path):
    names = [replace(FIDELITY, name="play"), replace(SYNC, name="video")]
    study = write_served_study(tmp_path / "study", has_video=True, questions=tuple(names))
    with serving(study, "--simulated") as (url, _), browsing(tmp_path / "profile") as page:
        page.driver.get(url)
        page.begin()
        page.play_all()
        ids = page.driver.execute_script(
            "return Array.from(document.querySelectorAll('[id]'), (each) => each.id)"
        )
        assert len(ids) == len(set(ids))
        page.find("choice-play-b").click()
        page.find("choice-video-tie").click()
        page.find("next").click()
        page.wait(lambda: page.find("trial-title").text.startswith("Pair 1"))


def current_time(page, side):
    script = f"return document.getElementById('video-{side}').currentTime"
    return page.driver.execute_script(script)


def test_a_session_outlives_kills_of_browser_and_server(study, tmp_path):
    profile = tmp_path / "profile"
    with serving(study) as (url, process):
        with browsing(profile) as page:
            page.driver.get(url)
            page.begin()
            page.play_all()
            page.answer()
            link = page.find("link").get_attribute("value")
            page.play_all()
            time.sleep(31)  # Chromium writes its cookies every 30 s
            kill_browser(page)
        port = int(url.rpartition(":")[2])
        with browsing(profile) as page:
            page.driver.get(url)
            page.expect("trial")
            assert page.find("trial-title").text == "Pair 1 of 7"
            page.play_all()
            process.kill()
            process.wait()
            page.find("choice-fidelity-b").click()
            page.find("choice-sync-b").click()
            page.find("next").click()
            page.wait(lambda: "No connection" in page.find("status").text)
            with serving(study, port=port):
                page.wait(lambda: page.find("trial-title").text == "Pair 2 of 7")
                with browsing(tmp_path / "other device") as other:
                    other.driver.get(link)
                    other.expect("trial")
                    assert other.find("trial-title").text == "Pair 2 of 7"
                    assert "#" not in other.driver.current_url
    store = open_store(study)
    assert [(each.trial.position, each.choice) for each in store.read_answers()] == [
        (0, "a"),
        (0, "tie"),
        (1, "b"),
        (1, "b"),
    ]
    store.close()


def kill_browser(page):
    driver = psutil.Process(page.driver.service.process.pid)
    for process in [*driver.children(recursive=True), driver]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


SCREENS = {
    "desktop": {},
    "phone": {"width": 375, "height": 812},
    "phone-dark": {"width": 375, "height": 812, "is_dark": True},
    "dark": {"is_dark": True},
}


@pytest.mark.parametrize("name", SCREENS)
def test_every_screen_is_accessible_and_fits(study, tmp_path, name):
    profile = tmp_path / "profile"
    # Simulated raters may be fast, and are shown a line more.
    with (
        serving(study, "--simulated") as (url, _),
        browsing(profile, **SCREENS[name]) as page,
    ):
        page.driver.get(url)

        def check(screen):
            page.expect(screen)
            page.store_screen(f"{name}-{screen}")
            width = page.driver.execute_script("return document.documentElement.scrollWidth")
            assert width <= SCREENS[name].get("width", 1100)
            page.check_access()

        check("consent")
        page.find("agree").click()
        page.press_button("consent-form")
        check("audio")
        page.driver.execute_script("Math.random = () => 0")
        page.find("tones").click()
        page.count("2")
        check("instructions")
        page.find("start").click()
        check("trial")
        page.play_all()
        page.find("choice-fidelity-a").click()
        page.store_screen(f"{name}-answers")
        page.check_access()
        page.answer()
        for _ in range(N_TRIALS - 1):
            finish_trial(page)
        page.driver.refresh()
        check("finished")
        page.driver.get(f"{url}/#wrong")
        page.driver.refresh()
        check("problem")


def finish_trial(page):
    """Answer by requests: the trial itself was tested."""
    position = page.driver.execute_script("return trial.position")
    page.driver.execute_async_script(
        f"const done = arguments[0], path = 'api/trials/{position}';"
        "send('POST', path + '/plays', {seconds: {true: 2, a: 2, b: 2}}).then(() => send('POST', "
        "path + '/vote', {answers: {fidelity: 'a', sync: 'a'}, key: 'k', elapsed_s: 1}))"
        ".then(() => proceed()).then(done)"
    )
