"""The check of a GPU: its steps on a CPU, without what its machine may lack, and its refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import gpu_check, gpu_parts
from benchmarks.gpu_parts import Machine, Row

ROOT = Path(__file__).parents[2]
#: All but torch, NumPy, SciPy and safetensors.
MISSING = """
    torchvision torchaudio librosa numba av soundfile soxr pandas pyarrow duckdb psutil typer rich
    matplotlib hear21passt panns_inference torchlibrosa torchvggish open_clip timm transformers
    sklearn pytest pysptk pyworld xdist PIL yaml
"""
BLOCKER = """
import sys

class Finder:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in MISSING.split():
            return self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Finder(each) for each in sys.meta_path]
"""


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of processes that find nothing but what the check is promised."""
    (tmp_path / "sitecustomize.py").write_text(f"MISSING = {MISSING!r}\n{BLOCKER}")
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def test_what_it_imports_needs_no_package_that_may_be_missing(bare):
    code = "import benchmarks.gpu_check, benchmarks.gpu_parts, sys; print('torch' in sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr
    code = "import librosa"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, check=False)
    assert "No module named 'librosa'" in done.stderr  # the blocker blocks


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_part_runs_on_a_cpu_and_what_is_missing_is_a_row(bare, tmp_path):
    out = tmp_path / "check.json"
    command = [sys.executable, "-m", "benchmarks.gpu_check", "--device", "cpu", "--small"]
    done = subprocess.run(
        [*command, "--out", out], cwd=ROOT, env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(out.read_text())
    rows = {f"{row['part']} {row['name']}": row for row in found["rows"]}
    missing = {name for name, row in rows.items() if row["status"] == "missing"}
    assert missing == {
        *(f"judges paper {name}" for name in ("passt", "panns", "vggish")),
        "model CLIP, frames",
        "model CLIP, prompt",
        "tests tests marked gpu",
    }
    assert all(rows[name]["note"] for name in missing)
    for name in (
        "generation float32, 2 at once",
        "generation bfloat16, 1 at once",
        "compiled bfloat16, 2 at once, flow",
        "judges paper sync_picture: rate",
        "judges mini vggish: rate",
        "model vocoder: rate",
    ):
        assert rows[name]["status"] == "ok"
        assert rows[name]["value"] > 0
    for name in ("AC-Foley flow", "AC-Foley flow, mini", "autoencoder, decode", "vocoder"):
        row = rows[f"model {name}: alone and in a batch"]
        assert row["value"] < row["limit"] == gpu_parts.TOLERANCE
    assert "peaks matrix product, float32" in rows
    assert all(row["name"] in done.stdout for row in found["rows"])


def test_a_part_that_fails_or_misses_a_package_is_a_row(monkeypatch):
    def fail(machine):
        yield Row("x", "first", value=1.0)
        raise RuntimeError("broken")

    def miss(machine):
        yield from ()
        import no_such_package  # noqa: F401

    monkeypatch.setattr(gpu_parts, "PARTS", {"x": (fail, 1.0), "y": (miss, 1.0)})
    first, failed = gpu_parts.run_part("x", Machine("cpu"))
    assert (first.status, failed.status, failed.note) == ("ok", "failed", "RuntimeError: broken")
    (missing,) = gpu_parts.run_part("y", Machine("cpu"))
    assert missing.status == "missing"
    assert "no_such_package" in missing.note


def test_a_part_that_takes_too_long_is_killed_and_keeps_its_rows(monkeypatch, tmp_path):
    script = (
        "import sys, json, time; open(sys.argv[-1], 'w').write("
        """'{"part": "peaks", "name": "found"}' + chr(10) + '{"part": "pe'); time.sleep(60)"""
    )
    options = gpu_check.parsed(["--device", "cpu", "--parts", "peaks,tests", "--seconds", "17"])
    popen = subprocess.Popen

    def start(command, **kwargs):
        rows = command[command.index("--rows") + 1]
        return popen([sys.executable, "-c", script, rows], **kwargs)

    monkeypatch.setattr(gpu_check.subprocess, "Popen", start)
    monkeypatch.setitem(gpu_parts.PARTS, "peaks", (gpu_parts.check_peaks, 3.0))
    monkeypatch.setattr(gpu_check, "SHORTEST_PART_S", 2.9)
    monkeypatch.setattr(options, "seconds", 5.5)
    found, stopped, skipped = gpu_check.run_parts(options)
    assert (found.name, found.status) == ("found", "ok")
    assert stopped.status == "failed"
    assert "stopped after 3 s" in stopped.note
    assert (skipped.part, skipped.status) == ("tests", "skipped")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "cpu", "--parts", "peaks,nonsense"], "no part nonsense; there are: peaks"),
        (["--device", "cuda:99"], "no device 'cuda:99'"),
    ],
)
def test_options_that_cannot_be_met_are_refused(arguments, message, capsys):
    with pytest.raises(SystemExit) as refusal:
        gpu_check.main(arguments)
    assert refusal.value.code == 2
    assert message in capsys.readouterr().err


def test_a_number_beyond_its_limit_is_a_failure():
    import torch

    expected = torch.ones(2, 3)
    assert gpu_parts._compared("x", "y", expected * (1 + 5e-5), expected).status == "ok"
    assert gpu_parts._compared("x", "y", expected * (1 + 2e-4), expected).status == "failed"
    assert gpu_parts._compared("x", "y", expected * float("nan"), expected).status == "failed"
