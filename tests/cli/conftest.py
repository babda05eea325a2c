"""Fixtures of the command line tests: the command itself, run in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli import main
from tests.conftest import ROOT

Done = subprocess.CompletedProcess[str]


@pytest.fixture
def bench(home, tmp_path, monkeypatch, capsys):
    """Run ``bench`` in an empty folder, in this process: that of a test takes seconds to start."""
    folder = tmp_path / "here"

    def call(*arguments: object) -> Done:
        folder.mkdir(exist_ok=True)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, arguments)])
        monkeypatch.setattr(sys, "path", [*sys.path])  # to which a system of the user adds
        # An edited module would otherwise be that of before: its time is in whole seconds.
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        _forget_modules(folder)
        return Done(arguments, end.value.code or 0, *capsys.readouterr())

    return call


@pytest.fixture
def process(home, tmp_path):
    """Run ``bench`` in an empty folder, in a fresh process."""

    def call(*arguments: object) -> Done:
        command = [sys.executable, "-m", "bench", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
        folder = tmp_path / "here"
        folder.mkdir(exist_ok=True)
        return subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120
        )

    return call


@pytest.fixture(scope="session")
def report_site(mini_home, tmp_path_factory) -> Path:
    """The page of three systems on four mini clips, one of which has no media."""
    import bench as library
    from bench.cli.report import report

    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_HOME", str(mini_home))
        for model in ("reference-loop", "noise", "oracle"):
            library.run(
                model, split="mini", limit=4, metrics="mcd,lsd,env_corr", workers=0,
                runs=folder / "runs",
            )  # fmt: skip
        report([folder / "runs"], folder / "site", "3", None, 0)
    return folder / "site" / "index.html"


def _forget_modules(folder: Path) -> None:
    for name, module in [*sys.modules.items()]:
        if str(getattr(module, "__file__", None)).startswith(str(folder)):
            del sys.modules[name]


def refused(done: Done, *words: str) -> None:
    """Exit code 2, one error line with these words, and no traceback."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
