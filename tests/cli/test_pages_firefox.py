"""The report page and the board in Firefox, opened from disk: ``pytest -m slow`` runs it.

``tests/cli/firefox.py`` has what it needs; ``test_report_browser.py`` tests more, in Chromium.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import numpy as np
import pytest

from bench.cli.leaderboard import leaderboard
from tests.cli.firefox import Firefox
from tests.pipeline.finished import write_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def firefox(tmp_path_factory) -> Iterator[Firefox]:
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if not program:
        pytest.skip("needs firefox")
    with Firefox(program, tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(autouse=True)
def clean(firefox) -> Iterator[None]:
    yield
    assert firefox.logged == []


def test_a_clip_plays_and_switching_the_system_keeps_the_position(firefox, report_site):
    firefox.open(report_site.as_uri())
    firefox.wait("document.documentElement.dataset.ready")
    firefox.run("document.querySelector('#list button').click()")
    firefox.wait("document.querySelectorAll('#figures img').length === 2")
    firefox.wait("[...document.querySelectorAll('#figures img')].every((i) => i.naturalWidth)")
    time_s = "parseFloat(document.getElementById('time').textContent)"
    firefox.run("document.getElementById('play').click()")
    firefox.wait(f"{time_s} > 1")
    firefox.run("document.getElementById('tracks').elements[3].click()")
    after = firefox.run(time_s)
    assert after > 0.9
    firefox.wait(f"{time_s} > {after} + 0.3")
    assert firefox.run("document.getElementById('video').currentTime") > 1
    assert firefox.run("document.getElementById('play').textContent") == "Pause"
    assert firefox.run("document.getElementById('problem').hidden")


def test_a_message_in_the_console_is_found(firefox):
    firefox.open("about:blank")
    firefox.run("void setTimeout(() => { throw new Error('planted'); })")
    firefox.wait("new Promise((resolve) => setTimeout(() => resolve(true), 50))")
    assert firefox.logged == ["error: Error: planted"]
    firefox.logged.clear()


def test_a_board_sorts_by_a_column(firefox, tmp_path):
    for i in range(3):
        write_run(tmp_path / "runs" / str(i), {"mcd": np.full(6, 3.0 - i)}, system=f"s{i}")
    leaderboard([tmp_path / "runs"], tmp_path / "board")
    firefox.open((tmp_path / "board" / "index.html").as_uri())
    order = "[...document.querySelectorAll('tbody th')].map((e) => e.dataset.value).join(' ')"
    assert firefox.run(order) == "s2 s1 s0"
    firefox.run("document.querySelectorAll('thead button')[3].click()")
    assert firefox.run(order) == "s2 s1 s0"
    firefox.run("document.querySelectorAll('thead button')[3].click()")
    assert firefox.run(order) == "s0 s1 s2"
