"""Envelope correlation and log-spectral distance: loudness and spectrum over time compared.

Conventions: waveforms are ``[T]`` with 1 as full scale; levels are dB relative to full scale. Both
sides of a comparison must be equally long: cut them first.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt

from bench._numba import load_librosa
from bench.metrics.arrays import FloatArray, check_frame_pair, check_series, check_waveform

ENVELOPE_RATE_HZ = 100
SPECTRUM_RATE_HZ = 22_050
FFT_SAMPLES = 1_024
HOP_SAMPLES = 256
N_BANDS = 64
#: The lowest level in a band, -80 dB: that of silence and of anything quieter.
FLOOR_POWER = 1e-8
#: An envelope of constant level still spreads by rounding, by less than this share of its largest
#: value; its correlation would be that of rounding errors.
CONSTANT_SPREAD = 1e-12


def envelope(waveform: npt.ArrayLike, rate_hz: int) -> FloatArray:
    """Return the RMS level ``[T']`` of a waveform in blocks of 10 ms, T' = floor(100 T / rate).

    Blocks begin at the sample nearest to each multiple of 10 ms, rounded down, and do not overlap.
    Linear in gain; silence is 0. ValueError if the waveform is shorter than one block.
    """
    n_block_samples = math.ceil(rate_hz / ENVELOPE_RATE_HZ)
    samples = check_waveform(waveform, n_block_samples).astype(np.float64)
    n_blocks = len(samples) * ENVELOPE_RATE_HZ // rate_hz
    edges = np.arange(n_blocks + 1) * rate_hz // ENVELOPE_RATE_HZ
    # At 22,050 Hz a block has 220.5 samples: edges are rounded down, and blocks of 220 and 221 take
    # turns, so that block n stays at 10 n ms however long the audio is.
    energy = np.add.reduceat(np.square(samples[: edges[-1]]), edges[:-1])
    return np.sqrt(energy / np.diff(edges))


def envelope_correlation(true: npt.ArrayLike, generated: npt.ArrayLike) -> float:
    """Return Pearson's correlation of two envelopes ``[T']``, in [-1, 1]; 1 is best.

    The covariance over the product of deviations, so neither gain nor offset matters. NaN, not
    scored, where an envelope is constant (silence). ValueError if the lengths differ.

    >>> round(envelope_correlation([0.0, 1.0, 0.0, 2.0], [0.0, 3.0, 0.0, 6.0]), 12)
    1.0
    """
    first = check_series(true, "the true envelope").astype(np.float64)
    second = check_series(generated, "the generated envelope").astype(np.float64)
    if len(first) != len(second):
        raise ValueError(f"envelopes must be equally long, got {len(first)} and {len(second)}")
    if _is_constant(first) or _is_constant(second):
        return math.nan
    return float(np.clip(np.corrcoef(first, second)[0, 1], -1.0, 1.0))


def log_mel(waveform: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return the mel spectrum ``[T', 64]`` in dB, float32, of a waveform at 22,050 Hz.

    Hann windows of 1,024 samples every 256, centred, T' = T // 256 + 1; triangles of height 1 on
    the Slaney mel scale, 0 to 11,025 Hz. A sine of full scale at the centre of a band has 0.6 to
    1.7 dB there, the window's leakage included; silence, and all that is quieter than -80 dB, has
    -80 dB. ValueError if the waveform is shorter than one window.
    """
    samples = check_waveform(waveform, FFT_SAMPLES).astype(np.float32)
    spectrum = load_librosa().stft(
        samples, n_fft=FFT_SAMPLES, hop_length=HOP_SAMPLES, window="hann"
    )
    # Scaled so that a sine of full scale has the power 1 (0 dB) at its peak: its spectrum there is
    # half the sum of the window, and the Hann window sums to half its length.
    power = np.square(np.abs(spectrum) / (FFT_SAMPLES / 4))
    bands = (_mel_filters() @ power).astype(np.float64)
    level_db = 10.0 * np.log10(np.maximum(bands, FLOOR_POWER)).T
    return np.ascontiguousarray(level_db, dtype=np.float32)


def log_spectral_distance(true: npt.ArrayLike, generated: npt.ArrayLike) -> float:
    """Return the distance in dB of two spectra ``[T', F]`` in dB: 0 is best, gain counts.

    The mean over frames of the root mean square difference over bands (Gray & Markel, "Distance
    measures for speech processing", 1976, on mel bands). ValueError if the shapes differ.

    >>> log_spectral_distance([[0.0, 0.0]], [[3.0, 3.0]])
    3.0
    """
    first, second = check_frame_pair(true, generated)
    if len(first) != len(second):
        raise ValueError(f"spectra must be equally long, got {len(first)} and {len(second)} frames")
    return float(np.sqrt(np.square(first - second).mean(axis=1)).mean())


@functools.cache
def _mel_filters() -> npt.NDArray[np.float32]:
    filters: npt.NDArray[np.float32] = load_librosa().filters.mel(
        sr=SPECTRUM_RATE_HZ, n_fft=FFT_SAMPLES, n_mels=N_BANDS, norm=None
    )
    return filters


def _is_constant(values: FloatArray) -> bool:
    return bool(np.ptp(values) <= CONSTANT_SPREAD * np.abs(values).max())
