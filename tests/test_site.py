"""The documentation builds as a site without a warning, and loads nothing from other hosts."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: What a page loads by itself; links to other hosts are for readers to follow.
LOADED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?(?:https?:)?//"""
    r"""|<link[^>]*\shref=["']?(?:https?:)?//"""
    r"""|@import|url\(["']?(?:https?:)?//"""
)


def build_site(folder: Path) -> Path:
    """Build the site into a folder; a warning fails."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return build_site(tmp_path_factory.mktemp("site"))


def test_every_page_of_the_documentation_is_in_the_site(site):
    names = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert names <= {path.stem for path in site.glob("*.html")}
    assert "world_envelope" in (site / "api" / "metrics.html").read_text(encoding="utf-8")


def test_pages_and_styles_load_nothing_from_other_hosts(site):
    files = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(files) > 20
    for path in files:
        found = LOADED.search(path.read_text(encoding="utf-8"))
        assert found is None, (path.name, found[0])


@pytest.mark.parametrize("text", ['<script src="https://a.org/x.js">', "url(//a.org/f.woff2)"])
def test_a_page_that_does_is_found(text):
    assert LOADED.search(text)
