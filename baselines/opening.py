"""The ``open`` of systems that have nothing to load."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bench.system import Generate, one_by_one
from bench.types import Audio, Request


def nothing_to_load(function: Callable[[Request], Audio]) -> Callable[[str], Generate]:
    """Return an ``open`` for a module-level function of one request, whatever the device."""
    return partial(_open, function)


def _open(function: Callable[[Request], Audio], device: str) -> Generate:
    return one_by_one(function)
