"""The mini Table 1 in one command: isolated systems by their stand-ins, archives, our own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from bench.isolation import IsolatedSystem
from bench.media import read_audio, write_audio
from bench.plugins import open_system, read_declarations
from bench.types import Excerpt
from tests.baselines.conftest import set_up_with_standin

ROOT = Path(__file__).resolve().parents[2]
OWN = ["motion-grains"]


def list_isolated() -> list[str]:
    rows = [row for row in read_declarations("system") if not row.argument]
    return [row.name for row in rows if isinstance(open_system(row.name), IsolatedSystem)]


@pytest.fixture
def home_with_clips(home: Path, mini_home: Path) -> Path:
    home.mkdir()
    (home / "data").symlink_to(mini_home / "data")
    return home


def pack_samples(folder: Path, clips: Path) -> Path:
    """A published archive: the true audio of the first two clips under their names."""
    archive = folder / "published.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(clips.glob("*.mp4"))[:2]:
            audio = folder / f"{path.stem}.wav"
            write_audio(audio, read_audio(Excerpt(path)))
            file.write(audio, f"samples/{audio.name}")
    return archive


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_one_command_fills_the_table_and_resumes_after_a_kill(
    home_with_clips: Path, tmp_path: Path
) -> None:
    names = list_isolated()
    for name in names:
        set_up_with_standin(name, tmp_path)
    archive = pack_samples(tmp_path, home_with_clips / "data" / "mini")
    models = [*OWN, *names, f"precomputed:{archive}"]
    command = [sys.executable, "-m", "bench", "run", "--model", ",".join(models), "--split=mini"]
    command += ["--limit=2", "--metrics=onset_acc", "--workers=1"]

    whole = subprocess.run(
        [*command, "--runs", str(tmp_path / "whole")], cwd=ROOT, capture_output=True, text=True
    )
    killed = subprocess.Popen(
        [*command, "--runs", str(tmp_path / "killed")],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for_chunk(killed, names[1], tmp_path)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    again = subprocess.run(
        [*command, "--runs", str(tmp_path / "killed")], cwd=ROOT, capture_output=True, text=True
    )
    assert read_scores(tmp_path / "whole") == read_scores(tmp_path / "killed")
    assert whole.stdout == again.stdout.replace(str(tmp_path / "killed"), str(tmp_path / "whole"))
    # Each clip has a score or a reason: CondFoley makes 2 s, others need a GPU.
    assert count_clips(tmp_path / "whole") == dict.fromkeys(
        (path.name for path in (tmp_path / "whole").iterdir()), 2
    )
    assert len(list((tmp_path / "whole").iterdir())) == len(models), whole.stderr


def count_clips(runs: Path) -> dict[str, int]:
    """How many clips of each system are accounted for: scored, or failed with a reason."""
    counts = {folder.name: 0 for folder in runs.iterdir()}
    for path in runs.rglob("failures.jsonl"):
        failures = [json.loads(line) for line in path.read_text().splitlines()]
        assert all(each["error"] for each in failures)
        counts[path.relative_to(runs).parts[0]] += len(failures)
    for path in runs.rglob("scores.json"):
        scored = json.loads(path.read_text())["scored"]
        counts[path.relative_to(runs).parts[0]] += scored
    return counts


def wait_for_chunk(process: subprocess.Popen[bytes], name: str, folder: Path) -> None:
    """Return once this system has been called for a chunk by the second command."""
    runs = folder / "killed" / name
    while process.poll() is None and not runs.exists():
        time.sleep(0.02)
    assert process.poll() is None, "the command was over before it could be killed"
    time.sleep(1.0)  # it opens the environment, or generates


def read_scores(runs: Path) -> dict[str, object]:
    found = {}
    for path in sorted(runs.rglob("scores.json")):
        found[str(path.relative_to(runs))] = json.loads(path.read_text())["metrics"]
    return found
