"""The room around the object: a few early echoes and a tail that decays."""

from __future__ import annotations

import numpy as np
from scipy import signal

from bench.synthetic.modes import DECAY_60_DB, between, between_ratios
from bench.synthetic.world import Timbre
from bench.types import FloatArray

DECAY_S = (0.12, 1.1)
WETNESS = (0.01, 0.4)
#: Echo delays of the largest room in seconds, and their levels; alike for all rooms but for scale.
ECHOES = ((0.013, 0.5), (0.021, -0.42), (0.034, 0.36), (0.047, -0.3), (0.069, 0.22))
TAIL_CORNER_HZ = (7000.0, 2500.0)
TAIL_SEED = 20_260_101


def room_response(timbre: Timbre, sample_rate_hz: int) -> FloatArray:
    """Impulse response ``[T]`` of the room of a timbre; the direct sound is 1 at sample 0.

    Size sets delays and decay (the time to fall by 60 dB), wetness the energy of all that follows
    the direct sound. Larger rooms are duller.
    """
    decay_s = between_ratios(DECAY_S, timbre.room_size)
    n_samples = round(decay_s * sample_rate_hz)
    reflected = _tail(n_samples, timbre.room_size, sample_rate_hz)
    for delay_s, level in ECHOES:
        reflected[round(delay_s * (0.15 + 0.85 * timbre.room_size) * sample_rate_hz)] += level
    response = between(WETNESS, timbre.room_wetness) * reflected
    response[0] += 1.0
    return response


def _tail(n_samples: int, room_size: float, sample_rate_hz: int) -> FloatArray:
    """Filtered noise of unit energy that falls by 60 dB and fades in behind the first echo."""
    noise = np.random.default_rng(TAIL_SEED).normal(size=n_samples)
    numerator, denominator = signal.butter(1, between(TAIL_CORNER_HZ, room_size), fs=sample_rate_hz)
    place = np.arange(n_samples) / n_samples
    arrival = 1.0 - np.exp(-place * 30.0)
    tail = signal.lfilter(numerator, denominator, noise) * arrival * np.exp(-DECAY_60_DB * place)
    return np.asarray(tail / np.sqrt(np.sum(tail**2)), dtype=np.float64)
