"""Options of Slurm, checked before any work: whether jobs can come of them, within a minute."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.engine import slurm_cluster as cluster
from bench.engine.choice import SlurmOptions
from bench.errors import BenchError

#: Options of ``sbatch`` that decide how chunks become jobs.
RESERVED = {
    "array",
    "chdir",
    "clusters",
    "error",
    "gpus",
    "gpus-per-task",
    "job-name",
    "nodes",
    "ntasks",
    "ntasks-per-node",
    "open-mode",
    "output",
    "signal",
    "test-only",
    "wait",
    "wrap",
}
#: What jobs of this machine can be given.
LOCAL_OPTIONS = {"cluster", "time", "cpus-per-task"}


def check_slurm(options: SlurmOptions, *, needs_gpu: bool) -> None:
    """Refuse options of which no job can come, within a minute.

    Raises:
        BenchError: there is no Slurm here, it does not answer, or would never take such jobs.
    """
    kind = options.extra.get("cluster", "slurm")
    if kind not in ("slurm", "local"):
        raise BenchError(f"--slurm cluster={kind}: there are slurm and local")
    _check_values(options)
    if needs_gpu and options.gpus_per_node is None:
        raise BenchError(
            "--device cuda needs a GPU: --gpus-per-node sets how many of a node each job gets"
        )
    if kind == "local":
        _check_local(options, needs_gpu=needs_gpu)
        return
    cluster.require_commands()
    nodes = cluster.read_nodes(options.partition)
    _check_nodes(nodes, options, needs_gpu=needs_gpu)
    given = {key: value for key, value in options.extra.items() if key not in ("cluster", "gres")}
    given["time"] = str(cluster.limit_minutes(nodes, given.get("time")))
    if needs_gpu and "gres" in options.extra:
        given["gres"] = options.extra["gres"]
    elif needs_gpu:
        given["gpus-per-node"] = str(options.gpus_per_node)
    if options.partition:
        given["partition"] = options.partition
    cluster.try_submission([f"--{key}={value}" for key, value in given.items()])


def _check_nodes(nodes: Sequence[cluster.Nodes], options: SlurmOptions, *, needs_gpu: bool) -> None:
    where = f"the partition {', '.join(sorted({each.partition for each in nodes}))}"
    most = max(each.gpus for each in nodes)
    if needs_gpu and (options.gpus_per_node or 0) > most:
        raise BenchError(
            f"--gpus-per-node {options.gpus_per_node}: no node of {where} has more than {most} GPUs"
        )
    limits = [each.limit_min for each in nodes]
    longest = max((each for each in limits if each is not None), default=0)
    given = options.extra.get("time")
    if given and None not in limits and cluster.parse_minutes(given) > longest:
        raise BenchError(f"--slurm time={given}: jobs of {where} end after {longest} minutes")


def _check_values(options: SlurmOptions) -> None:
    for name, number in (("--nodes", options.nodes), ("--gpus-per-node", options.gpus_per_node)):
        if number is not None and number < 1:
            raise BenchError(f"{name} is {number}, expected at least 1")
    for key, value in options.extra.items():
        _check_extra(key, value)


def _check_extra(key: str, value: str) -> None:
    what = f"--slurm {key}={value}"
    if not re.fullmatch(r"[a-z][a-z-]*", key):
        hint = f": did you mean {key.replace('_', '-')}?" if "_" in key else ""
        raise BenchError(f"{what}: {key!r} is no option of sbatch{hint}")
    if key in RESERVED:
        raise BenchError(f"{what}: {key} is set for each job by itself")
    if not value.isprintable():
        raise BenchError(f"--slurm {key}={value!r} has characters that cannot be printed")
    if key == "time":
        cluster.parse_minutes(value)
    if key == "cpus-per-task" and not re.fullmatch(r"[1-9]\d*", value):
        raise BenchError(f"{what} is no number of cores")


def _check_local(options: SlurmOptions, *, needs_gpu: bool) -> None:
    others = sorted({*options.extra} - LOCAL_OPTIONS)
    if others or options.partition:
        name = f"--slurm {others[0]}" if others else "--partition"
        raise BenchError(f"{name} is for Slurm, and --slurm cluster=local runs jobs here")
    if needs_gpu:
        import torch

        if (options.gpus_per_node or 0) > torch.cuda.device_count():
            raise BenchError(
                f"--gpus-per-node {options.gpus_per_node}: this machine has "
                f"{torch.cuda.device_count()} GPUs"
            )
