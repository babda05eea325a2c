"""Changing the sample rate, in the ways that published evaluators and models do it.

``soxr_hq`` is what ``librosa.load(sr=...)`` and ``librosa.resample`` do by default. ``sinc_hann``
is torchaudio's default (windowed sinc, Hann window, width 6, rolloff 0.99), which the reference
evaluator uses for every network that listens. ``sinc_kaiser`` is torchaudio's counterpart of
librosa's ``kaiser_best`` (Kaiser window, width 64), through which the published models hear.
Features move with the choice: it is always named.
"""

from __future__ import annotations

import math
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from bench.errors import MediaError
from bench.types import Audio, Waveform

Method = Literal["soxr_hq", "sinc_hann", "sinc_kaiser"]
Samples = TypeVar("Samples", npt.NDArray[np.float32], npt.NDArray[np.float64])

HANN_ZEROS, HANN_ROLLOFF = 6, 0.99
KAISER_ZEROS, KAISER_ROLLOFF, KAISER_BETA = 64, 0.9475937167399596, 14.769656459379492
#: Rates with almost no common divisor need a filter bank of hundreds of megabytes.
MAX_FILTER_BANK = 2**24


def resample(samples: Samples, from_hz: int, to_hz: int, method: Method) -> Samples:
    """``samples [..., T]`` at another rate, ``[..., T']`` with T' = ceil(T * to_hz / from_hz).

    ``soxr_hq`` takes the product in floating point, as librosa does: some lengths that divide
    exactly, such as 441 from 14.7 to 32 kHz, end in one sample of 0 more.

    Raises MediaError for rates that are not positive, for no samples, and, with a windowed
    sinc, for a pair of rates whose filter bank would not fit.
    """
    if from_hz <= 0 or to_hz <= 0:
        raise MediaError(f"cannot resample from {from_hz} to {to_hz} Hz: rates must be positive")
    if not samples.size:
        raise MediaError("cannot resample: there are no samples")
    if from_hz == to_hz:
        return samples
    return METHODS[method](samples, from_hz, to_hz)


def reference_waveform(
    audio: Audio, sample_rate_hz: int, seconds: float, *, remove_dc: bool
) -> Waveform:
    """``[T]``: the waveform that the reference evaluator feeds to its networks.

    In its order: mean over channels; the mean of the whole sound subtracted where ``remove_dc``
    (PANNs, VGGish, PaSST; not Synchformer); ``sinc_hann``; the first ``int(sample_rate_hz *
    seconds)`` samples. Nothing is padded: a shorter sound gives a shorter waveform.
    Source: hkchengrex/av-benchmark.
    """
    waveform = audio.mono()
    if remove_dc:
        waveform = waveform - waveform.mean(dtype=np.float32)
    waveform = resample(waveform, audio.sample_rate_hz, sample_rate_hz, "sinc_hann")
    return waveform[: int(sample_rate_hz * seconds)]


def _soxr_hq(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    import soxr

    # The float product is librosa's: it decides the last sample of some lengths.
    n_out = math.ceil(samples.shape[-1] * (to_hz / from_hz))
    resampled = np.zeros((*samples.shape[:-1], n_out), dtype=samples.dtype)
    for channel in np.ndindex(samples.shape[:-1]):
        row = soxr.resample(samples[channel], from_hz, to_hz, quality="soxr_hq")[:n_out]
        resampled[channel][: len(row)] = row
    return resampled


def _sinc_hann(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    return _windowed_sinc(samples, from_hz, to_hz, "sinc_hann")


def _sinc_kaiser(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    return _windowed_sinc(samples, from_hz, to_hz, "sinc_kaiser")


def _windowed_sinc(samples: Samples, from_hz: int, to_hz: int, method: Method) -> Samples:
    """Polyphase filtering as one matrix product.

    With the rates reduced to a : b, every a input samples give b output samples, each by a filter
    of its own phase; so the output is [windows of the input, a apart] @ [filter bank].
    """
    divisor = math.gcd(from_hz, to_hz)
    step, n_phases = from_hz // divisor, to_hz // divisor
    bank, width = _filter_bank(step, n_phases, method)
    n_samples = samples.shape[-1]
    margins = [(0, 0)] * (samples.ndim - 1) + [(width, width + step)]
    padded = np.pad(samples, margins)
    windows = np.lib.stride_tricks.sliding_window_view(padded, bank.shape[0], axis=-1)
    product = np.ascontiguousarray(windows[..., ::step, :]) @ bank.astype(samples.dtype)
    n_out = -(-n_phases * n_samples // step)
    return product.reshape(*samples.shape[:-1], -1)[..., :n_out]


def _filter_bank(step: int, n_phases: int, method: Method) -> tuple[npt.NDArray[np.float64], int]:
    """Filters ``[taps, n_phases]`` and the number of samples they reach back.

    A low-pass at f = rolloff * min(step, n_phases) in units of the common divisor; phase p is the
    sinc of f (t - p / n_phases) under a window that ends at its sixth or 64th zero.
    """
    is_hann = method == "sinc_hann"
    n_zeros, rolloff = (HANN_ZEROS, HANN_ROLLOFF) if is_hann else (KAISER_ZEROS, KAISER_ROLLOFF)
    cutoff = min(step, n_phases) * rolloff
    width = math.ceil(n_zeros * step / cutoff)
    if (2 * width + step) * n_phases > MAX_FILTER_BANK:
        raise MediaError(
            f"cannot resample {step} : {n_phases} by {method}: the rates share no useful divisor; "
            "choose a usual rate, or soxr_hq"
        )
    taps_s = np.arange(-width, width + step) / step
    phases_s = np.arange(n_phases) / n_phases
    zeros = (taps_s[:, np.newaxis] - phases_s) * cutoff
    zeros = zeros.clip(-n_zeros, n_zeros)
    window = (_hann if is_hann else _kaiser)(zeros / n_zeros)
    return np.sinc(zeros) * window * (cutoff / step), width


def _hann(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Hann's window on [-1, 1]."""
    return np.cos(places * np.pi / 2) ** 2


def _kaiser(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Kaiser's window on [-1, 1]."""
    return np.i0(KAISER_BETA * np.sqrt(1 - places**2)) / np.i0(KAISER_BETA)


METHODS = {"soxr_hq": _soxr_hq, "sinc_hann": _sinc_hann, "sinc_kaiser": _sinc_kaiser}
