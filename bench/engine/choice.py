"""Which engine a run uses, and what it needs: options of the command line, checked before any work.

Nothing of Slurm or Ray is imported unless it is chosen.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.engine import Engine, open_engine
from bench.errors import BenchError, MissingError
from bench.extras import describe_missing_module, has_module
from bench.terminal import print_notice

ENGINES = ("local", "slurm", "ray")

#: The module behind an engine that is an extra.
MODULES = {"slurm": "submitit", "ray": "ray"}

#: Options of ``sbatch`` that have an option of their own here.
OWN_OPTIONS = {
    "partition": "--partition",
    "gpus_per_node": "--gpus-per-node",
    "gpus-per-node": "--gpus-per-node",
    "nodes": "--nodes",
}


@dataclass(frozen=True)
class SlurmOptions:
    """What jobs are asked for: ``nodes`` is how many run at a time, each on a node of its own.

    ``extra`` are further options of ``sbatch`` by name (account, qos, time, mem, constraint).
    """

    partition: str | None = None
    gpus_per_node: int | None = None
    nodes: int | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EngineChoice:
    """An engine by its name, and its options; ``ray_address`` "" is a cluster of this machine.

    ``workers`` is the most workers that a cluster runs, None for as many as it has room for.
    """

    name: str = "local"
    workers: int | None = None
    slurm: SlurmOptions = SlurmOptions()
    ray_address: str = ""

    @property
    def is_remote(self) -> bool:
        """Whether workers may be on other machines."""
        return self.name != "local"

    def open(self, workers: int, folder: Path) -> Engine:
        """Return the engine: ``workers`` processes here, or jobs whose files are in ``folder``."""
        if self.name == "local":
            return open_engine(workers)
        from bench.engine.chunked import ChunkedEngine

        if self.name == "ray":
            from bench.engine.ray_cluster import RayBackend

            return ChunkedEngine(RayBackend(self.ray_address, self.workers), folder, print_notice)
        from bench.engine.slurm import SlurmBackend

        return ChunkedEngine(SlurmBackend(self.slurm, folder, self.workers), folder, print_notice)

    @contextmanager
    def session(self) -> Iterator[None]:
        """Keep what several maps share until the end: with Ray, the connection, once it is made."""
        if self.name != "ray":
            yield
            return
        from bench.engine.ray_connection import disconnect, share

        share()
        try:
            yield
        finally:
            disconnect()

    def require_ready(self, *devices: str) -> None:
        """Refuse a cluster on which every clip would fail.

        Raises:
            BenchError: it cannot be used from here, or has no GPU and one of ``devices`` is one.
        """
        needs_gpu = any(device != "cpu" for device in devices)
        if numbered := [device for device in devices if ":" in device]:
            raise BenchError(
                f"{numbered[0]} is a GPU of one machine; with --engine {self.name}, which gives "
                "each worker a GPU of its own, the device is cuda"
            )
        if self.name == "ray":
            from bench.engine.ray_cluster import check_ray

            check_ray(self.ray_address, self.workers, needs_gpu=needs_gpu)
        else:
            from bench.engine.slurm_check import check_slurm

            check_slurm(self.slurm, needs_gpu=needs_gpu)


LOCAL = EngineChoice()


def choose_engine(
    name: EngineChoice | str = "local",
    *,
    workers: int | None = None,
    partition: str | None = None,
    gpus_per_node: int | None = None,
    nodes: int | None = None,
    slurm: Sequence[str] | None = None,
) -> EngineChoice:
    """Return the choice that options make; one that is made already stays as it is.

    ``slurm`` are further options of ``sbatch`` as ``KEY=VALUE``. The environment variable
    ``RAY_ADDRESS`` names a Ray cluster; without it, or with ``local``, one is started here.

    Raises:
        BenchError: no such engine, options of another engine, or a package is not installed.
    """
    if isinstance(name, EngineChoice):
        return name if workers is None else replace(name, workers=workers)
    if name not in ENGINES:
        raise BenchError(f"no engine {name!r}; there are: {', '.join(ENGINES)}")
    given = {
        "--partition": partition,
        "--gpus-per-node": gpus_per_node,
        "--nodes": nodes,
        "--slurm": slurm or None,
    }
    if name != "slurm" and (used := [key for key, value in given.items() if value is not None]):
        raise BenchError(f"{used[0]} is an option of --engine slurm, and the engine is {name}")
    if name == "local":
        return LOCAL
    if not has_module(MODULES[name]):
        raise MissingError(str(describe_missing_module(MODULES[name], f"--engine {name}")))
    if workers == 0:
        raise BenchError(f"--workers 0 works in this process; --engine {name} needs at least 1")
    if name == "ray":
        address = _check_address(os.environ.get("RAY_ADDRESS", ""))
        return EngineChoice(name, workers, ray_address=address)
    options = SlurmOptions(partition, gpus_per_node, nodes, _parse_options(slurm or ()))
    return EngineChoice(name, workers, options)


def _parse_options(pairs: Sequence[str]) -> dict[str, str]:
    """Return the further options of ``sbatch``.

    Raises:
        BenchError: one is not KEY=VALUE, is given twice, or has an option of its own.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        key = key.strip().removeprefix("--")
        if not key or not value:
            raise BenchError(f"--slurm {pair!r} is not KEY=VALUE, for instance --slurm account=lab")
        if key in OWN_OPTIONS:
            raise BenchError(f"--slurm {pair}: {OWN_OPTIONS[key]} {value} does that")
        if key in found:
            raise BenchError(f"--slurm {key} is given twice: {found[key]} and {value}")
        found[key] = value
    return found


def _check_address(address: str) -> str:
    """Return the address of a cluster, "" for one of this machine.

    Raises:
        BenchError: it is none, or one of the client protocol.
    """
    if address in ("", "local"):
        return ""
    if "://" in address:
        raise BenchError(
            f"RAY_ADDRESS is {address}, of Ray's client, which does not share files with the "
            "cluster: run the command on a node of it, with RAY_ADDRESS=auto"
        )
    port = address.rpartition(":")[2]
    if address != "auto" and (":" not in address or not port.isdigit()):
        raise BenchError(f"RAY_ADDRESS is {address!r}, expected HOST:PORT, auto or local")
    return address
