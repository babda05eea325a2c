"""Mel-cepstral distortion (MCD) in dB: the distance of two signals in timbre, after time warping.

Conventions: waveforms are ``[T]`` at 22,050 Hz; an envelope is a power spectrum ``[N, 257]``, one
frame per 5 ms; cepstra are float64 ``[N, 1 + order]``, the level c0 first; a distortion is a mean
over the steps of a warping path, 0 is best.

Mel-cepstra c describe an envelope H on a warped frequency axis w that resembles the mel scale:

    ln |H(w)| = c0 + sum_m c_m cos(m w)

Cosines are orthogonal with mean square 1/2 (Parseval), so two envelopes with equal c0 differ by

    mean_w (ln |H| - ln |H'|)^2 = 1/2 sum_m (c_m - c'_m)^2

A level in dB is 20 log10 |H| = (20 / ln 10) ln |H|. The root mean square difference in dB is thus
(20 / ln 10) sqrt(1/2) |c - c'| = (10 sqrt(2) / ln 10) |c - c'|, the constant ``DECIBELS``.

There are two definitions, since the papers of the field do not name theirs; the first reproduces
their scale, the second follows the speech literature (Kubichek, "Mel-cepstral distance measure for
objective speech quality assessment", PACRIM 1993).

    mel_cepstral_distortion   equal to the package pymcd 0.2.1 in its mode ``dtw``
    mcd_c1                    order 24, alpha 0.455, c1..c24 only, exact warping, on envelopes
                              that are steady in time (``steady_envelope``)

Consequences of the first definition, which keeps every property of that package:

- The path is found on c1.. with FastDTW of radius 1, the cost is computed on c0..: level counts.
  Halving the level of a clip is 8 dB away from the clip. In the sum above c0 would have the weight
  1 instead of 1/2, so the unit is dB for c1.. alone.
- A power spectrum is passed as an amplitude spectrum, so cepstra are twice the usual ones,
  and the floor of 1e-8 acts on the power squared: every bin below a power of 1e-4 is floor.
  Silence and white noise of RMS 0.001 are both all floor: c0 = ln(1e-8) / 2 = -9.21, else 0.
- Frequencies above 11,025 Hz do not count.
- Warping moves by frames of 5 ms, and WORLD analyses a window of 6 ms around each: a copy that is
  late by a multiple of 5 ms is 0 to 0.5 dB apart, one that is late by 2.5 ms falls between those
  windows and is up to 0.7 dB (bursts) or 7.5 dB (white noise) apart from its original.

``mcd_c1`` avoids the last: its envelope is the mean power over 25 ms, a usual window of speech
analysis, which changes little within half a frame (a copy 2.5 ms late: 0.3 dB for bursts, 0.5 dB
for white noise, where one window of 6 ms per frame gives 1.7 and 4.2 dB).

Silence is scored like any audio: two silent clips are 0 apart. ``mcd_c1`` adds 1e-10 to the power
instead of a floor, so a silent frame has c0 = ln(1e-10) / 2 and c1.. of 0 (to 1e-6: WORLD's
envelope of digital silence is not exactly zero).
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bench._numba import load_librosa
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

#: The window that ``mcd_c1`` averages over, and the envelopes per frame that it averages.
STEADY_MS = 25.0
OVERSAMPLING = 2
#: From a Euclidean distance between cepstra to decibels, as derived above.
DECIBELS = 10.0 * math.sqrt(2.0) / math.log(10.0)


def world_envelope(waveform: npt.ArrayLike, frame_period_ms: float = FRAME_PERIOD_MS) -> FloatArray:
    """Return the WORLD power envelope ``[N, 257]`` of a waveform at 22,050 Hz, N = T // 110.25 + 1.

    That is one frame per 5 ms, the default period. DIO, StoneMask and CheapTrick (Morise et al.,
    IEICE Trans. E99-D(7), 2016): bit for bit what ``pyworld.wav2world`` gives, without its
    aperiodicity. ImportError without pyworld.
    """
    # Envelopes at 5 ms are not every second one at 2.5 ms: DIO smooths the pitch over a number of
    # frames, and CheapTrick draws its noise frame after frame. So mcd and mcd_c1 need one run each.
    pyworld = _import("pyworld")
    samples = check_waveform(waveform, FFT_SAMPLES).astype(np.float64)
    rough_hz, times_s = pyworld.dio(samples, CEPSTRUM_RATE_HZ, frame_period=frame_period_ms)
    pitch_hz = pyworld.stonemask(samples, rough_hz, times_s, CEPSTRUM_RATE_HZ)
    envelope: FloatArray = pyworld.cheaptrick(
        samples, pitch_hz, times_s, CEPSTRUM_RATE_HZ, fft_size=FFT_SAMPLES
    )
    return envelope


def stft_envelope(waveform: npt.ArrayLike, hop_samples: int = STFT_HOP_SAMPLES) -> FloatArray:
    """Return an APPROXIMATE envelope ``[N, 257]``: the periodogram, N = T // 110 + 1.

    For machines without pyworld. Distortions from it correlate with those from WORLD (0.96 over
    web clips) but are about 1 dB lower: never put both in one table.
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

    Twice as many frames are analysed, and each one that is kept is the mean power around it under
    a Hann window, which makes it insensitive to the position of frames in the audio. One frame per
    5 ms, as many as the source itself gives. ValueError for another source.
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
    included. ValueError if the envelope is not ``[N, 257]``; ImportError without pysptk.
    """
    power = _check_envelope(envelope)
    # ``unwrap`` removes the decorators, which inspect the signature once per frame: 3.5 times as
    # fast with the same bits. Without iterations the result is linear in the log spectrum, as
    # below, and a matrix product would be faster still; but it rounds differently, and in silence
    # FastDTW decides between equal frames.
    mcep = inspect.unwrap(_import("pysptk.sptk").mcep)
    return np.array([
        mcep(
            frame, order=13, alpha=0.65, maxiter=0, etype=1, eps=1e-8, min_det=0.0, itype=3
        )
        for frame in power
    ])  # fmt: skip


def mel_cepstra_c1(envelope: npt.ArrayLike) -> FloatArray:
    """Return the cepstra ``[N, 25]`` that ``mcd_c1`` compares: order 24, alpha 0.455.

    ``pysptk.conversion.sp2mc``, to 1e-12. ValueError if the envelope is not ``[N, 257]``;
    ImportError without pysptk.
    """
    log_power = np.log(_check_envelope(envelope) + C1_POWER_FLOOR)
    # A product per frame, in one call. That of all frames at once depends in its last digits on how
    # many there are, and the path through silence on whether equal frames have equal cepstra.
    cepstra: FloatArray = np.matmul(log_power[:, np.newaxis], _c1_matrix())[:, 0]
    return cepstra


@functools.cache
def _c1_matrix() -> FloatArray:
    """Return the matrix ``[257, 25]`` from a log spectrum to the cepstrum of ``mcd_c1``.

    The cepstrum is the inverse Fourier transform of the log spectrum, warped by an all-pass filter.
    Both are linear, so the cepstra of unit vectors are the rows of the matrix. pysptk goes through
    both for every frame, in Python: 150 ms for 8 s of audio instead of 3 ms.
    """
    # The spectrum whose logarithm is a unit vector is e in one bin and 1 in the others.
    rows: FloatArray = _import("pysptk.conversion").sp2mc(
        np.exp(np.eye(N_BINS)), order=24, alpha=0.455
    )
    return rows


def mel_cepstral_distortion(true: npt.ArrayLike, generated: npt.ArrayLike) -> float:
    """Return the distortion in dB of ``generated [M, 14]`` from ``true [N, 14]``; 0 is best.

    Equal to pymcd 0.2.1 ``dtw`` on the output of ``mel_cepstra(world_envelope(...))``.
    """
    first, second = check_frame_pair(true, generated)
    path = fastdtw_path(first[:, 1:], second[:, 1:]).path
    return _distortion_db(first, second, path)


def mcd_c1(true: npt.ArrayLike, generated: npt.ArrayLike) -> float:
    """Return the distortion in dB of ``generated [M, 25]`` from ``true [N, 25]``; 0 is best.

    Over c1.. along the exact path, so that level counts only through the floor. Accepts any two
    sets of cepstra of one width, c0 first.
    """
    first, second = (cepstra[:, 1:] for cepstra in check_frame_pair(true, generated))
    return _distortion_db(first, second, dtw_path(first, second).path)


def _distortion_db(true: FloatArray, generated: FloatArray, path: IntArray) -> float:
    gaps = true[path[:, 0]] - generated[path[:, 1]]
    return float(DECIBELS * np.sqrt(np.square(gaps).sum(axis=1)).mean())


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"MCD needs the package {name.partition('.')[0]}: pip install 'foley-bench[mcd]'"
        ) from error


def _check_envelope(envelope: npt.ArrayLike) -> FloatArray:
    power = check_frames(envelope, "the envelope")
    if power.shape[1] != N_BINS or (power < 0).any():
        raise ValueError(
            f"an envelope must be a power spectrum [N, {N_BINS}] without negative values, "
            f"got {list(power.shape)} with minimum {power.min():g}"
        )
    return power
