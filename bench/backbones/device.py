"""Whether a device can be used, before anything is loaded onto it."""

from __future__ import annotations

import torch

from bench.errors import BenchError


def usable_device(name: str) -> torch.device:
    """Return the device called ``name``: cpu, cuda, cuda:1.

    Raises:
        BenchError: this machine has no such device.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BenchError(f"no device {name!r}: use cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise BenchError(f"no device {name!r}: use cpu, cuda or cuda:N")
    # torch.device("cuda:7") succeeds without such a GPU and fails only when a tensor is moved.
    n_gpus = torch.cuda.device_count() if device.type == "cuda" else 0
    if device.type == "cuda" and (device.index or 0) >= n_gpus:
        raise BenchError(f"no device {name!r}: this machine has {n_gpus} GPUs; use cpu")
    return device
