"""The site in Chromium, opened from disk; needs what ``test_report_browser`` needs (slow)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.browser import AXE, PHONE, Page
from tests.test_site import build_site

pytestmark = pytest.mark.slow
PAGES = ("index", "metrics", "your-model", "tutorial/first-table", "api/metrics")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        pytest.skip("needs chromium and chromedriver")
    opened = Page()
    yield opened
    opened.driver.quit()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_site(tmp_path_factory.mktemp("site"))


def open_page(page: Page, path: Path, scheme: str = "light", width: int = 1280) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.emulate("setEmulatedMedia", features=features)
    page.emulate("setDeviceMetricsOverride", **{**PHONE, "width": width, "mobile": width < 500})
    page.driver.get(path.as_uri())
    page.run("localStorage.clear()")  # the theme remembers which colours were chosen
    page.driver.refresh()
    page.wait("return document.readyState === 'complete'")


def test_search_finds_a_column_without_a_server(page, site):
    open_page(page, site / "index.html")
    page.run("document.querySelector('[data-md-component=search-query]').focus()")
    page.press(*"env_corr")
    page.wait("return document.querySelectorAll('.md-search-result__item').length > 1")
    found = page.run("return document.querySelector('.md-search-result__list').textContent")
    assert "Envelope correlation" in found
    assert page.driver.get_log("browser") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_axe_finds_no_violation(page, site, name, width, scheme):
    if not AXE.is_file():
        pytest.skip("needs axe-core: npm install --prefix build/axe axe-core@4")
    open_page(page, site / f"{name}.html", scheme, width)
    colours = page.run("return document.body.dataset.mdColorScheme")
    assert colours == {"light": "default", "dark": "slate"}[scheme]
    assert page.run("return document.documentElement.scrollWidth") <= width
    page.run(AXE.read_text("utf-8"))
    found = page.driver.execute_async_script(
        "const done = arguments[0];"
        "axe.run({preload: false}).then((r) => done(r.violations), (e) => done([e]));"
    )
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
