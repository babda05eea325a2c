"""The board in Chromium: ``pytest -m slow`` runs it; ``tests/cli/browser.py`` has what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.cli.leaderboard import leaderboard
from bench.results import Fairness, SeenJudge
from tests.cli.browser import Page, open_tab
from tests.cli.test_leaderboard import check_run
from tests.pipeline.finished import write_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    yield from open_tab()


@pytest.fixture(autouse=True)
def clean(page) -> Iterator[None]:
    yield
    page.close_clean()


@pytest.fixture(scope="module")
def board(tmp_path_factory) -> Path:
    """Two boards: runs that are verified, not verified, not checked and an anchor; with ranks."""
    folder = tmp_path_factory.mktemp("board")
    seen = (SeenJudge("imagebind", "reward", ("ib",)),)
    for i in range(4):
        scores = {"mcd": np.arange(6.0) + i, "ib": np.arange(6.0) - i}
        about = {"system": f"system-{i}", "clips": "same", "is_anchor": i == 3}
        if i == 0:
            about["fairness"] = Fairness(("video",), (), seen, 4, True)
        write_run(folder / "runs" / str(i), scores, **about)
    write_run(folder / "runs" / "other", {"mcd": np.ones(5)}, split="other")
    check_run(folder / "runs" / "0", folder / "runs" / "0" / "verify.json")
    check_run(folder / "runs" / "1", folder / "runs" / "1" / "verify.json", "a score is changed")
    leaderboard([folder / "runs"], folder / "board", ranks=True)
    return folder / "board" / "index.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_violation(page, board, scheme, width):
    page.show(scheme, width)
    page.open(board, is_ready="return document.querySelectorAll('thead button').length > 0")
    page.run("for (const each of document.querySelectorAll('details')) each.open = true")
    page.run("document.querySelectorAll('thead button')[4].click()")
    assert page.run("return document.querySelectorAll('[aria-sort]').length") == 1
    assert page.find_violations() == []
    assert page.run("return document.documentElement.scrollWidth") <= width
