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
    Extractor,
    Features,
    NetworkExtractor,
    Prepared,
    SignalExtractor,
    Stimulus,
)
from bench.judges.remarks import AUDIO_REMARKS, VIDEO_REMARKS
from bench.judges.signal import has_world, signal_extractors

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
    "Stimulus",
    "has_world",
    "open_judge",
]

JUDGES = ("signal", "paper", "mini")

#: Clips that a network is given at a time: a CPU gains nothing from more, a GPU idles with fewer.
CPU_BATCH, GPU_BATCH = 4, 16


@dataclass(frozen=True)
class Judge:
    """A set of extractors under one profile; ``weights`` is where their checkpoints lie.

    Its name says so where MCD is only approximate: such numbers are another judge's. Networks are
    given ``batch_size`` clips at a time, which changes no number by more than rounding does.
    """

    name: str
    profile: str
    extractors: tuple[Extractor, ...]
    weights: Path | None = None
    batch_size: int = CPU_BATCH

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
    label = name if has_world() else f"{name}, approximate MCD"
    if name == "signal":
        return Judge(label, profile, signal)
    if name == "paper":
        from bench.backbones.weights import weights_directory
        from bench.judges.networks import network_extractors

        directory = weights or weights_directory()
        networks = network_extractors(profile, directory, device)
        return Judge(label, profile, (*signal, *networks), directory, batch_size)
    if name == "mini":
        from bench.judges.mini import mini_extractors

        return Judge(label, profile, (*signal, *mini_extractors(device)), batch_size=batch_size)
    raise BenchError(f"no judge {name!r}; there are: {', '.join(JUDGES)}")
