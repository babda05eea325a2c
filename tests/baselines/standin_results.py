"""What a stand-in has left: files of its checkout, logs, and samples that show their origin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.isolation.state import read_state, system_folder
from bench.types import Audio


def list_checkout(name: str) -> dict[str, bytes]:
    """The files of a checkout; systems must leave it as it is, but for Python's caches."""
    checkout = get_checkout(name)
    return {
        str(path.relative_to(checkout)): path.read_bytes()
        for path in checkout.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def get_checkout(name: str) -> Path:
    state = read_state(name)
    assert state is not None
    return Path(state.checkout)


def read_logs(name: str) -> str:
    return "".join(path.read_text() for path in system_folder(name).glob("logs/*.log"))


def get_peaks(results: Sequence[object]) -> list[float]:
    """The peak of every sample, by which stand-ins tell what a sample was made from."""
    return [
        round(float(np.abs(each.samples).max()), 2) if isinstance(each, Audio) else -1.0
        for each in results
    ]


def describe_failures(results: Sequence[object]) -> list[str]:
    """Why each clip failed; "" for one that has its sample."""
    return ["" if isinstance(each, Audio) else str(each) for each in results]
