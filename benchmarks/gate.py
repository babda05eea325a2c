"""The regression gate of this repository: a few runs of the mini world against a stored baseline.

python -m benchmarks.gate check      run, compare clip by clip; 1 if anything changed (make gate)
python -m benchmarks.gate baseline   run, measure the spread of reruns, write tests/golden/gate

Everything is made from nothing, clips included: what is left of an earlier run would hide a change.
``docs/ci.md`` says what the tolerances are derived from; ``benchmarks.gate_spread`` measures them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest import mock

from typer.testing import CliRunner

from bench.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
BASELINE = ROOT / "tests" / "golden" / "gate"
#: The truth rendered again tests world, media and judge; the others what generates audio as well.
SYSTEMS = ("oracle", "motion-grains", "acfoley-mini")
N_CLIPS = 4
KEPT = ("scores.json", "scores.parquet")


def main() -> int:
    """Check or renew the baseline."""
    task = sys.argv[1:]
    if task not in (["check"], ["baseline"]):
        raise SystemExit(__doc__)
    keep_one_thread()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        prepare(place)
        if task == ["check"]:
            return max(check(run(place, system), system) for system in SYSTEMS)
        from benchmarks.gate_spread import measure_tolerances

        for system in SYSTEMS:
            keep(run(place, system), system)
        measure_tolerances(place)
    return 0


def keep_one_thread() -> None:
    """Limit libraries that are not loaded yet: threads that wait for one another are slow on a busy
    machine, and workers have one each in any case.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def prepare(place: Path) -> None:
    """Render the clips in the empty folder ``place``."""
    bench(place, "data", "prepare", "mini", "--clips", str(N_CLIPS))


def run(
    place: Path, system: str, *options: str, variables: Mapping[str, str] | None = None
) -> Path:
    """Run a system on the clips below ``place`` and return the folder of its scores."""
    # Options that choose clips replace these, which come first, or do not go together with them.
    limit = () if "--clip" in options else ("--limit", str(N_CLIPS))
    bench(place, *_run_command(place, system), *limit, *options, variables=variables)
    return scores_folder(place / "runs", system)


def run_and_kill(place: Path, system: str, *options: str) -> None:
    """Start the same and kill it, and all that it started, once two samples are finished."""
    limit = ("--limit", str(N_CLIPS))
    command = [sys.executable, "-m", "bench", *_run_command(place, system), *limit, *options]
    process = subprocess.Popen(
        command,
        env={**os.environ, **_variables(place)},
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    journal = scores_folder(place / "runs", system).parent / "journal.jsonl"
    while process.poll() is None:
        if journal.is_file() and journal.read_text("utf-8").count('"kind": "sample"') >= 2:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return
        time.sleep(0.02)
    raise SystemExit(f"the run to kill ended by itself with {process.returncode}")


def _run_command(place: Path, system: str) -> tuple[str, ...]:
    return ("run", "--model", system, "--split", "mini", "--runs", str(place / "runs"))


def scores_folder(runs: Path, system: str, seed: int = 42) -> Path:
    """Return where the scores of a run are."""
    return runs / system / "mini" / f"full-{seed}" / f"first-{N_CLIPS}"


def bench(place: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> None:
    """Carry out a command of this checkout with ``place`` as its home.

    In this process, where the command has no workers and needs no environment of its own: to load
    the libraries takes longer than a few clips do.
    """
    if variables is None and "--workers 0" in " ".join(arguments):
        with mock.patch.dict(os.environ, _variables(place)):
            done = CliRunner().invoke(app, list(arguments))
        code, output = done.exit_code, f"{done.output}{done.exception or ''}"
    else:
        finished = subprocess.run(
            [sys.executable, "-m", "bench", *arguments],
            env={**os.environ, **_variables(place), **(variables or {})},
            cwd=place,
            capture_output=True,
            text=True,
        )
        code, output = finished.returncode, finished.stdout + finished.stderr
    if code:
        raise SystemExit(f"bench {' '.join(arguments)} failed:\n{output}")


def _variables(place: Path) -> dict[str, str]:
    return {"BENCH_HOME": str(place / "home"), "BENCH_BOUNDS": "0", "PYTHONPATH": str(ROOT)}


def check(new: Path, system: str) -> int:
    """Print the comparison with the baseline; 1 if the run does not repeat it."""
    base = BASELINE / system
    command = ["compare", str(base), str(new), "--repeat", str(base / "tolerances.toml")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", "bench", *command], env=environment).returncode


def keep(new: Path, system: str) -> None:
    """Make the scores of a run the baseline."""
    (BASELINE / system).mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        shutil.copyfile(new / name, BASELINE / system / name)


def write_tolerances(system: str, tolerances: Mapping[str, float], reasons: Sequence[str]) -> None:
    """Write the tolerances of a system with a comment for each column."""
    lines = [
        "# Written by `python -m benchmarks.gate baseline`; docs/ci.md has the derivation.",
        "[columns]",
        *(
            f"{name} = {value:.2g}  # {why}"
            for (name, value), why in zip(tolerances.items(), reasons, strict=True)
        ),
    ]
    (BASELINE / system / "tolerances.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
