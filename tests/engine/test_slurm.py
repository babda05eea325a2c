"""Slurm as a back end: its options and commands (imitated), jobs as processes, and a real node."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bench.engine import WorkerSettings
from bench.engine import slurm_cluster as cluster
from bench.engine.choice import SlurmOptions
from bench.engine.chunked import ChunkedEngine
from bench.engine.slurm_check import check_slurm
from bench.errors import BenchError
from tests.engine.test_engine import square_unless_seven
from tests.pipeline.test_engines import own_home, plan_mini, require_equal_rows  # noqa: F401

pytest.importorskip("submitit")
from bench.engine.slurm import SlurmBackend  # noqa: E402

#: Two partitions, the second with GPUs of two kinds; and one that is down.
SINFO = """main*|up|2:00:00|64|(null)
gpu|up|1-00:00:00|32|gpu:a100:4(S:0-1)
gpu|up|1-00:00:00|16|gpu:2
old|down|infinite|8|(null)"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Make shell scripts in the place of Slurm's commands; each logs how it was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def write(name: str, script: str) -> Path:
        path = folder / name
        log = tmp_path / f"{name}.log"
        path.write_text(f'#!/bin/sh\necho "$@" >> {log}\n{script}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return log

    for name in cluster.COMMANDS:
        write(name, "exit 0")
    write("sinfo", f"cat <<'END'\n{SINFO}\nEND")
    return write


# --- options


def check(needs_gpu: bool = False, **options: object) -> None:
    extra = options.pop("extra", {})
    check_slurm(SlurmOptions(**options, extra=extra), needs_gpu=needs_gpu)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"partition": "h100"}, "no partition 'h100' in this Slurm; there are: gpu, main, old"),
        ({"partition": "old"}, "the partition old of this Slurm is down"),
        ({"needs_gpu": True}, "--device cuda needs a GPU: --gpus-per-node sets how many"),
        (
            {"needs_gpu": True, "partition": "gpu", "gpus_per_node": 8},
            "--gpus-per-node 8: no node of the partition gpu has more than 4 GPUs",
        ),
        ({"nodes": 0}, "--nodes is 0, expected at least 1"),
        ({"extra": {"time": "3:00:00"}}, "jobs of the partition main end after 120 minutes"),
        ({"extra": {"time": "soon"}}, "the time 'soon' is none of Slurm's"),
        ({"extra": {"array": "0-9"}}, "--slurm array=0-9: array is set for each job by itself"),
        ({"extra": {"mem_per_cpu": "1G"}}, "did you mean mem-per-cpu?"),
        ({"extra": {"cpus-per-task": "x"}}, "cpus-per-task=x is no number of cores"),
        ({"extra": {"comment": "a\nrm -r"}}, "characters that cannot be printed"),
        ({"extra": {"cluster": "debug"}}, "there are slurm and local"),
        ({"extra": {"cluster": "local", "qos": "x"}}, "--slurm qos is for Slurm"),
        ({"partition": "a", "extra": {"cluster": "local"}}, "--partition is for Slurm"),
    ],
)
def test_options_of_which_no_job_can_come_are_refused(programs, options, sentence) -> None:
    with pytest.raises(BenchError) as error:
        check(**options)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_without_slurm_the_missing_command_is_named(programs, tmp_path) -> None:
    (tmp_path / "bin" / "sbatch").unlink()
    if Path("/usr/bin/sbatch").exists():
        os.environ["PATH"] = str(tmp_path / "bin")
    with pytest.raises(BenchError, match="sbatch is not on this machine: run it on a login node"):
        check()
    check(extra={"cluster": "local"})


