"""Judges: named sets of extractors. Numbers of different judges never share a table.

signal   onsets, cepstra (two kinds), spectrum: no network, no weights
paper    these, and the published networks of the paper's columns
mini     these, and small networks in the roles of the published ones, trained on the mini world
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.extras import describe_missing_module, has_module
from bench.judges.extractor import (
    AUDIO_REMARKS,
    VIDEO_REMARKS,
    ClipMedia,
    Extractor,
    Features,
    NetworkExtractor,
    Prepared,
    SignalExtractor,
)
from bench.judges.signal import has_pysptk, has_pyworld, signal_extractors
from bench.system import SecondsPerClip

__all__ = [
    "AUDIO_REMARKS",
    "JUDGES",
    "VIDEO_REMARKS",
    "Extractor",
    "Features",
    "Judge",
    "NetworkExtractor",
    "Prepared",
    "SignalExtractor",
    "ClipMedia",
    "has_pyworld",
    "open_judge",
]

JUDGES = ("signal", "paper", "mini")

#: Clips per batch: a CPU gains nothing from more, a GPU idles with fewer.
CPU_BATCH, GPU_BATCH = 4, 16

#: Guesses of the time of a judge's networks for a clip of 8 s and its truth, on all CPU cores or on
#: a GPU: the published ones have a billion parameters.
NETWORK_SECONDS = {"paper": SecondsPerClip(300.0, 2.0), "mini": SecondsPerClip(3.0, 0.5)}


@dataclass(frozen=True)
class Judge:
    """A set of extractors under one profile.

    ``weights`` is the folder of their checkpoints, ``device`` where the networks run, and
    ``network_seconds`` a guess of their time for one clip. Networks get ``batch_size`` clips at a
    time, which changes no number by more than rounding does. ``name`` tells approximate MCD apart:
    such numbers are another judge's. ``missing`` has one sentence for each extra of the package
    whose absence costs columns.
    """

    name: str
    profile: str
    extractors: tuple[Extractor, ...]
    weights: Path | None = None
    batch_size: int = CPU_BATCH
    device: str = "cpu"
    network_seconds: float = 0.0
    missing: tuple[str, ...] = ()

    def select(self, names: Iterable[str]) -> tuple[Extractor, ...]:
        """Return the extractors of these names and those whose features they read, in order."""
        # One step back suffices: extractors whose features others read, read none themselves.
        wanted = set(names)
        for extractor in self.extractors:
            if extractor.name in wanted:
                wanted.update(extractor.after)
        return tuple(each for each in self.extractors if each.name in wanted)


def open_judge(
    name: str,
    profile: str,
    weights: Path | None = None,
    device: str = "cpu",
    batch_size: int | None = None,
) -> Judge:
    """Return a judge; networks are loaded only when a worker opens their extractor.

    Without the extras that its columns need, the judge has the other extractors.

    Raises:
        BenchError: no such judge exists, or the batch size is not positive.
    """
    if name not in JUDGES:
        raise BenchError(f"no judge {name!r}; there are: {', '.join(JUDGES)}")
    if batch_size is None:
        batch_size = CPU_BATCH if device == "cpu" else GPU_BATCH
    if batch_size < 1:
        raise BenchError(f"a batch has at least one clip, not {batch_size}")
    signal = signal_extractors()
    # Without pysptk there is no MCD at all, so that nothing is approximate.
    label = name if has_pyworld() or not has_pysptk() else f"{name}, approximate MCD"
    missing = [_describe_missing("pysptk", "MCD")] if not has_pysptk() else []
    if name == "signal":
        return Judge(label, profile, signal, device=device, missing=tuple(missing))
    if not has_module("torch"):
        missing.append(_describe_missing("torch", f"the judge {name}"))
        return Judge(label, profile, signal, device=device, missing=tuple(missing))
    # Imported here: a judge without networks starts without their packages.
    directory: Path | None = None
    networks: tuple[NetworkExtractor, ...]
    if name == "mini":
        from bench.judges.mini import mini_extractors

        networks = mini_extractors(profile, device)
    else:
        from bench.checkpoints.registry import weights_directory
        from bench.judges.paper import paper_extractors

        directory = weights or weights_directory()
        networks = paper_extractors(profile, directory, device)
    return Judge(
        label,
        profile,
        (*signal, *networks),
        directory,
        batch_size,
        device,
        NETWORK_SECONDS[name].on(device),
        tuple(missing),
    )


def _describe_missing(module: str, purpose: str) -> str:
    return describe_missing_module(module, purpose) or module
