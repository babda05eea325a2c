"""Judges: named sets of extractors. Numbers of different judges never share a table.

signal   onsets, cepstra, spectrum: no network, no weights
paper    these, and the published networks of the paper's columns
mini     these, and small networks in the roles of the published ones, taught on the mini world
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.judges.extractor import (
    ClipMedia,
    Extractor,
    Features,
    NetworkExtractor,
    Prepared,
    SignalExtractor,
)
from bench.judges.remarks import AUDIO_REMARKS, VIDEO_REMARKS
from bench.judges.signal import has_pyworld, signal_extractors
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

#: Clips that a network is given at a time: a CPU gains nothing from more, a GPU idles with fewer.
CPU_BATCH, GPU_BATCH = 4, 16

#: Guesses of what all networks of a judge take for a clip of 8 s and its truth, on all CPU cores or
#: on a GPU: the published ones have a billion parameters.
NETWORK_SECONDS = {"paper": SecondsPerClip(300.0, 2.0), "mini": SecondsPerClip(3.0, 0.5)}


@dataclass(frozen=True)
class Judge:
    """A set of extractors under one profile; ``weights`` is where their checkpoints lie.

    ``device`` is where its networks run, ``network_seconds`` a guess of their time for one clip.

    Its name says so where MCD is only approximate: such numbers are another judge's. Networks are
    given ``batch_size`` clips at a time, which changes no number by more than rounding does.
    """

    name: str
    profile: str
    extractors: tuple[Extractor, ...]
    weights: Path | None = None
    batch_size: int = CPU_BATCH
    device: str = "cpu"
    network_seconds: float = 0.0

    def select(self, names: Iterable[str]) -> tuple[Extractor, ...]:
        """The extractors of these names and those whose features they are given, in order."""
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

    Raises:
        BenchError: there is no such judge, or the batch size is not positive.
    """
    if batch_size is None:
        batch_size = CPU_BATCH if device == "cpu" else GPU_BATCH
    if batch_size < 1:
        raise BenchError(f"a batch has at least one clip, not {batch_size}")
    signal = signal_extractors()
    label = name if has_pyworld() else f"{name}, approximate MCD"
    if name == "signal":
        return Judge(label, profile, signal, device=device)
    if name == "paper":
        from bench.checkpoints.registry import weights_directory
        from bench.judges.paper import paper_extractors

        directory = weights or weights_directory()
        networks = paper_extractors(profile, directory, device)
        extractors, seconds = (*signal, *networks), NETWORK_SECONDS[name].on(device)
        return Judge(label, profile, extractors, directory, batch_size, device, seconds)
    if name == "mini":
        from bench.judges.mini import mini_extractors

        networks = mini_extractors(profile, device)
        extractors, seconds = (*signal, *networks), NETWORK_SECONDS[name].on(device)
        return Judge(label, profile, extractors, None, batch_size, device, seconds)
    raise BenchError(f"no judge {name!r}; there are: {', '.join(JUDGES)}")
