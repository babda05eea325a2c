"""Mel-cepstral distortion (MCD) in dB: how far apart two audio signals are in timbre, time warped.

Conventions: waveforms are ``[T]`` at 22,050 Hz; an envelope is a power spectrum ``[N, 257]``, one
frame per 5 ms; cepstra are float64 ``[N, 1 + order]``, the level c0 first; a distortion is a mean
over the steps of a warping path, 0 is best.

Two definitions, on purpose. None is named by the papers of the field; the first reproduces their
scale, the second follows the speech literature (Kubichek, "Mel-cepstral distance measure for
objective speech quality assessment", PACRIM 1993).

    mel_cepstral_distortion   equal to the package pymcd 0.2.1 in its mode ``dtw``
    mcd_c1                    order 24, alpha 0.455, c1..c24 only, exact warping, on envelopes
                              that are steady in time (``steady_envelope``)

What follows from the first definition, which keeps every habit of that package:

- The path is found on c1.. with FastDTW of radius 1, the cost is taken on c0..: level counts.
  Halving the level of a clip is 8 dB away from the clip.
- A power spectrum is handed over as an amplitude spectrum, so cepstra are twice the usual ones,
  and the floor of 1e-8 acts on the power squared: every bin below a power of 1e-4 is floor.
  Silence and white noise of RMS 0.001 are both all floor: c0 = ln(1e-8) / 2 = -9.21, else 0.
- Nothing above 11,025 Hz is heard.
- Warping moves whole frames of 5 ms, and WORLD reads a window of 6 ms around each: a copy that is
  late by a multiple of 5 ms is 0 to 0.5 dB apart, one that is late by 2.5 ms is read between those
  windows and is up to 0.7 dB (bursts) or 7.5 dB (white noise) apart from its original.

``mcd_c1`` is not fooled so: its envelope is the mean power over the 25 ms that speech analysis
reads at a time, which changes little within half a frame (a copy 2.5 ms late: 0.3 dB for bursts,
0.5 dB for white noise, where one window of 6 ms per frame gives 1.7 and 4.2 dB).

Silence is an ordinary sound for both: two silent clips are 0 apart. ``mcd_c1`` adds 1e-10 to the
power instead, so a silent frame has c0 = ln(1e-10) / 2 and c1.. of 0 (to 1e-6: WORLD's envelope
of digital silence is not exactly zero).
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from bench.metrics._numba import load_librosa
from bench.metrics.arrays import (
    FloatArray,
    IntArray,
    check_frame_pair,
    check_frames,
    check_waveform,
)
from bench.metrics.dtw import dtw_path, fastdtw_path

CEPSTRUM_RATE_HZ = 22_050
FRAME_PERIOD_MS = 5.0
FFT_SAMPLES = 512
N_BINS = FFT_SAMPLES // 2 + 1
STFT_HOP_SAMPLES = 110
C1_POWER_FLOOR = 1e-10

#: How long a stretch ``mcd_c1`` averages, and how many envelopes per frame it reads for that.
STEADY_MS = 25.0
OVERSAMPLING = 2
#: From a distance between cepstra, which are natural logarithms, to decibels.
DECIBELS = 10.0 * math.sqrt(2.0) / math.log(10.0)


def world_envelope(waveform: npt.ArrayLike, frame_period_ms: float = FRAME_PERIOD_MS) -> FloatArray:
    """Return the WORLD power envelope ``[N, 257]`` of a waveform at 22,050 Hz, N = T // 110.25 + 1.

    That is one frame per 5 ms, the default period. DIO, StoneMask and CheapTrick (Morise et al.,
    IEICE Trans. E99-D(7), 2016): bit for bit what ``pyworld.wav2world`` gives, without the
    aperiodicity that nobody here reads.
    """
    import pyworld

    samples = check_waveform(waveform, FFT_SAMPLES).astype(np.float64)
    rough_hz, times_s = pyworld.dio(samples, CEPSTRUM_RATE_HZ, frame_period=frame_period_ms)
    pitch_hz = pyworld.stonemask(samples, rough_hz, times_s, CEPSTRUM_RATE_HZ)
    envelope: FloatArray = pyworld.cheaptrick(
        samples, pitch_hz, times_s, CEPSTRUM_RATE_HZ, fft_size=FFT_SAMPLES
    )
    return envelope


def stft_envelope(waveform: npt.ArrayLike, hop_samples: int = STFT_HOP_SAMPLES) -> FloatArray:
    """Return an APPROXIMATE envelope ``[N, 257]``: the periodogram, N = T // 110 + 1.

    For places without pyworld. Distortions from it follow those from WORLD (correlation 0.96 over
    web clips) but lie about 1 dB lower: never put both in one table.
    """
    librosa = load_librosa()
    samples = check_waveform(waveform, FFT_SAMPLES).astype(np.float64)
    spectrum = librosa.stft(samples, n_fft=FFT_SAMPLES, hop_length=hop_samples, window="hann")
    energy = np.square(librosa.filters.get_window("hann", FFT_SAMPLES)).sum()
    return np.ascontiguousarray(np.square(np.abs(spectrum)).T / energy, dtype=np.float64)


ENVELOPES: Mapping[str, Callable[[npt.ArrayLike], FloatArray]] = {
    "world": world_envelope,
    "stft": stft_envelope,
}


def default_envelope() -> str:
    """Return ``"world"`` where pyworld is installed, else ``"stft"``, the approximate one."""
    return "world" if importlib.util.find_spec("pyworld") else "stft"


def steady_envelope(waveform: npt.ArrayLike, source: str) -> FloatArray:
    """Return the envelope ``[N, 257]`` of a source of ``ENVELOPES``, averaged over 25 ms.

    Twice as many frames are read, and each one that is kept is the mean power around it under a
    Hann window: where frames fall in the audio then matters little. One frame per 5 ms, as
    many as the source itself gives. ValueError for another source.
    """
    from scipy.ndimage import convolve1d

    if source == "world":
        fine = world_envelope(waveform, FRAME_PERIOD_MS / OVERSAMPLING)
    elif source == "stft":
        fine = stft_envelope(waveform, STFT_HOP_SAMPLES // OVERSAMPLING)
    else:
        raise ValueError(f"the envelope must come from one of {sorted(ENVELOPES)}, got {source!r}")
    taps = np.hanning(1 + round(STEADY_MS / FRAME_PERIOD_MS * OVERSAMPLING))
    steady: FloatArray = convolve1d(fine, taps / taps.sum(), axis=0, mode="nearest")
    return np.ascontiguousarray(steady[::OVERSAMPLING])


def mel_cepstra(envelope: npt.ArrayLike) -> FloatArray:
    """Return the cepstra ``[N, 14]`` that ``mel_cepstral_distortion`` compares.

    ``pysptk.sptk.mcep`` with the settings of pymcd, itype 3 (amplitude) on a power spectrum
    included. ValueError if the envelope is not ``[N, 257]``.
    """
    # Without iterations this is linear in the log spectrum, and a matrix product would be faster.
    # It would also be rounded otherwise, and in silence FastDTW decides between equal frames.
    import pysptk.sptk

    cepstra: FloatArray = pysptk.sptk.mcep(
        _checked_envelope(envelope), order=13, alpha=0.65, maxiter=0, etype=1, eps=1e-8,
        min_det=0.0, itype=3,
    )  # fmt: skip
    return cepstra


def mel_cepstra_c1(envelope: npt.ArrayLike) -> FloatArray:
    """Return the cepstra ``[N, 25]`` that ``mcd_c1`` compares: order 24, alpha 0.455.

    ValueError if the envelope is not ``[N, 257]``.
    """
    import pysptk.conversion

    power = _checked_envelope(envelope) + C1_POWER_FLOOR
    cepstra: FloatArray = pysptk.conversion.sp2mc(power, order=24, alpha=0.455)
    return cepstra


def mel_cepstral_distortion(true: npt.ArrayLike, generated: npt.ArrayLike) -> float:
    """Return the distortion in dB of ``generated [M, 14]`` from ``true [N, 14]``; 0 is best.

    Equal to pymcd 0.2.1 ``dtw`` on the output of ``mel_cepstra(world_envelope(...))``.
    """
    first, second = check_frame_pair(true, generated)
    path = fastdtw_path(first[:, 1:], second[:, 1:]).path
    return _distortion_db(first, second, path)


def mcd_c1(true: npt.ArrayLike, generated: npt.ArrayLike) -> float:
    """Return the distortion in dB of ``generated [M, 25]`` from ``true [N, 25]``; 0 is best.

    Over c1.. along the exact path, so that level counts only through the floor. Takes any two sets
    of cepstra of one width, c0 first.
    """
    first, second = (cepstra[:, 1:] for cepstra in check_frame_pair(true, generated))
    return _distortion_db(first, second, dtw_path(first, second).path)


def _distortion_db(true: FloatArray, generated: FloatArray, path: IntArray) -> float:
    gaps = true[path[:, 0]] - generated[path[:, 1]]
    return float(DECIBELS * np.sqrt(np.square(gaps).sum(axis=1)).mean())


def _checked_envelope(envelope: npt.ArrayLike) -> FloatArray:
    power = check_frames(envelope, "the envelope")
    if power.shape[1] != N_BINS or (power < 0).any():
        raise ValueError(
            f"an envelope must be a power spectrum [N, {N_BINS}] without negative values, "
            f"got {list(power.shape)} with minimum {power.min():g}"
        )
    return power
