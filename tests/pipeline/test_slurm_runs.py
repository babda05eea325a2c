"""Runs by jobs of Slurm, which are processes of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT
from tests.engine.test_slurm_jobs import job_processes
from tests.pipeline import test_engines

own_home = test_engines.own_home


@pytest.mark.slow
def test_a_run_that_ctrl_c_stops_ends_its_jobs_and_goes_on(own_home, tmp_path) -> None:
    command = [sys.executable, "-m", "bench", "run", "--model", "noise", "--split", "mini"]
    command += ["--limit", "3", "--metrics", "onset_acc", "--runs", str(tmp_path / "runs")]
    command += ["--engine", "slurm", "--slurm", "cluster=local"]
    process = subprocess.Popen(
        command, cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    deadline_s = time.monotonic() + 120
    while len(job_processes(tmp_path / "runs")) < 4:  # the command, a job, its task, its worker
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    output = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 130
    assert "the same command goes on" in output
    assert "Traceback" not in output
    assert job_processes(tmp_path / "runs") == []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "3 clips expected, 3 scored, 0 failed" in done.stdout
