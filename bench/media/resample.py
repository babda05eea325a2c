"""Change the sample rate by the methods of published evaluators and models.

``soxr_hq`` is the default of ``librosa.load(sr=...)`` and ``librosa.resample``. ``sinc_hann`` is
torchaudio's default (windowed sinc, Hann window, width 6, rolloff 0.99), by which the reference
evaluator prepares the input of every audio network. ``sinc_kaiser`` is torchaudio's counterpart of
librosa's ``kaiser_best`` (Kaiser window, width 64), by which the published models prepare audio.
Features depend on the method, so it has no default.
"""

from __future__ import annotations

import math
from typing import Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt

from bench.errors import MediaError
from bench.types import Audio, FloatArray, Waveform

Method = Literal["soxr_hq", "sinc_hann", "sinc_kaiser"]
Samples = TypeVar("Samples", npt.NDArray[np.float32], npt.NDArray[np.float64])

HANN_ZEROS, HANN_ROLLOFF = 6, 0.99
KAISER_ZEROS, KAISER_ROLLOFF, KAISER_BETA = 64, 0.9475937167399596, 14.769656459379492
#: Largest filter bank in values (128 MB): rates with almost no common divisor need more.
MAX_FILTER_BANK = 2**24


def resample(samples: Samples, from_hz: int, to_hz: int, method: Method) -> Samples:
    """Return ``samples [..., T]`` at another rate, ``[..., T']``, T' = ceil(T * to_hz / from_hz).

    ``soxr_hq`` takes the product in floating point, as librosa does: some lengths that divide
    exactly, such as 441 from 14.7 to 32 kHz, end in one sample of 0 more.

    Raises MediaError for another method, for rates that are not positive, for no samples, and, with
    a windowed sinc, for a pair of rates whose filter bank would not fit into memory.
    """
    if method not in get_args(Method):
        known = ", ".join(get_args(Method))
        raise MediaError(f"cannot resample: no method {method!r}; there are: {known}")
    if from_hz <= 0 or to_hz <= 0:
        raise MediaError(f"cannot resample from {from_hz} to {to_hz} Hz: rates must be positive")
    if not samples.size:
        raise MediaError("cannot resample: there are no samples")
    if from_hz == to_hz:
        return samples
    if method == "soxr_hq":
        return _resample_by_soxr(samples, from_hz, to_hz)
    return _resample_by_sinc(samples, from_hz, to_hz, method)


def prepare_evaluator_waveform(
    audio: Audio, sample_rate_hz: int, seconds: float, *, remove_dc: bool
) -> Waveform:
    """Return the waveform ``[T]`` that the reference evaluator feeds to its networks.

    In its order: mean over channels; the mean over the file subtracted where ``remove_dc`` (PANNs,
    VGGish, PaSST; not Synchformer); ``sinc_hann``; the first ``int(sample_rate_hz * seconds)``
    samples. Nothing is padded: shorter audio gives a shorter waveform.
    Source: hkchengrex/av-benchmark.
    """
    waveform = audio.mono()
    if remove_dc:
        waveform = waveform - waveform.mean(dtype=np.float32)
    waveform = resample(waveform, audio.sample_rate_hz, sample_rate_hz, "sinc_hann")
    return waveform[: int(sample_rate_hz * seconds)]


def _resample_by_soxr(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    import soxr

    # The product in floating point is librosa's: it decides the last sample of some lengths.
    n_out = math.ceil(samples.shape[-1] * (to_hz / from_hz))
    resampled = np.zeros((*samples.shape[:-1], n_out), dtype=samples.dtype)
    for channel in np.ndindex(samples.shape[:-1]):
        row = soxr.resample(samples[channel], from_hz, to_hz, quality="soxr_hq")[:n_out]
        resampled[channel][: len(row)] = row
    return resampled


# Resampling by a windowed sinc.
#
# Samples x[i] at the rate f stand for one band-limited signal (Whittaker, Shannon):
#
#     x(t) = sum_i x[i] sinc(f t - i),        sinc(u) = sin(pi u) / (pi u)
#
# Before it is sampled at another rate f', everything above half of the lower rate has to go, else
# it would fold back. The ideal low-pass of bandwidth c (both sides of 0) has the impulse response
# c sinc(c t), and of sinc(f t - i) with c <= f it leaves (c / f) sinc(c (t - i / f)):
#
#     y(t) = c / f  sum_i x[i] sinc(c (t - i / f)) w(c (t - i / f) / Z),    c = rolloff min(f, f')
#
# A sinc never ends, so a window w on [-1, 1] ends it at its Z-th zero. The band edge of a finite
# filter is not vertical, and the rolloff below 1 keeps it inside the band.
#
# With g the greatest common divisor of the rates, f = g a and f' = g b; let 1 / g be the unit of
# time. Output m = b q + p is at t = q + p / b, and its distance to input i = a q + k is
# p / b - k / a, without q. So b filters, one per phase p, serve all outputs, and the output is one
# matrix product: [windows of the input, a samples apart] @ [filter bank, b columns].


def _resample_by_sinc(samples: Samples, from_hz: int, to_hz: int, method: Method) -> Samples:
    divisor = math.gcd(from_hz, to_hz)
    step, n_phases = from_hz // divisor, to_hz // divisor  # a and b above
    bank, width = _make_filter_bank(step, n_phases, method)
    n_samples = samples.shape[-1]
    margins = [(0, 0)] * (samples.ndim - 1) + [(width, width + step)]
    padded = np.pad(samples, margins)
    windows = np.lib.stride_tricks.sliding_window_view(padded, bank.shape[0], axis=-1)
    product = np.ascontiguousarray(windows[..., ::step, :]) @ bank.astype(samples.dtype)
    n_out = -(-n_phases * n_samples // step)
    return product.reshape(*samples.shape[:-1], -1)[..., :n_out]


def _make_filter_bank(step: int, n_phases: int, method: Method) -> tuple[FloatArray, int]:
    """Return the filters ``[taps, n_phases]`` and the number of samples that they reach back."""
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
    # Taps beyond the last zero are set to it, where both windows are next to 0 and the sinc is 0.
    zeros = zeros.clip(-n_zeros, n_zeros)
    positions = zeros / n_zeros
    if is_hann:
        window = np.cos(positions * np.pi / 2) ** 2
    else:
        window = np.i0(KAISER_BETA * np.sqrt(1 - positions**2)) / np.i0(KAISER_BETA)
    return np.sinc(zeros) * window * (cutoff / step), width
