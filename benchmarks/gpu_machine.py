"""What the parts of ``gpu_check`` share: the device that is checked, and the rows of the table."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from benchmarks.flow_speed import matrix_peak

BATCHES = (1, 8, 32)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Status = Literal["ok", "failed", "missing", "skipped"]


@dataclass(frozen=True)
class Row:
    """One line: a number with its unit and the ``limit`` that it must not pass, if it has one."""

    part: str
    name: str
    status: Status = "ok"
    value: float | None = None
    unit: str = ""
    limit: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Machine:
    """The device that is checked; ``is_small`` takes networks of a few layers, for a CPU."""

    device: str
    is_small: bool = False

    @property
    def is_gpu(self) -> bool:
        """Whether there is a GPU to wait for, whose memory is counted."""
        return self.device != "cpu"

    @property
    def seconds(self) -> float:
        """Length of the clips."""
        return 1.0 if self.is_small else 8.0

    @property
    def batches(self) -> tuple[int, ...]:
        """Clips that are generated at once."""
        return (1, 2) if self.is_small else BATCHES

    def synchronise(self) -> None:
        """Wait until the GPU has done what it was given."""
        if self.is_gpu:
            torch.cuda.synchronize(self.device)

    def time(self, work: Callable[[], object], least_s: float = 1.0) -> float:
        """Seconds of one ``work``, the best of as many as take ``least_s``, after a first one."""
        work()
        self.synchronise()
        taken: list[float] = []
        while not taken or (sum(taken) < least_s and not self.is_small and len(taken) < 50):
            started = time.perf_counter()
            work()
            self.synchronise()
            taken.append(time.perf_counter() - started)
        return min(taken)

    def peak_gib(self, work: Callable[[], object]) -> float:
        """Most memory that is used while ``work`` runs; 0 on a CPU."""
        if not self.is_gpu:
            work()
            return 0.0
        torch.cuda.reset_peak_memory_stats(self.device)
        work()
        return torch.cuda.max_memory_allocated(self.device) / 2**30

    def peak_flops(self, dtype: torch.dtype) -> float:
        """Operations per second of a large matrix product of this type."""
        return matrix_peak(dtype, self.device, 1024 if self.is_small else 8192)
