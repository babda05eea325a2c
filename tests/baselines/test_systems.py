"""A system is found by its name, by its name and an argument, or by its module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.plugins import list_systems, open_system

OUTSIDER = """
from bench.system import System
MINE = System("mine", "what it is", frozenset(), print)
def loud(level): return System(f"loud={level}", "louder", frozenset(), print)
def both(first, second): return MINE
"""


@pytest.fixture
def outsider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of somebody else's."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "__init__.py").touch()
    (tmp_path / "elsewhere" / "model.py").write_text(OUTSIDER)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "elsewhere.model"


def test_a_name_with_an_argument_is_its_own_system() -> None:
    assert open_system("silence").name == "silence"
    assert open_system("oracle-shift:-0.25").name == "oracle-shift=-0.25"
    assert open_system("oracle-timbre:0.50").name == "oracle-timbre=0.5"


def test_an_external_system_is_found_by_module_and_name(outsider: str) -> None:
    assert open_system(f"{outsider}:MINE").name == "mine"
    assert open_system(f"{outsider}:loud:11").name == "loud=11"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("silense", "there is no system 'silense'; did you mean 'silence'"),
        ("oracle-shft:0.2", "no system 'oracle-shft'; did you mean 'oracle-shift'"),
        ("zzz", r"no system 'zzz'\. Known are ground-truth, .*, acfoley.*; your own is package"),
        ("", "there is no system ''"),
        ("silence:1", "'silence:1' asks for a system that takes no argument"),
        ("oracle-shift", "needs a number of seconds after the colon.*got nothing"),
        ("oracle-shift:soon", "needs a number of seconds after the colon.*got 'soon'"),
        ("oracle-shift:inf", "needs a number of seconds"),
        ("oracle-timbre:-1", "was given the distance -1, expected at least 0"),
        ("precomputed:no/such/place", "precomputed needs a directory.*no/such/place is none"),
        ("no.such.module:MINE", "cannot import 'no.such.module' to find MINE"),
        ("elsewhere.model:YOURS", "the module 'elsewhere.model' has no 'YOURS'"),
        ("elsewhere.model:System", "leads to a 'type', expected a bench.system.System"),
        ("elsewhere.model:both", "leads to a 'function', expected a bench.system.System"),
        ("elsewhere.model:MINE:3", "takes no argument"),
    ],
)
@pytest.mark.usefixtures("outsider")
def test_a_system_that_cannot_be_opened_is_refused_with_the_reason(spec: str, message: str) -> None:
    with pytest.raises(BenchError, match=message):
        open_system(spec)


def test_the_list_prints_the_syntax_and_summary_of_each_system() -> None:
    listed = {listing.usage: listing for listing in list_systems()}
    assert listed["silence"] == ("silence", "Digital silence: the floor", "nothing")
    assert listed["motion-grains"].uses == "reference, video"
    assert listed["oracle-shift:SECONDS"].uses == "truth"
    assert {"precomputed:DIRECTORY", "oracle-timbre:DISTANCE"} <= listed.keys()
    assert all(listing.summary for listing in listed.values())


def test_importing_the_table_imports_no_system() -> None:
    code = "import sys, baselines; print([m for m in sys.modules if m.startswith('baselines.')])"
    listed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert listed.stdout.strip() == "[]"
