"""Every isolated system: its files, its lock, and a worker that an old Python can run."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from baselines import SYSTEMS
from bench.isolation import Adapter, IsolatedSystem
from bench.isolation.av_benchmark import AV_BENCHMARK
from bench.plugins import open_system

SYSTEMS_WITHOUT_ARGUMENT = [name for name in SYSTEMS if ":" not in name]
ADAPTERS = [
    system.adapter
    for system in map(open_system, SYSTEMS_WITHOUT_ARGUMENT)
    if isinstance(system, IsolatedSystem) and system.adapter is not None
]
ADAPTERS.append(AV_BENCHMARK)
each_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)


def normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@each_adapter
def test_the_lock_has_hashes_of_all_that_is_asked_for_and_names_no_host(adapter: Adapter) -> None:
    lock = (adapter.folder / "requirements.lock").read_text()
    assert "://" not in lock
    assert "/" not in re.sub(r"#.*|--hash=\S+", "", lock)
    blocks = re.split(r"\n(?=\S)", lock.strip())
    assert all("--hash=sha256:" in block for block in blocks)
    locked = {normalize(block.partition("==")[0]) for block in blocks}
    asked = re.findall(r"^([\w.-]+)", (adapter.folder / "requirements.in").read_text(), re.M)
    assert {normalize(name) for name in asked} <= locked


@each_adapter
def test_the_worker_is_a_script_of_python_3_8_and_its_library(adapter: Adapter) -> None:
    tree = ast.parse((adapter.folder / "worker.py").read_text(), feature_version=(3, 8))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module] if isinstance(node, ast.ImportFrom) else map(get_name, node.names)
        )
        if name is not None
    }
    assert imported <= sys.stdlib_module_names


def get_name(alias: ast.alias) -> str:
    return alias.name


@each_adapter
def test_what_it_is_given_is_what_it_declares(adapter: Adapter) -> None:
    assert ("reference" in adapter.uses) == (adapter.reference is not None)
    assert ("reference-video" in adapter.uses) == (adapter.reference == "mp4")
    assert not adapter.needs_prompt or "prompt" in adapter.uses


@pytest.mark.slow
@each_adapter
def test_the_lock_is_what_its_date_resolves_to(adapter: Adapter, tmp_path: Path) -> None:
    assert adapter.locked_on
    output = tmp_path / "requirements.lock"
    options = ["--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate"]
    options += ["--python-version", adapter.python, "--exclude-newer", adapter.locked_on]
    options += ["--python-platform", "x86_64-manylinux_2_28", "--quiet", "--output-file"]
    uv = Path(sys.executable).with_name("uv")
    source = adapter.folder / "requirements.in"
    subprocess.run([uv, "pip", "compile", *options, output, source], check=True)
    assert output.read_text() == (adapter.folder / "requirements.lock").read_text()
