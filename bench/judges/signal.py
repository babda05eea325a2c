"""The extractors that need no network: onsets, cepstra, spectrum."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.extras import has_module
from bench.judges.extractor import (
    ClipMedia,
    Features,
    SignalExtractor,
    name_versions,
    open_function,
)

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


def _onset(media: ClipMedia) -> Features:
    from bench.metrics import onset_features

    return onset_features(media.signal(SIGNAL_RATE_HZ))


def _cepstra(media: ClipMedia) -> Features:
    from bench.metrics import default_envelope, mel_cepstra
    from bench.metrics.mcd import ENVELOPES

    spectra = ENVELOPES[default_envelope()](media.signal(SIGNAL_RATE_HZ))
    # In float64 on disk: the published alignment depends on ties, which rounding would break.
    return {"cepstra": mel_cepstra(spectra)}


def _cepstra_c1(media: ClipMedia) -> Features:
    from bench.metrics import default_envelope, mel_cepstra_c1, steady_envelope

    spectra = steady_envelope(media.signal(SIGNAL_RATE_HZ), default_envelope())
    return {"cepstra": mel_cepstra_c1(spectra).astype(np.float32)}


def _spectrum(media: ClipMedia) -> Features:
    from bench.metrics import envelope, log_mel

    waveform = media.signal(SIGNAL_RATE_HZ)
    return {"log_mel": log_mel(waveform), "envelope": envelope(waveform, SIGNAL_RATE_HZ)}


def signal_extractors() -> tuple[SignalExtractor, ...]:
    """Return the four extractors, without those of cepstra where pysptk is not installed.

    ``cepstra`` and ``cepstra_c1`` are two, because they share no step (``bench.metrics.mcd``) and
    each takes most of the time of a clip: a run has only those of its columns.
    Their versions name the packages that decide their numbers.
    """
    onset = SignalExtractor("onset", _version("librosa"), open=partial(open_function, _onset))
    spectrum = SignalExtractor(
        "spectrum", _version("librosa"), open=partial(open_function, _spectrum)
    )
    if not has_pysptk():
        return onset, spectrum
    version = _version("pysptk", "pyworld" if has_pyworld() else "librosa")
    cepstra = SignalExtractor("cepstra", version, open=partial(open_function, _cepstra))
    cepstra_c1 = SignalExtractor("cepstra_c1", version, open=partial(open_function, _cepstra_c1))
    return onset, cepstra, cepstra_c1, spectrum


def _version(*packages: str) -> str:
    # soxr resamples the input of all of them.
    return "-".join([PREPROCESSING, *name_versions(("soxr", *packages))])
