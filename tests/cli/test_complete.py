"""Completion in a shell, by the protocol of typer's scripts."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


def complete(line: str, *flags: str) -> list[str]:
    """Return the completions in bash of the last word of ``line``."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "_BENCH_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    # What the console script does, under the name that the completion variable is made of.
    code = "import sys; sys.argv = ['bench']; from bench.cli import main; main()"
    done = subprocess.run(
        [sys.executable, *flags, "-c", code], env=environment, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
    return done.stdout.split() if not flags else done.stderr.splitlines()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("bench abl", ["ablate"]),
        ("bench run --model sil", ["silence"]),
        ("bench run --model oracle-sh", ["oracle-shift:"]),
        ("bench reproduce a", ["all"]),
        ("bench run --split mini-", ["mini-hits", "mini-references"]),
        ("bench run --reference-from same", ["same-clip", "same-class"]),
        ("bench ablate --conflict t", ["text"]),
        ("bench run --split fol", ["folder:"]),
        ("bench run --metrics onset_acc,onset_a", ["onset_acc,onset_ap"]),
        ("bench run --mask au", ["audio"]),
        ("bench run --mask audio,s", ["audio,sync"]),
        ("bench run --judge ", ["signal", "paper", "mini"]),
        ("bench run --profile ", ["av-benchmark", "strict"]),
        ("bench ablate --mask a", ["audio", "all"]),
        ("bench ablate --stage two", ["two-stage"]),
        ("bench score --match ", ["name", "order"]),
        ("bench list m", ["models", "metrics"]),
        ("bench table --format l", ["latex"]),
        ("bench table --by m", ["modality", "material"]),
        ("bench weights fetch pan", ["panns"]),
        ("bench data prepare m", ["mini", "moviegen"]),
    ],
)
def test_values_are_completed(line, offered):
    found = complete(line)
    assert [name for name in found if name in offered] == offered
    assert all(name.startswith(line.rpartition(" ")[2]) for name in found)


@pytest.mark.parametrize("option", ["--model ", "--split ", "--metrics ", "--mask "])
def test_completion_loads_neither_torch_nor_pandas(option):
    lines = complete(f"bench run {option}", "-X", "importtime")
    modules = {line.rpartition("|")[2].strip() for line in lines}
    assert "bench.cli.app" in modules
    assert not {"torch", "pandas", "librosa", "matplotlib"} & modules


def test_help_offers_to_install_completion(bench):
    done = bench("--help")
    assert "--install-completion" in done.stdout
