"""What the nodes of a Ray cluster have, and what an actor reserves of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from bench.engine.settings import WorkerSettings

#: The size of a GPU is asked of a node that may have none free.
MEASURE_S = 30.0


class Need(NamedTuple):
    """What Ray reserves for an actor: cores, and GPUs, which may be a part of one."""

    cpus: int
    gpus: float

    def __str__(self) -> str:
        return f"{self.cpus} CPUs" + (f" and {self.gpus:g} GPUs" if self.gpus else "")


def choose_need(settings: WorkerSettings, nodes: Sequence[Mapping[str, float]]) -> Need:
    """Return what one worker needs, and no more cores than go with its GPU on the largest node.

    >>> choose_need(WorkerSettings(cpus=8, gpus=1.0), [{"CPU": 16, "GPU": 4}]).cpus
    4
    """
    n_gpus = max((node.get("GPU", 0.0) for node in nodes), default=0.0)
    if settings.gpus and n_gpus:
        shares = (
            int(node.get("CPU", 0.0) * settings.gpus / node["GPU"])
            for node in nodes
            if node.get("GPU")
        )
    else:
        shares = (int(node.get("CPU", 0.0)) for node in nodes)
    most = max(1, max(shares, default=1))
    return Need(min(settings.cpus or most, most), settings.gpus)


def count_places(need: Need, nodes: Sequence[Mapping[str, float]]) -> int:
    """Return how many actors fit on these nodes at the same time.

    >>> count_places(Need(1, 0.5), [{"CPU": 16, "GPU": 2}, {"CPU": 16}])
    4
    """
    total = 0
    for node in nodes:
        by_cpu = int(node.get("CPU", 0.0) // need.cpus)
        if need.gpus:
            n_gpus = int(node.get("GPU", 0.0))
            by_gpu = n_gpus * int(1 / need.gpus) if need.gpus <= 1 else int(n_gpus // need.gpus)
            by_cpu = min(by_cpu, by_gpu)
        total += by_cpu
    return total


def describe_nodes(nodes: Sequence[Mapping[str, float]]) -> str:
    """Return the number of nodes, and what the largest has of each kind.

    >>> describe_nodes([{"CPU": 16, "GPU": 2}, {"CPU": 32}])
    '2 nodes with up to 32 CPUs and 2 GPUs'
    """
    cpus, gpus = (max((node.get(k, 0.0) for node in nodes), default=0.0) for k in ("CPU", "GPU"))
    what = "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
    return f"{what} with up to {cpus:g} CPUs and {gpus:g} GPUs"


def list_nodes() -> list[Mapping[str, float]]:
    """Return what each node that is alive has: ``CPU``, ``GPU`` and others of Ray."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def share_gpus(settings: WorkerSettings) -> WorkerSettings:
    """Return settings whose share of a GPU leaves each worker the memory that it needs, if known.

    An equal share each, since Ray counts GPUs and not their memory.
    """
    if not settings.gpus or settings.gpu_gib is None:
        return settings
    size = _gpu_gib()
    n_fitting = 1 if size is None else max(1, int(size / settings.gpu_gib))
    return replace(settings, gpus=max(settings.gpus, 1 / n_fitting))


@cache
def _gpu_gib() -> float | None:
    """Return the memory of a GPU of the cluster; None where no node answers in time."""
    import ray

    found = ray.remote(num_cpus=0, num_gpus=0.01, max_retries=0)(measure_gpu).remote()
    if not ray.wait([found], timeout=MEASURE_S)[0]:
        ray.cancel(found, force=True)
        return None
    try:
        size: float | None = ray.get(found)
    except ray.exceptions.RayError:
        return None
    return size


def measure_gpu() -> float | None:
    """Return the memory of the GPU that this process was given, in GiB; None without one."""
    import torch

    if not torch.cuda.is_available():
        return None
    return float(torch.cuda.get_device_properties(0).total_memory / 2**30)
