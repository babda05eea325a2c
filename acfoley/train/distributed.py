"""The processes that train together: those that torchrun started, or this one alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from bench.backbones.requirements import usable_device


@dataclass(frozen=True)
class ProcessGroup:
    """Process ``rank`` of ``size``, and the device that it computes on."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files of the run."""
        return self.rank == 0

    def sum(self, value: float) -> float:
        """Return the sum of a number over all processes."""
        if self.size == 1:
            return value
        # In float64, as Python's numbers are: float32 would round the losses of the log.
        tensor = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.all_reduce(tensor)
        return tensor.item()

    def gather(self, names: list[str]) -> list[str]:
        """Return the names of all processes, by rank."""
        if self.size == 1:
            return names
        # As objects, since processes have different numbers of names.
        found: list[list[str]] = [[] for _ in range(self.size)]
        distributed.all_gather_object(found, names)
        return [name for each in found for name in each]

    def wait(self) -> None:
        """Return when all processes have called this."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def join_process_group(device: str) -> Iterator[ProcessGroup]:
    """Join the processes that torchrun started; on ``cuda`` each takes the GPU of its local rank.

    Raises:
        BenchError: the device does not exist.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    rank, local = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
    own = usable_device(f"cuda:{local}" if device == "cuda" and size > 1 else device)
    if size == 1:
        yield ProcessGroup(0, 1, own)
        return
    # Before the group begins: collectives of objects use the current device, which is GPU 0 for all
    # processes until it is set.
    if own.type == "cuda":
        torch.cuda.set_device(own)
    distributed.init_process_group("nccl" if own.type == "cuda" else "gloo")
    try:
        yield ProcessGroup(rank, size, own)
    finally:
        distributed.destroy_process_group()
