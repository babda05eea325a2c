"""Which extractors look at a sound, and how it is handed to them.

An extractor turns one waveform into named arrays, the *features* that metrics read. Its version is
part of every cache key: raise it whenever the arrays change. A *judge* is a named set of
extractors; ``signal`` needs no network and no weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.types import Waveform

Features = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Extractor:
    """``extract``: mono waveform ``[T]`` at ``sample_rate_hz`` to named arrays."""

    name: str
    version: str
    sample_rate_hz: int
    extract: Callable[[Waveform], Features]


def _onset(waveform: Waveform) -> Features:
    from bench.metrics import onset_features

    return onset_features(waveform)


def _cepstra(waveform: Waveform) -> Features:
    from bench.metrics import (
        default_envelope,
        mel_cepstra,
        mel_cepstra_c1,
        stft_envelope,
        world_envelope,
    )

    envelope = world_envelope if default_envelope() == "world" else stft_envelope
    power = envelope(waveform)
    # c0.. in float64: the published path hangs on ties that rounding would break
    return {"cepstra": mel_cepstra(power), "cepstra_c1": mel_cepstra_c1(power).astype(np.float32)}


def _spectrum(waveform: Waveform) -> Features:
    from bench.metrics import envelope, log_mel

    return {"log_mel": log_mel(waveform), "envelope": envelope(waveform, SIGNAL_RATE_HZ)}


def has_world() -> bool:
    """Whether cepstra come from the WORLD envelope; without pyworld they are approximate."""
    return find_spec("pyworld") is not None


#: librosa's default rate, at which onset detection and MCD are defined.
SIGNAL_RATE_HZ = 22_050

EXTRACTORS = {
    extractor.name: extractor
    for extractor in (
        Extractor("onset", "1", SIGNAL_RATE_HZ, _onset),
        Extractor("cepstra", "1" if has_world() else "1-approximate", SIGNAL_RATE_HZ, _cepstra),
        Extractor("spectrum", "1", SIGNAL_RATE_HZ, _spectrum),
    )
}

JUDGES: dict[str, tuple[str, ...]] = {"signal": tuple(EXTRACTORS)}


def extractors(names: Iterable[str]) -> tuple[Extractor, ...]:
    """Return the extractors of these names, in the order of the table."""
    wanted = set(names)
    return tuple(extractor for name, extractor in EXTRACTORS.items() if name in wanted)
