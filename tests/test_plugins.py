"""Systems, metrics and splits of other packages: found by entry point, loaded when used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli.list import list_rows
from bench.errors import BenchError
from bench.pipeline.rules import Rules, check_column
from bench.plugins import list_systems, open_system, read_declarations
from bench.splits import open_split
from bench.suite import select
from tests.conftest import ROOT

MODULE = """
from bench.plugins import Family
from bench.splits import Split, SplitEntry
from bench.suite import Metric
from bench.system import System
from bench.types import Clip, Excerpt
from pathlib import Path

ALONE = System("alone", "one system", frozenset({"video"}), print)

def make(level):
    return System(f"loud={level}", "louder", frozenset(), print)

TABLE = {
    "quiet": ALONE,
    "loud:LEVEL": Family("louder", frozenset(), make),
    "lazy": "theirs.heavy:SYSTEM",
    "broken": "theirs.broken:SYSTEM",
    "absent": "theirs.model:NOTHING",
    "wrong": 3,
}
COLUMN = Metric("peak", "Peak", "louder is better", ("onset",), lambda a, b: 1.0, "higher", 2)

def open_two(argument):
    path = Path("/nowhere/clip.wav")
    clips = tuple(Clip(name, Excerpt(path, 0.0, 2.0), 2.0) for name in ("a", "b"))
    return Split("two", clips)

SPLITS = {"two": SplitEntry("two clips", open_two), "odd": 3}
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Install a distribution that declares entry points; ``theirs`` is its package."""
    package = tmp_path / "theirs"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "model.py").write_text(MODULE)
    (package / "heavy.py").write_text("from theirs.model import ALONE as SYSTEM\n")
    (package / "broken.py").write_text("raise RuntimeError('no driver')\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def call(distribution: str, **groups: str) -> None:
        info = tmp_path / f"{distribution}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        )
        lines = [f"[foley_bench.{group}]\n{entries}\n" for group, entries in groups.items()]
        (info / "entry_points.txt").write_text("\n".join(lines))
        read_declarations.cache_clear()

    yield call
    monkeypatch.undo()
    read_declarations.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "theirs"]:
        del sys.modules[name]


def test_a_table_and_a_single_system_are_found_beside_the_built_in_ones(install):
    install("theirs", systems="any = theirs.model:TABLE\nalone = theirs.model:ALONE")
    assert open_system("quiet").name == "alone"
    assert open_system("alone").name == "alone"
    assert open_system("loud:11").name == "loud=11"
    assert open_system("silence").name == "silence"
    assert "lazy" in [row.name for row in read_declarations("system")]
    assert "theirs.heavy" not in sys.modules
    assert open_system("lazy").name == "alone"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("broken", "cannot import 'theirs.broken' to find SYSTEM: RuntimeError: no driver"),
        ("absent", "the module 'theirs.model' has no 'NOTHING' to use"),
        ("wrong", "'wrong' leads to a 'int', expected a bench.system.System"),
        ("quiet:3", "'quiet:3' asks for a system that takes no argument"),
    ],
)
def test_a_system_that_cannot_be_loaded_is_refused_when_it_is_used(spec, message, install):
    install("theirs", systems="any = theirs.model:TABLE")
    with pytest.raises(BenchError, match=message):
        open_system(spec)
    assert open_system("quiet").name == "alone"


def test_a_list_shows_what_cannot_be_used_and_why(install, home, capsys):
    install(
        "theirs",
        systems="any = theirs.model:TABLE\nbad = theirs.broken:TABLE",
        splits="any = theirs.model:SPLITS",
    )
    list_rows("models")
    printed = " ".join(capsys.readouterr().out.split())
    assert (
        "Note: the systems of theirs cannot be loaded from 'theirs.broken:TABLE': Runtime"
        in printed
    )
    assert "RuntimeError: no driver" in printed
    usages = [listing.usage for listing in list_systems()]
    assert {"quiet", "loud:LEVEL", "broken", "wrong", "silence"} <= set(usages)
    list_rows("splits")
    assert "two clips" in capsys.readouterr().out


def test_a_name_of_two_packages_is_refused_by_naming_both(install, home, capsys):
    install("theirs", systems="quiet = theirs.model:ALONE\nsilence = theirs.model:ALONE")
    install("others", systems="quiet = theirs.model:ALONE")
    with pytest.raises(BenchError, match="'quiet' is declared by others and by theirs: uninstall"):
        open_system("quiet")
    with pytest.raises(BenchError, match="'silence' is declared by foley-bench and by theirs"):
        open_system("silence")
    assert open_system("noise").name == "noise"
    list_rows("models")
    assert "Note: the system 'quiet' is declared by others" in capsys.readouterr().out


def test_a_name_that_one_package_declares_twice_is_not_blamed_on_two(install):
    install("theirs", systems="any = theirs.model:TABLE\nquiet = theirs.model:ALONE")
    with pytest.raises(
        BenchError, match="'quiet' is declared 2 times by theirs: its entry points need different"
    ):
        open_system("quiet")


def test_an_unknown_name_is_refused_with_what_could_not_be_loaded(install):
    install("theirs", systems="bad = theirs.broken:TABLE")
    with pytest.raises(
        BenchError, match="no system 'mine'.*the systems of theirs cannot be loaded"
    ):
        open_system("mine")


def test_a_metric_joins_every_profile_and_is_computed_when_it_is_named(install):
    install("theirs", metrics="peak = theirs.model:COLUMN")
    for profile in ("av-benchmark", "strict"):
        assert [metric.name for metric in select(profile, ["mcd", "peak"])] == ["mcd", "peak"]
        assert "peak" in [metric.name for metric in select(profile)]
    assert check_column("peak", "--primary") == "peak"
    with pytest.raises(BenchError, match="the column peak has no default margin"):
        Rules(primary=("peak",)).margin("peak")


def test_a_metric_that_is_none_is_refused_where_it_is_named_only(install):
    install("theirs", metrics="loud = theirs.model:COLUMN")
    with pytest.raises(BenchError, match="the metric 'loud' of theirs is .* of that name"):
        select("strict", ["loud"])
    assert "loud" not in [metric.name for metric in select("strict")]
    assert [metric.name for metric in select("strict", ["mcd"])] == ["mcd"]


def test_a_split_is_opened_by_name(install):
    install("theirs", splits="any = theirs.model:SPLITS")
    assert len(open_split("two").clips) == 2
    with pytest.raises(BenchError, match="split 'two:3' is not understood; write it as two"):
        open_split("two:3")
    with pytest.raises(BenchError, match="the split 'odd' of theirs is a int"):
        open_split("odd")
    with pytest.raises(BenchError, match="no split 'three'; there are: mini, .*, two, odd"):
        open_split("three")


def test_a_list_of_models_loads_no_torch():
    code = (
        "import sys; from bench.plugins import list_systems\n"
        "print(len(list_systems()) > 20, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "True False", done.stderr
