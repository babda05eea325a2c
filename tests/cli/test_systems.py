"""``bench systems`` as typed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli.app import app

STANDIN = Path(__file__).parents[1] / "baselines" / "standins"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "FoleyCrafter"
    shutil.copytree(STANDIN / "foleycrafter", folder)
    shutil.copy(STANDIN / "_standin.py", folder)
    return folder


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["systems", *arguments], catch_exceptions=True)
    text = result.output + (f"{result.exception}" if result.exception else "")
    return result.exit_code, " ".join(text.split())


def test_a_system_is_set_up_checked_used_and_removed(mini_home, checkout, monkeypatch) -> None:
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    setup = ["setup", "foleycrafter", "--checkout", str(checkout), "--python", sys.executable]
    code, text = run(*setup)
    assert code != 0
    assert "give --accept-licence" in text
    assert "Auffusion" in text  # the terms were printed before

    code, text = run(*setup, "--accept-licence")
    assert code == 1
    assert "Missing: checkpoints/temporal_adapter.ckpt is missing" in text
    assert "Then: bench systems check foleycrafter" in text

    from baselines.foleycrafter import FOLEYCRAFTER

    assert FOLEYCRAFTER.adapter is not None
    for weight in FOLEYCRAFTER.adapter.weights:
        path = checkout / weight.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.setattr("bench.isolation.setup.list_unmet_requirements", lambda _: [])
    code, text = run("check", "foleycrafter")
    assert code == 0, text
    assert "foleycrafter works: " in text
    assert "samples repeat to the bit" in text

    code, text = run("remove", "foleycrafter")
    assert code == 0
    assert checkout.exists()


def test_what_cannot_be_set_up_is_refused() -> None:
    code, text = run("check", "silence")
    assert code != 0
    assert "silence runs in this environment: there is nothing to set up" in text


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_here_is_refused_before_the_environment(
    home, checkout, device
) -> None:
    code, text = run("setup", "foleycrafter", "--checkout", str(checkout), "--device", device)
    assert code != 0
    assert device in text
    assert "Auffusion" not in text
    assert device in run("check", "foleycrafter", "--device", device)[1]
