from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

import bench.metrics

HEAVY = ("torch", "librosa", "numba", "scipy", "pandas", "pysptk", "pyworld", "matplotlib")


def test_importing_the_metrics_loads_nothing_heavy_and_prints_nothing():
    script = f"import sys, bench.metrics; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""


def test_the_metrics_import_nothing_else_of_the_suite_but_the_store_of_compiled_code():
    script = "import sys, bench.metrics; print(*(m for m in sys.modules if m.startswith('bench.')))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    others = {m for m in done.stdout.split() if not m.startswith("bench.metrics")}
    assert others == {"bench._numba"}


def test_every_public_name_is_there_and_documented():
    for name in bench.metrics.__all__:
        assert getattr(bench.metrics, name).__doc__


@pytest.mark.parametrize("name", [m.name for m in pkgutil.iter_modules(bench.metrics.__path__)])
def test_the_examples_in_the_docstrings_are_true(name):
    assert doctest.testmod(importlib.import_module(f"bench.metrics.{name}")).failed == 0