def test_a_controller_that_refuses_or_is_silent_is_named(programs, monkeypatch) -> None:
    programs("sinfo", "echo 'sinfo: error: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(BenchError, match="^sinfo of Slurm fails: Unable to contact slurm contr"):
        check()
    programs("sinfo", "exec sleep 60")
    monkeypatch.setattr(cluster, "LIMIT_S", 0.2)
    with pytest.raises(BenchError, match="^the Slurm controller does not answer: sinfo took more"):
        check()


def test_the_controller_decides_about_accounts_and_what_else_there_is(programs) -> None:
    log = programs("sbatch", "echo 'allocation failure: Invalid account' >&2; exit 1")
    with pytest.raises(BenchError, match="Invalid account .asked with --account=lab --time=120"):
        check(extra={"account": "lab"})
    assert log.read_text() == "--test-only --account=lab --time=120 --wrap=true\n"
    programs("sbatch", "echo 'allocation failure: Requested nodes are busy' >&2; exit 1")
    check(extra={"account": "lab"})  # a job would wait for them


def test_a_gpu_is_asked_for_only_where_one_is_needed(programs) -> None:
    log = programs("sbatch", "exit 0")
    check(True, partition="gpu", gpus_per_node=4)
    check(False, partition="gpu", gpus_per_node=4)
    check(True, partition="gpu", gpus_per_node=4, extra={"gres": "gpu:a100:4"})
    calls = log.read_text().splitlines()
    assert ["gpus-per-node=4" in call for call in calls] == [True, False, False]
    assert ["gres=gpu:a100:4" in call for call in calls] == [False, False, True]


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("90", 90), ("30:00", 30), ("2:00:00", 120), ("1-12", 2160), ("1-0:30:0", 1470), ("0:30", 1)],
)
def test_times_of_slurm_are_read(text, minutes) -> None:
    assert cluster.parse_minutes(text) == minutes


# --- what a job is given


def backend(tmp_path: Path, workers: int | None = None, **options: object) -> SlurmBackend:
    extra = options.pop("extra", {})
    return SlurmBackend(SlurmOptions(**options, extra=extra), tmp_path / "engine", workers)  # type: ignore[arg-type]


def test_jobs_have_the_workers_that_fit(programs, tmp_path) -> None:
    def shape(made: SlurmBackend, settings: WorkerSettings) -> tuple[int, int, int, int]:
        layout = made.layout(settings)
        return (
            layout.n_slots,
            layout.workers,
            layout.gpus,
            made._parameters(settings)["cpus_per_task"],
        )

    one_core, all_cores = WorkerSettings(), WorkerSettings(cpus=0)
    assert shape(backend(tmp_path), one_core) == (1, 16, 0, 16)
    assert shape(backend(tmp_path, nodes=4, workers=80), one_core) == (4, 20, 0, 20)
    assert shape(backend(tmp_path, nodes=4, workers=2), one_core) == (2, 1, 0, 1)
    assert shape(backend(tmp_path), all_cores) == (1, 1, 0, 64)
    assert shape(backend(tmp_path, extra={"cpus-per-task": "3"}), one_core) == (1, 3, 0, 3)
    networks = WorkerSettings(cpus=8, gpus=1.0)
    gpu = partial(backend, tmp_path, partition="gpu")
    assert shape(gpu(gpus_per_node=4, nodes=2), networks) == (2, 4, 4, 32)
    assert shape(gpu(gpus_per_node=2), networks) == (1, 2, 2, 16)
    assert shape(gpu(gpus_per_node=2), WorkerSettings(cpus=2, gpus=1 / 3)) == (1, 6, 2, 12)
    assert "gpus_per_node" not in gpu(gpus_per_node=4)._parameters(one_core)


