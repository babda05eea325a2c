"""What each command imports: the seconds before it answers are those of its packages."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bench.pipeline.machine import has_gpu_driver
from tests.conftest import ROOT

#: Each takes a tenth of a second to seconds to import.
HEAVY = {
    *("torch", "torchvision", "torchaudio", "transformers", "open_clip"),
    *("librosa", "numba", "scipy", "sklearn", "pandas", "pyarrow", "matplotlib", "av", "PIL"),
    *("soundfile", "soxr", "httpx", "safetensors", "asyncio"),
}
RUN = ("run", "--split", "mini", "--limit", "2", "--dry-run", "--model")


def run_bench(home, *arguments: str) -> tuple[set[str], str]:
    """Return the modules that a command of the command line imports, and what it prints."""
    code = (
        "import sys\n"
        "from bench.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "print('MODULES', *sys.modules)"
    )
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "BENCH_HOME": str(home), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=home.parent, env=environment, check=True
    )
    printed, _, modules = done.stdout.rpartition("MODULES ")
    return set(modules.split()), printed


@pytest.fixture
def mini(home):
    """The files of two mini clips, which a plan counts and does not open."""
    folder = home / "data" / "mini"
    folder.mkdir(parents=True)
    for number in range(2):
        (folder / f"mini_{number:06d}.mp4").touch()
    return home


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("list", "models"), "oracle-shift:SECONDS"),
        (("list", "splits"), "mini-references"),
        ((*RUN, "silence"), "generate  2 clips"),
        ((*RUN, "motion-grains"), "generate  2 clips"),
        ((*RUN, "acfoley-mini"), "generate  2 clips"),
        (("reproduce", "all", "--dry-run"), "bench data prepare wavcaps"),
        (("reproduce", "5", "--world", "mini", "--limit", "2", "--dry-run"), "2 can run"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_lists_and_plans_import_no_package_that_does_the_work(mini, arguments, expected):
    modules, printed = run_bench(mini, *arguments)
    assert expected in printed
    assert not HEAVY & modules
    # A clip of the mini world is known from its scene; only rendering it needs the renderer.
    assert not {"bench.synthetic.audio", "bench.synthetic.video"} & modules


def test_help_imports_no_numpy_either(home):
    modules, printed = run_bench(home, "--help")
    assert "Commands" in printed
    assert not (HEAVY | {"numpy", "bench.pipeline", "bench.splits", "bench.suite"}) & modules


@pytest.mark.skipif(has_gpu_driver(), reason="with the driver of a GPU, torch names the GPUs")
def test_the_doctor_imports_no_torch_without_the_driver_of_a_gpu(home):
    modules, printed = run_bench(home, "doctor")
    assert "devices      cpu" in printed
    assert not (HEAVY - {"av"}) & modules  # av, to ask it for its codecs
