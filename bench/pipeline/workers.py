"""How many copies of a model run at once, on which devices, and how long an item may take."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench.checkpoints.registry import OFFICIAL_FILES
from bench.engine import WorkerSettings, core_count
from bench.pipeline.roles import Scoring
from bench.system import System

#: Networks whose official files have no more than this in all are copied into every worker. Each
#: published one has hundreds of megabytes; those that come with the package are no official files.
SMALL_NETWORKS_BYTES = 100_000_000

#: Guesses of the seconds per clip on one core of a laptop, without the judge's networks.
EXTRACT_SECONDS = 1.2
SCORE_SECONDS = 0.05

#: Rates are per clip of this length.
RATE_CLIP_SECONDS = 8.0

#: A limit is for what hangs, not for what is slow: other machines, a full disk or the first clip,
#: for which kernels are compiled, take many times what was expected.
SHORTEST_TIMEOUT_S = 120.0
EXPECTED_TIMES = 20.0

#: On a busy machine the first clip of a worker alone can take minutes: libraries load, and kernels
#: are compiled. A limit that the user sets counts for it too.
FIRST_TIMEOUT_S = 600.0

TIMEOUT_OPTION = "--timeout"


@dataclass(frozen=True)
class Placement:
    """The workers that generate: worker ``i`` opens the system on ``devices[i % len(devices)]``.

    With ``n_workers`` 0 the system is opened in this process, on the first device. ``threads`` is
    the number of threads of each worker.
    """

    n_workers: int
    devices: tuple[str, ...]
    threads: int

    @property
    def n_models(self) -> int:
        """How many copies of the system there are."""
        return max(1, self.n_workers)

    @property
    def n_at_once(self) -> int:
        """How many times one copy's rate they make together: copies on one GPU share it."""
        is_cpu = self.devices == ("cpu",)
        return self.n_models if is_cpu else min(self.n_models, len(self.devices))


def place_system(system: System, device: str, workers: int) -> Placement:
    """Decide where the copies of a system run.

    ``cuda`` means all GPUs that are visible, ``cuda:1`` and ``cpu`` just that device. ``workers``
    is the most there may be. A system that declares ``workers_per_device`` gets no more than that
    on each device, and on a CPU its workers share the cores. Any other has one thread per worker,
    so that its samples are equal to the bit whatever the number of workers. No GPU gets more copies
    than fit into its memory, where the system declares what one needs.
    """
    devices = visible_devices(device)
    limits = [system.workers_per_device, _fitting_copies(system, devices)]
    n_workers = min([workers, *(len(devices) * each for each in limits if each is not None)])
    if system.workers_per_device is None:
        return Placement(n_workers, devices, threads=1)
    return Placement(n_workers, devices, max(1, core_count() // max(1, n_workers)))


#: Cores that go with one GPU of a cluster, for what decodes and prepares while it computes; with
#: large networks on a CPU so many for each copy. No more than a node has.
CPUS_FOR_SYSTEM = 2
CPUS_FOR_NETWORKS = 8


#: So many copies of a system that declares its memory alone may share one GPU.
MOST_COPIES = 16


def place_remote_system(system: System, device: str, settings: WorkerSettings) -> WorkerSettings:
    """Return the settings of workers of a cluster, each of which sees only the GPU it was given.

    Copies of a system share a GPU where it declares how many may, and its memory has room for them;
    any other has a GPU for itself. On a CPU a system that declares one worker per device has all
    cores of a node, others one each.
    """
    settings = replace(settings, devices=(device,), threads=1)
    most = system.workers_per_device
    if device == "cpu":
        return settings if most is None else replace(settings, cpus=0, threads=None)
    needed_gib = system.needed_memory_gib()
    most = most or (1 if needed_gib is None else MOST_COPIES)
    return replace(settings, cpus=CPUS_FOR_SYSTEM, gpus=1 / most, gpu_gib=needed_gib)


def place_networks(device: str, settings: WorkerSettings) -> WorkerSettings:
    """Return the settings of workers of a cluster that have large networks: a GPU for each."""
    return replace(settings, cpus=CPUS_FOR_NETWORKS, gpus=0.0 if device == "cpu" else 1.0)


def _fitting_copies(system: System, devices: tuple[str, ...]) -> int | None:
    """Return how many copies fit on the smallest of the GPUs, at least 1; None where unknown."""
    needed_gib = system.needed_memory_gib()
    if needed_gib is None or devices == ("cpu",):
        return None
    memory_gib = [gpu_memory_gib(device) for device in devices]
    found = [each for each in memory_gib if each is not None]
    return max(1, int(min(found) / needed_gib)) if found else None


def gpu_memory_gib(device: str) -> float | None:
    """Return the size of a GPU's memory; None where there is no such GPU."""
    import torch

    index = torch.device(device).index or 0
    if index >= torch.cuda.device_count():
        return None
    return float(torch.cuda.get_device_properties(index).total_memory / 2**30)


def visible_devices(device: str) -> tuple[str, ...]:
    """Return the devices that ``cpu``, ``cuda`` or ``cuda:1`` stands for.

    >>> visible_devices("cpu")
    ('cpu',)
    """
    if device != "cuda":
        return (device,)
    import torch

    # Where none is visible the system itself refuses, with the reason.
    return tuple(f"cuda:{index}" for index in range(torch.cuda.device_count())) or (device,)


def are_networks_small(scoring: Scoring) -> bool:
    """Return whether each worker process can have a copy of the networks that the metrics need.

    Small networks gain nothing from several threads, while every worker computes with its own. Of
    large ones each copy would cost gigabytes, and on a GPU copies would only wait for one another.
    Without any there is nothing to copy, whatever the device.
    """
    if not scoring.networks():
        return True
    sizes = [OFFICIAL_FILES[name].size_bytes for name in scoring.weights()]
    is_known = all(size is not None for size in sizes)
    total = sum(size or 0 for size in sizes)
    return scoring.judge.device == "cpu" and is_known and total <= SMALL_NETWORKS_BYTES


def limit_time(asked_s: float | None, default_s: float) -> WorkerSettings:
    """Return settings with the limit per item that the user asked for, or with the default one."""
    if asked_s is not None:
        return WorkerSettings(timeout_s=asked_s, timeout_option=TIMEOUT_OPTION)
    return WorkerSettings(
        timeout_s=default_s, first_timeout_s=FIRST_TIMEOUT_S, timeout_option=TIMEOUT_OPTION
    )


def default_timeout_s(seconds_per_clip: float, clip_seconds: float) -> float:
    """Return the limit for clips of this length, from the expected time per clip of 8 s."""
    expected_s = seconds_per_clip * clip_seconds / RATE_CLIP_SECONDS
    return max(SHORTEST_TIMEOUT_S, EXPECTED_TIMES * expected_s)


def extract_timeout_s(scoring: Scoring, clip_seconds: float) -> float:
    """Return the default limit for extraction; the networks of the judge are what takes long."""
    networks_s = scoring.judge.network_seconds if scoring.networks() else 0.0
    return default_timeout_s(EXTRACT_SECONDS + networks_s, clip_seconds)


#: Metrics are functions of arrays that are in memory, and take far less than the shortest limit.
SCORE_TIMEOUT_S = default_timeout_s(SCORE_SECONDS, RATE_CLIP_SECONDS)
