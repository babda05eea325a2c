"""The extractors that need no network: onsets, cepstra, spectrum."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import metadata
from importlib.util import find_spec

import numpy as np

from bench.judges.extractor import ClipMedia, Extract, Features, SignalExtractor
from bench.types import Waveform

#: Raised when what is extracted changes.
PREPROCESSING = "2"

#: librosa's default rate, at which onset detection and MCD are defined.
SIGNAL_RATE_HZ = 22_050


def has_pyworld() -> bool:
    """Whether cepstra come from the WORLD envelope; without pyworld they are approximate."""
    return find_spec("pyworld") is not None


def _onset(waveform: Waveform) -> Features:
    from bench.metrics import onset_features

    return onset_features(waveform)


def _cepstra(waveform: Waveform) -> Features:
    from bench.metrics import default_envelope, mel_cepstra, mel_cepstra_c1, steady_envelope
    from bench.metrics.mcd import ENVELOPES

    source = default_envelope()
    steady = mel_cepstra_c1(steady_envelope(waveform, source))
    # c0.. in float64: the published path hangs on ties that rounding would break
    return {
        "cepstra": mel_cepstra(ENVELOPES[source](waveform)),
        "cepstra_c1": steady.astype(np.float32),
    }


def _spectrum(waveform: Waveform) -> Features:
    from bench.metrics import envelope, log_mel

    return {"log_mel": log_mel(waveform), "envelope": envelope(waveform, SIGNAL_RATE_HZ)}


def _hear(extract: Callable[[Waveform], Features], media: ClipMedia) -> Features:
    return extract(media.signal(SIGNAL_RATE_HZ))


def _open(extract: Callable[[Waveform], Features]) -> Extract:
    return partial(_hear, extract)


def signal_extractors() -> tuple[SignalExtractor, ...]:
    """The three extractors; their versions name the packages that decide their numbers."""
    cepstra = ("pysptk", "pyworld") if has_pyworld() else ("pysptk", "librosa")
    return (
        SignalExtractor("onset", _version("librosa"), open=partial(_open, _onset)),
        SignalExtractor("cepstra", _version(*cepstra), open=partial(_open, _cepstra)),
        SignalExtractor("spectrum", _version("librosa"), open=partial(_open, _spectrum)),
    )


def _version(*packages: str) -> str:
    used = [f"{name}-{metadata.version(name)}" for name in ("soxr", *packages)]
    return "-".join([PREPROCESSING, *used])
