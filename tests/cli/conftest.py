"""Fixtures of the command line tests: the command itself, run in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.fixture
def bench(home, tmp_path):
    """Run ``bench`` in an empty folder; returns the finished process."""

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bench", *map(str, arguments)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
        folder = tmp_path / "here"
        folder.mkdir(exist_ok=True)
        return subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120
        )

    return call


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 2, one error line with these words, and no traceback."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
