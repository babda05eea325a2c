"""The extractors that need no network: onsets, cepstra, spectrum."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from bench.extras import has_module
from bench.judges.extractor import (
    ClipMedia,
    Extract,
    Features,
    SignalExtractor,
    name_versions,
)
from bench.types import Waveform

#: Raised when the values of a feature change.
PREPROCESSING = "2"

#: librosa's default rate, at which onset detection and MCD are defined.
SIGNAL_RATE_HZ = 22_050


def has_pysptk() -> bool:
    """Whether cepstra can be computed at all."""
    return has_module("pysptk")


def has_pyworld() -> bool:
    """Whether cepstra come from the WORLD envelope; without pyworld they are approximate."""
    return has_module("pyworld")


def _onset(waveform: Waveform) -> Features:
    from bench.metrics import onset_features

    return onset_features(waveform)


def _cepstra(waveform: Waveform) -> Features:
    from bench.metrics import default_envelope, mel_cepstra, mel_cepstra_c1, steady_envelope
    from bench.metrics.mcd import ENVELOPES

    source = default_envelope()
    steady = mel_cepstra_c1(steady_envelope(waveform, source))
    # In float64 on disk: the published alignment depends on ties, which rounding would break.
    return {
        "cepstra": mel_cepstra(ENVELOPES[source](waveform)),
        "cepstra_c1": steady.astype(np.float32),
    }


def _spectrum(waveform: Waveform) -> Features:
    from bench.metrics import envelope, log_mel

    return {"log_mel": log_mel(waveform), "envelope": envelope(waveform, SIGNAL_RATE_HZ)}


def _extract(compute: Callable[[Waveform], Features], media: ClipMedia) -> Features:
    return compute(media.signal(SIGNAL_RATE_HZ))


def _open(compute: Callable[[Waveform], Features]) -> Extract:
    return partial(_extract, compute)


def signal_extractors() -> tuple[SignalExtractor, ...]:
    """Return the three extractors, without that of cepstra where pysptk is not installed.

    Their versions name the packages that decide their numbers.
    """
    onset = SignalExtractor("onset", _version("librosa"), open=partial(_open, _onset))
    spectrum = SignalExtractor("spectrum", _version("librosa"), open=partial(_open, _spectrum))
    if not has_pysptk():
        return onset, spectrum
    packages = ("pysptk", "pyworld" if has_pyworld() else "librosa")
    cepstra = SignalExtractor("cepstra", _version(*packages), open=partial(_open, _cepstra))
    return onset, cepstra, spectrum


def _version(*packages: str) -> str:
    # soxr resamples the input of all of them.
    return "-".join([PREPROCESSING, *name_versions(("soxr", *packages))])