def test_one_array_is_submitted_with_its_options(programs, tmp_path, monkeypatch) -> None:
    programs("sbatch", f"cp $1 {tmp_path}/script; env > {tmp_path}/env; echo job 70")
    scancel = programs("scancel", "exit 0")
    monkeypatch.setenv("SLURM_JOB_ID", "1")  # this process is in a job itself
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "5")
    monkeypatch.setenv("SLURM_CONF", "/etc/own.conf")
    made = backend(tmp_path, nodes=2, partition="main", extra={"account": "my lab"})
    names = made.submit([tmp_path / f"{n}.job" for n in range(3)], WorkerSettings())
    assert names == ["70_0", "70_1", "70_2"]
    script = (tmp_path / "script").read_text()
    for line in ("array=0-2%2", "partition=main", "account='my lab'", "time=120", "requeue"):
        assert f"#SBATCH --{line}\n" in script
    assert "srun" in script
    assert "--cpus-per-task=16" in script
    given = (tmp_path / "env").read_text().splitlines()
    assert "SLURM_CONF=/etc/own.conf" in given
    assert not any(line.startswith("SLURM_MEM_PER_NODE") for line in given)
    assert os.environ["SLURM_MEM_PER_NODE"] == "5"
    made.close()
    assert "70_0 70_1 70_2" in scancel.read_text()
    assert f"--name={made.name}" in scancel.read_text()


def test_jobs_that_slurm_does_not_take_end_the_map(programs, tmp_path) -> None:
    programs("sbatch", "echo 'sbatch: error: Batch job submission failed: Bad QOS' >&2; exit 1")
    scancel = programs("scancel", "exit 1")  # it has nothing to do
    engine = ChunkedEngine(backend(tmp_path), tmp_path / "engine", lambda text: None)
    with pytest.raises(BenchError, match="Slurm does not take the jobs: .*Bad QOS"):
        list(engine.map(square_unless_seven, range(3)))
    assert "--name=foley-bench-" in scancel.read_text()  # whatever was taken all the same


def test_states_and_reasons_are_those_of_squeue(programs, tmp_path, monkeypatch) -> None:
    programs("sbatch", "echo job 7")
    monkeypatch.setattr("bench.engine.slurm.ASK_S", 0.0)
    made = backend(tmp_path)
    jobs = [tmp_path / f"{n}.job" for n in range(5)]
    made.submit(jobs, WorkerSettings())
    programs("squeue", "echo 'squeue: error: Socket timed out' >&2; exit 1")
    assert made.ended() == []
    assert made.waiting() == "Slurm (squeue of Slurm fails: Socket timed out)"
    rows = (
        "7_0|PENDING|Priority\n7_1|RUNNING|None\n7_2|COMPLETED|None\n7_4|RUNNING|None\n9|FAILED|x"
    )
    programs("squeue", f"printf '{rows}\\n'")
    assert made.ended() == [("7_2", None), ("7_3", None)]  # the latter is forgotten by now
    assert made.waiting() == "Slurm: 1 job pending (Priority), 2 running"
    (made.logs / "7_0_0_log.err").write_text("a\nslurmstepd: killed\n\n")
    rows = "7_0|OUT_OF_MEMORY|x\n7_1|PENDING|launch failed requeued held\n7_4|REQUEUED|None"
    programs("squeue", f"printf '{rows}\\n'")
    (lost, why), (held, held_why) = made.ended()
    assert (lost, held) == ("7_0", "7_1")
    assert why is not None
    assert why.startswith("it ran out of memory")
    assert why.endswith("its log ends with: slurmstepd: killed")
    assert held_why == "Slurm holds it back: launch failed requeued held"
    assert [*made.jobs] == ["7_4"]


def test_jobs_that_a_killed_command_left_are_cancelled_by_their_name(tmp_path, monkeypatch):
    asked: list[list[str]] = []
    monkeypatch.setattr(cluster, "ask", lambda command, **options: asked.append(command))
    submitted = tmp_path / "map-1" / "submitted"
    for folder in (submitted.parent, tmp_path / "logs"):
        folder.mkdir()
    submitted.write_text("chunk-1\n12_0\n12_1\n")
    cluster.cancel_left(tmp_path)
    assert asked == []  # of another engine
    submitted.write_text("12_0\n12_1\n")
    (tmp_path / "logs" / "12_submission.sh").touch()
    cluster.cancel_left(tmp_path)
    assert [f"--name={cluster.make_job_name(tmp_path)}" in command for command in asked] == [True]
