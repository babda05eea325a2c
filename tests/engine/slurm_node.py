"""A Slurm cluster of one node on this machine: Debian's ``slurm-wlm``, with files in one folder.

It needs no munge and no account: ``auth/none`` trusts everyone here. For a shell with it,

    python -m tests.engine.slurm_node FOLDER
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo")

#: A job that is begun again waits for the credentials of the first one to expire, 120 s by default.
#: Two partitions; the node claims four cores and two GPUs, whatever the machine has.
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
AuthInfo=cred_expire=5
CredType=cred/none
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
MinJobAge=30
KillWait=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
GresTypes=gpu
NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={node_port} CPUs=4 Gres=gpu:2
PartitionName=main Nodes={node} Default=YES MaxTime=120 State=UP OverSubscribe=NO
PartitionName=closed Nodes={node} State=DOWN
"""


def why_not() -> str | None:
    """Return why there can be no node here, None if there can."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if missing:
        return f"slurm-wlm is not installed: no {missing[0]}"
    if os.getuid() != 0:
        return "slurmd starts jobs as their user, and so runs as root"
    return None


@contextmanager
def slurm_node(folder: Path) -> Iterator[dict[str, str]]:
    """Start a controller and a node; yield the variables with which commands reach them.

    Raises:
        RuntimeError: they do not start; with the end of the logs.
    """
    for each in (folder / "state", folder / "spool"):
        each.mkdir(parents=True, exist_ok=True)
    ports = [_free_port() for _ in range(2)]
    text = CONFIGURATION.format(
        folder=folder,
        host=socket.gethostname(),
        node="node1",
        user="root",
        port=ports[0],
        node_port=ports[1],
    )
    (folder / "slurm.conf").write_text(text)
    for index in range(2):
        (folder / f"gpu{index}").touch()
    (folder / "gres.conf").write_text(f"Name=gpu File={folder}/gpu[0-1]\n")
    variables = {
        "SLURM_CONF": str(folder / "slurm.conf"),
        "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
    }
    environment = {**os.environ, **variables}
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        for command in (["slurmctld", "-D", "-c"], ["slurmd", "-D", "-N", "node1"]):
            with (folder / f"{command[0]}.out").open("wb") as out:
                daemons.append(subprocess.Popen(command, env=environment, stdout=out, stderr=out))
        _wait_until_idle(folder, environment)
        yield variables
    finally:
        subprocess.run(["scancel", "--user=root"], env=environment, capture_output=True, timeout=30)
        time.sleep(1)
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
        for daemon in daemons:
            try:
                daemon.wait(15)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _wait_until_idle(folder: Path, environment: dict[str, str]) -> None:
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        found = subprocess.run(
            ["sinfo", "-h", "-p", "main", "-o", "%t"],
            env=environment,
            capture_output=True,
            text=True,
        )
        if found.stdout.strip() == "idle":
            return
        time.sleep(0.5)
    logs = [path.read_text()[-1500:] for path in sorted(folder.glob("*.log"))]
    raise RuntimeError("the node of Slurm does not start:\n" + "\n".join(logs))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    with slurm_node(Path(sys.argv[1]).absolute()) as found:
        subprocess.run([os.environ.get("SHELL", "sh")], env={**os.environ, **found})
