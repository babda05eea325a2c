"""A run that is killed at any moment leaves complete files, and the next run finishes it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.pipeline.plan import ENGINE_FOLDER, RunPlan
from bench.pipeline.run import run
from tests.conftest import ROOT

SLOW = "tests.pipeline.systems:SLOW"


def start(plan: RunPlan, clicks_folder: Path) -> subprocess.Popen[bytes]:
    """``bench run`` of a plan as a process of its own."""
    command = [sys.executable, "-m", "bench", "run", "--model", SLOW]
    command += ["--split", f"folder:{clicks_folder}", "--runs", str(plan.root), "--workers", "1"]
    command += ["--metrics", "onset_acc,onset_ap,mcd"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.PIPE,
        cwd=plan.root.parent,
        preexec_fn=accept_interrupts,
    )


def accept_interrupts() -> None:
    """Restore Ctrl-C, which processes started in the background of a shell ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < deadline, "nothing happened within a minute"
        time.sleep(0.01)


def test_after_kill_9_a_rerun_finishes_with_the_same_bytes(make_plan, clicks_folder, tmp_path):
    straight, killed = make_plan(SLOW, root=tmp_path / "a"), make_plan(SLOW, root=tmp_path / "b")
    run(straight, lambda stage, done, total: None)
    process = start(killed, clicks_folder)
    journal = killed.directory / "journal.jsonl"
    wait_until(lambda: journal.exists() and b'"sample"' in journal.read_bytes())
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done_before = journal.read_bytes().count(b'"kind": "sample"')
    assert 1 <= done_before < 3
    counts: dict[str, int] = {}
    run(killed, lambda stage, done, total: counts.update({stage: done}))
    assert counts["generate"] <= 3 - done_before
    for name in ("scores.json", "scores.parquet", "failures.jsonl"):
        assert (straight.directory / name).read_bytes() == (killed.directory / name).read_bytes()


def test_ctrl_c_stops_with_a_message_and_keeps_finished_clips(make_plan, clicks_folder):
    plan = make_plan(SLOW)
    process = start(plan, clicks_folder)
    journal = plan.directory / "journal.jsonl"
    wait_until(lambda: journal.exists() and b'"sample"' in journal.read_bytes())
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"the same command goes on from here" in printed
    assert b"Traceback" not in printed
    assert run(plan, lambda stage, done, total: None).results.scored == 3


def test_a_second_process_is_refused_while_the_first_one_works(make_plan, clicks_folder):
    plan = make_plan(SLOW)
    first = start(plan, clicks_folder)
    wait_until((plan.directory / "journal.jsonl").exists)
    second = start(plan, clicks_folder)
    _, printed = second.communicate(timeout=60)
    assert second.returncode == 2
    assert b"another process works on" in printed
    first.communicate(timeout=240)
    assert first.returncode == 0


@pytest.mark.parametrize("leftover", [".clip_000000-abc.flac"])
def test_partial_files_of_a_killed_process_are_not_samples(make_plan, leftover):
    plan = make_plan("silence")
    (plan.directory / "samples").mkdir(parents=True)
    (plan.directory / "samples" / leftover).write_bytes(b"half")
    assert run(plan, lambda stage, done, total: None).results.scored == 3


def test_jobs_that_a_killed_command_left_are_cancelled_first(make_plan):
    plan = make_plan("silence")
    submitted = plan.directory / ENGINE_FOLDER / "map-1" / "submitted"
    submitted.parent.mkdir(parents=True)
    submitted.write_text("chunk-1\n")
    run(plan, lambda stage, done, total: None)
    assert not submitted.exists()
