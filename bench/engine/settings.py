"""How workers are set up and how much each of them is given."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class WorkerSettings:
    """What the workers of one map have and are given.

    - ``batch_size``: how many items a worker may answer at once.
    - ``ahead``: how many items a worker is given before it has answered; by default a batch.
      The work must not ask for more before it answers.
    - ``timeout_s``: how long one item may take. A worker may take as many times that as it holds
      items, up to a batch, until its next answer. None sets no limit.
    - ``first_timeout_s``: the least that a worker may take until its first answer, for which
      libraries load and kernels are compiled.
    - ``timeout_option``: the option that sets the limit, for the message of a failure.
    - ``threads``: threads of OpenMP, and so of torch, in each worker; None leaves the default of
      the libraries. BLAS always has one thread: sums in another order have other last digits.
    - ``devices``: where given, worker ``i`` calls ``factory(devices[i % len(devices)])``.

    The others are for engines of several machines:

    - ``cpus``: cores of one worker; 0 means all cores of a machine.
    - ``gpus``: the share of a GPU that one worker has; ``gpu_gib``, where known, is the memory that
      it needs there, by which several may share one.
    - ``key``: what the outcomes depend on beside the items. Where given, outcomes of a process that
      was stopped are taken for equal items under the same key; "" starts anew.
    """

    batch_size: int = 1
    ahead: int = 0
    timeout_s: float | None = None
    first_timeout_s: float = 0.0
    timeout_option: str = ""
    threads: int | None = 1
    devices: tuple[str, ...] = ()
    cpus: int = 1
    gpus: float = 0.0
    gpu_gib: float | None = None
    key: str = ""

    @property
    def n_ahead(self) -> int:
        """How many items a worker is given before it has answered."""
        return max(self.ahead, self.batch_size)

    def arguments(self, slot: int) -> tuple[str, ...]:
        """Return what the factory of worker number ``slot`` is called with."""
        return (self.devices[slot % len(self.devices)],) if self.devices else ()


def core_count() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _limits(threads: int | None) -> dict[str, int]:
    return {"blas": 1} | ({} if threads is None else {"openmp": threads})


def set_threads(threads: int | None) -> None:
    """Limit the threads of this process for good, for libraries that are loaded now or later."""
    from threadpoolctl import threadpool_limits

    # Libraries that are loaded later read the environment.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    threadpool_limits(limits=_limits(threads))
    if threads is not None and "torch" in sys.modules:
        # Its first computation would set the number that MKL chooses, the physical cores.
        sys.modules["torch"].set_num_threads(threads)


# Of malloc.h: the free memory at the end of the heap above which it is returned to the system, and
# the size from which an array gets pages of its own, which are returned as soon as it is freed.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory(trim_bytes: int = 64 * 2**20, mmap_bytes: int = 32 * 2**20) -> None:
    """Let this process reuse up to ``trim_bytes`` of freed memory, for good; glibc alone.

    Analysis of audio allocates and frees the same megabytes again and again. By default glibc
    returns them to the system each time, and the next clip pays for every page anew: 24,400 page
    faults in each call of WORLD's DIO, nearly half of its time.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # musl has no such function, and its own rules
        mallopt(_M_TRIM_THRESHOLD, trim_bytes)
        # By default it rises with the arrays that are freed; setting the other one ends that.
        mallopt(_M_MMAP_THRESHOLD, mmap_bytes)


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Limit the threads of libraries that are loaded now, as in a worker process."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=_limits(threads)):
        yield
