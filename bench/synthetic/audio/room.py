"""The room around the object: a few early echoes and a tail that decays."""

from __future__ import annotations

import numpy as np
from scipy import signal

from bench.synthetic.audio.modes import DECAY_60_DB, interpolate, interpolate_log
from bench.synthetic.scene import Timbre
from bench.types import FloatArray

DECAY_S = (0.12, 1.1)
WETNESS = (0.01, 0.4)
#: Echo delays of the largest room in seconds, and their levels; smaller rooms scale the delays.
ECHOES = ((0.013, 0.5), (0.021, -0.42), (0.034, 0.36), (0.047, -0.3), (0.069, 0.22))
TAIL_CORNER_HZ = (7000.0, 2500.0)
#: One seed for all rooms, so that two rooms differ by their size and wetness alone: a small timbre
#: distance must be a small difference of the audio.
TAIL_SEED = 20_260_101


def compute_room_response(timbre: Timbre, sample_rate_hz: int) -> FloatArray:
    """Impulse response ``[T]`` of the room of a timbre; the direct path is 1 at sample 0.

    ``room_size`` sets the echo delays and the decay time (T60, 0.12 to 1.1 s), ``room_wetness`` the
    amplitude of everything after the direct path. Larger rooms have a lower cutoff.
    """
    decay_s = interpolate_log(DECAY_S, timbre.room_size)
    reflected = _tail(round(decay_s * sample_rate_hz), timbre.room_size, sample_rate_hz)
    for delay_s, level in ECHOES:
        reflected[round(delay_s * (0.15 + 0.85 * timbre.room_size) * sample_rate_hz)] += level
    response = interpolate(WETNESS, timbre.room_wetness) * reflected
    # No propagation delay: an onset in the audio is the event in the video.
    response[0] += 1.0
    return response


def _tail(n_samples: int, room_size: float, sample_rate_hz: int) -> FloatArray:
    """Low-passed noise ``[T]`` of unit energy that decays by 60 dB over its length.

    Reflections grow dense with time only, so the tail fades in, with a time constant of 1/30 of its
    length, while the discrete echoes lead.
    """
    noise = np.random.default_rng(TAIL_SEED).normal(size=n_samples)
    corner_hz = interpolate(TAIL_CORNER_HZ, room_size)
    numerator, denominator = signal.butter(1, corner_hz, fs=sample_rate_hz)
    progress = np.arange(n_samples) / n_samples
    fade_in = 1.0 - np.exp(-progress * 30.0)
    decay = np.exp(-DECAY_60_DB * progress)
    tail = signal.lfilter(numerator, denominator, noise) * fade_in * decay
    return np.asarray(tail / np.sqrt(np.sum(tail**2)), dtype=np.float64)
