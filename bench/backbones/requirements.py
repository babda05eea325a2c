"""What the networks need of this machine: a usable device, and the packages that define them.

Checked before gigabytes are read, so that a refusal is one sentence and comes at once.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch

from bench.errors import BenchError, MissingError
from bench.extras import describe_missing_module


def usable_device(name: str) -> torch.device:
    """Return the device called ``name``: cpu, cuda, cuda:1.

    Raises:
        BenchError: this machine has no such device.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BenchError(f"no device {name!r}: use cpu, cuda or cuda:N") from error
    # torch knows a dozen more (mps, xpu, meta), none of which the networks were tested on.
    if device.type not in ("cpu", "cuda"):
        raise BenchError(f"no device {name!r}: use cpu, cuda or cuda:N")
    # torch.device("cuda:7") succeeds without such a GPU and fails only when a tensor is moved.
    n_gpus = torch.cuda.device_count() if device.type == "cuda" else 0
    if device.type == "cuda" and (device.index or 0) >= n_gpus:
        raise BenchError(f"no device {name!r}: this machine has {n_gpus} GPUs; use cpu")
    return device


@cache
def import_published(package: str, module: str) -> Any:
    """Import ``package.module`` without running the ``__init__`` of ``package``.

    The module belongs to the backbones alone: ``sys.modules[package]`` stays free for other code
    that imports the package as usual, and attributes that a backbone changes affect nobody else.

    Raises:
        MissingError: the package is not installed.
    """
    # panns_inference/__init__.py downloads a list of labels into the home directory with wget, that
    # of torchvggish compiles a resampler (0.3 s) which no network needs. A parent module under
    # another name, with the package's path, lets the relative imports inside the package resolve.
    spec = find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        raise MissingError(describe_missing_module(package, "the judge paper") or package)
    # One parent for all modules of a package: a second one would lack the first one's submodules,
    # and threads that prepare clips may ask for different modules at once.
    parent = sys.modules.setdefault(
        f"_published_{package}", ModuleType(f"_published_{package}", f"Stands for {package}.")
    )
    parent.__path__ = list(spec.submodule_search_locations)
    return import_module(f"{parent.__name__}.{module}")
