"""Every link in the documentation leads to a file or heading that is there; none is requested."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from pymdownx.slugs import slugify

from tests.conftest import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
FENCED = re.compile(r"^ {0,3}```.*?^ {0,3}```", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")
#: [text](target), ![text](target "title"), <img src="target">
LINK = re.compile(r"""\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|(?:href|src)=["']([^"']+)["']""")
BARE = re.compile(r"""(?<!\]\()(?<!["'(<])\bhttps?://[^\s)>`"'|,]+""")
HEADING = re.compile(r"^#{1,6} +(.*?) *#*$", re.MULTILINE)
#: A page named in prose, as in `docs/ci.md`.
NAMED = re.compile(r"`(docs/[\w/.-]+\.\w+)`")
#: As code hosts make anchors, and mkdocs.yml too.
slug = slugify(case="lower")


def find_problems(page: Path, text: str) -> Iterator[str]:
    """Yield a sentence for each link of a page that leads nowhere."""
    unfenced = FENCED.sub("", text)
    prose = CODE.sub("", unfenced)
    targets = [first or second for first, second in LINK.findall(prose)]
    for target in [*targets, *BARE.findall(prose)]:
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            if parts.scheme not in ("http", "https") or "." not in parts.netloc:
                yield f"{target} is no address of a page"
            continue
        file = page if not parts.path else (page.parent / unquote(parts.path)).resolve()
        if not file.exists():
            yield f"{target}: no such file"
        elif parts.fragment and unquote(parts.fragment) not in read_anchors(file):
            yield f"{target}: no such heading"
    yield from (f"{name}: no such file" for name in NAMED.findall(unfenced) if not _is_there(name))


def read_anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page."""
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    # Without the marks of code, emphasis and links.
    headings = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", each) for each in HEADING.findall(prose))
    return {slug(re.sub(r"[`*]", "", each), "-") for each in headings}


def _is_there(name: str) -> bool:
    return (ROOT / name).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page):
    assert list(find_problems(page, page.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[a](no-such-page.md)", "no such file"),
        ("![a](no-such-figure.png)", "no such file"),
        ("[a](docs/protocol.md#no-such-heading)", "no such heading"),
        ("[a](#no-such-heading)", "no such heading"),
        ("[a](htp://example.org)", "no address"),
        ("[a](https://example)", "no address"),
        ('<img src="no-such-figure.png">', "no such file"),
        ("see `docs/no-such-page.md`", "no such file"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(text, problem):
    (found,) = find_problems(ROOT / "README.md", text)
    assert problem in found


def test_links_to_files_headings_and_pages_are_accepted():
    text = "[a](docs/protocol.md#clips-and-windows) [b](#install-less) [c](https://example.org/x#y)"
    assert list(find_problems(ROOT / "README.md", f"{text} `[d](nowhere)` `docs/ci.md`")) == []


def test_messages_of_the_code_name_pages_that_there_are():
    code = [path for folder in ("bench", "acfoley", "baselines", "reports") for path in
            (ROOT / folder).rglob("*.py")]  # fmt: skip
    named = {name for path in code for name in re.findall(r"docs/[a-z-]+\.md", path.read_text())}
    assert "docs/datasets.md" in named
    assert [name for name in named if not _is_there(name)] == []
