"""Known damage to a finished sound: noise, a missing band, another level, length or speed.

Waveforms are mono float32 ``[T]``; every function returns a new one. ``damage`` does the like to a
scene before it is rendered.
"""

from __future__ import annotations

import numpy as np

from bench.errors import BenchError
from bench.types import Waveform

FILTER_ORDER = 8


def with_noise(audio: Waveform, level_db: float, rng: np.random.Generator) -> Waveform:
    """The sound under white noise whose level is ``level_db`` relative to the sound's own RMS."""
    level = float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
    noise = rng.standard_normal(audio.size) * level * 10.0 ** (level_db / 20.0)
    return np.asarray(audio + noise, dtype=np.float32)


def low_passed(audio: Waveform, cutoff_hz: float, sample_rate_hz: int) -> Waveform:
    """The sound without what lies above ``cutoff_hz`` (Butterworth, to and fro: no delay).

    Raises:
        BenchError: the cutoff is not between 0 and half the sample rate.
    """
    from scipy import signal

    if not 0.0 < cutoff_hz < sample_rate_hz / 2:
        raise BenchError(
            f"the cutoff is {cutoff_hz:g} Hz, expected between 0 and {sample_rate_hz / 2:g} Hz"
        )
    sections = signal.butter(FILTER_ORDER, cutoff_hz, fs=sample_rate_hz, output="sos")
    return np.asarray(signal.sosfiltfilt(sections, audio), dtype=np.float32)


def at_level(audio: Waveform, gain_db: float) -> Waveform:
    """The sound ``gain_db`` louder; negative is quieter."""
    return np.asarray(audio * 10.0 ** (gain_db / 20.0), dtype=np.float32)


def silent_from(audio: Waveform, start_s: float, sample_rate_hz: int) -> Waveform:
    """The sound, silent from ``start_s`` on."""
    kept = audio.copy()
    kept[max(0, round(start_s * sample_rate_hz)) :] = 0.0
    return kept


def played_faster(audio: Waveform, percent: float, sample_rate_hz: int) -> Waveform:
    """The sound as if its sample rate were ``percent`` higher: shorter, higher, drifting ahead.

    Raises:
        BenchError: the rate would not be positive.
    """
    from bench.media import resample

    wrong_hz = round(sample_rate_hz * (1.0 + percent / 100.0))
    if wrong_hz <= 0:
        raise BenchError(f"the speed is {percent:g} % off, expected more than -100 %")
    return resample(audio, wrong_hz, sample_rate_hz, method="soxr_hq")
