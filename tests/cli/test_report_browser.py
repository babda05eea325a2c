"""The report page in Chromium, opened from disk as a user would: ``pytest -m slow`` runs it.

``tests/cli/browser.py`` says what it needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.results import Failure, write_failures
from reports.page import PageInputs, load_scores, write_page
from tests.cli.browser import PHONE, Page, open_tab
from tests.pipeline.finished import write_run
from tests.reports.test_page import EVIL

pytestmark = pytest.mark.slow

#: How far audio and video may be apart on a busy machine, in seconds; the page corrects 0.08.
AGREE_S = 0.4


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    yield from open_tab()


@pytest.fixture
def site(report_site) -> Path:
    return report_site


@pytest.fixture(autouse=True)
def clean(page) -> Iterator[None]:
    yield
    page.close_clean()


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
    # Another address in the same tab loads nothing anew.
    other = page.run("return document.querySelectorAll('#list button')[2].textContent")
    page.run("location.hash = arguments[0]", f"#clip={other}")
    page.wait(f"return document.getElementById('clip-name').textContent === '{other}'")
    page.run("location.hash = '#clip=nobody'")
    page.wait("return !document.getElementById('problem').hidden")
    assert page.text("problem") == "nobody: no clip of this name is on this page"
    page.run("location.hash = arguments[0]", f"#clip={name}")
    page.wait("return document.getElementById('problem').hidden")


def test_keys_move_the_slider_by_a_tenth_of_a_second_and_by_a_second(page, site):
    open_clip(page, site)
    page.run("document.getElementById('position').focus()")
    right, left, page_up, page_down = "\ue014", "\ue012", "\ue00e", "\ue00f"
    for key, after in ((right, 0.1), (page_up, 1.1), (left, 1.0), (page_down, 0), (left, 0)):
        page.press(key)
        page.wait(f"return document.getElementById('time').textContent === '{after:.2f} s'")


def test_waveforms_have_seconds_and_the_filter_names_its_score(page, site):
    open_clip(page, site)
    labels = "return [...document.querySelectorAll('#figures .seconds')].map((a) => a.innerText)"
    first, second = page.run(labels)
    assert first.split() == second.split() == [t for i in range(9) for t in (str(i), "s")]
    assert page.text("least-label") == "Mean rank from"
    change = """
        document.getElementById('metric').value = '1';
        document.getElementById('metric').dispatchEvent(new Event('change', { bubbles: true }));
    """
    page.run(change)
    page.wait("return document.getElementById('most-label').textContent === 'MCD [dB] to'")


def test_both_axes_of_the_scatter_have_a_label(page, site):
    write = "CanvasRenderingContext2D.prototype.fillText"
    page.open(site)
    page.run(f"""
        window.written = [];
        const original = {write};
        {write} = function (text, ...rest) {{
            window.written.push(text);
            original.call(this, text, ...rest);
        }};
        document.getElementById('y-metric').dispatchEvent(new Event('change'));
    """)
    page.wait("return window.written.length > 0")
    words = {text for text in page.run("return window.written") if isinstance(text, str)}
    across, up = (
        page.run(f"return document.getElementById('{axis}-run').selectedOptions[0].textContent")
        for axis in ("x", "y")
    )
    assert across != up
    assert words == {f"{across}, MCD [dB] ↓", f"{up}, MCD [dB] ↓"}


def test_on_a_phone_what_a_row_is_stays_narrow_beside_its_numbers(page, site):
    page.emulate("setDeviceMetricsOverride", **{**PHONE, "width": 390})
    open_clip(page, site)
    page.run("document.querySelector('#clip-scores').parentElement.scrollLeft = 1000")
    for table in ("#clip-scores", "#scores table", "#list"):
        place = f"const r = document.querySelector('{table} tbody th').getBoundingClientRect();"
        left, right = page.run(f"{place} return [r.left, r.right]")
        assert left >= 0
        assert right <= 160


def test_on_a_phone_nothing_is_wider_than_the_screen(page, site):
    page.emulate("setDeviceMetricsOverride", **PHONE)
    open_clip(page, site)
    assert page.run("return document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_no_violation(page, site, scheme, width):
    page.show(scheme, width)
    open_clip(page, site)
    page.run("for (const each of document.querySelectorAll('details')) each.open = true")
    assert page.find_violations() == []


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
