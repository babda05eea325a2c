"""The page on models of one's own runs, block by block, on two clips of the mini world."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bench.results import load_results
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "your-model.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
#: One column without a network, in one process: what is tried is the way to it.
QUICK = ("--metrics", "onset_acc", "--workers", "0")


@pytest.fixture(scope="module")
def folder(mini_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all files of the page, in which all of its commands have run."""
    folder = tmp_path_factory.mktemp("your_model")
    for language, content in BLOCKS:
        if language:  # its first line is the name of the file, as a comment
            path = folder / content.split()[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
    for language, content in BLOCKS:
        for line in () if language else content.splitlines():
            _run(line.split(), folder, mini_home)
    return folder


def _run(words: list[str], folder: Path, home: Path) -> None:
    if words[:2] == ["pip", "install"]:
        _declare_entry_points(folder)
        return
    if words[:2] == ["bench", "run"]:
        words = [*words, *QUICK]
    command = [sys.executable, *(["-m", *words] if words[0] == "bench" else words[1:])]
    environment = {**os.environ, "BENCH_HOME": str(home), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    with (folder / "printed.txt").open("a") as file:
        file.write(f"$ {' '.join(words)}\n{done.stdout}")


def _declare_entry_points(folder: Path) -> None:
    """Write what pip writes of them: an installation would change the environment of the tests."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    metadata = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines))


def test_every_way_of_the_page_ends_in_a_finished_run_of_both_clips(folder: Path) -> None:
    results = {
        path.relative_to(folder / "runs").parts[0].partition("-out")[0]: load_results(path.parent)
        for path in (folder / "runs").rglob("scores.json")
    }
    assert results.keys() == {
        *("mymodel-SYSTEM", "reference-loop", "precomputed", "my-model", "myisolated-SYSTEM")
    }
    assert len([*(folder / "runs").glob("precomputed-*")]) == 2
    assert {(each.scored, each.failed) for each in results.values()} == {(2, 0)}
    noise, packaged = results["mymodel-SYSTEM"], results["my-model"]
    assert noise.fairness == packaged.fairness
    assert noise.fairness is not None
    assert noise.fairness.trained_on == ("VGGSound train",)
    printed = (folder / "printed.txt").read_text()
    assert "trained on    VGGSound train" in printed
    assert "trained on: VGGSound train (my-model)" in printed
    assert "generate  2 clips (0 are made)" in printed


def test_the_system_of_the_page_is_about_15_lines_and_the_page_short() -> None:
    languages = ["python", "", "python", "", "toml", "", "python", "python", ""]
    assert [language for language, _ in BLOCKS] == languages
    assert len([line for line in BLOCKS[0][1].splitlines() if line.strip()]) <= 20
    assert len(PAGE.splitlines()) <= 150
