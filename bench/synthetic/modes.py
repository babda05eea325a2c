"""The object that sounds: a bank of damped modes, from its material and its timbre."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bench.synthetic.actions import Exciter, Range
from bench.synthetic.materials import Material
from bench.synthetic.world import Timbre
from bench.types import FloatArray

HIGHEST_MODE_HZ = 16_000.0
LONGEST_RESPONSE_S = 2.5
DECAY_60_DB = float(np.log(1000.0))


class Modes(NamedTuple):
    """Frequencies, decay rates and levels of the modes ``[M]``.

    ``gains [2, M]`` holds the levels for a contact at the centre of the object and at its edge.
    """

    frequencies_hz: FloatArray
    rates_per_s: FloatArray
    gains: FloatArray


def between(limits: Range, coordinate: float) -> float:
    """The value of a coordinate in [0, 1] on a linear range."""
    return limits[0] + (limits[1] - limits[0]) * coordinate


def between_ratios(limits: Range, coordinate: float) -> float:
    """The value of a coordinate in [0, 1] on a range heard as ratios: frequencies, times."""
    return float(limits[0] * (limits[1] / limits[0]) ** coordinate)


def object_modes(material: Material, timbre: Timbre, exciter: Exciter) -> Modes:
    """Modes of the object; the exciter scales its size and how long it may ring.

    Inharmonicity stretches or squeezes the ratios of the material by a tenth of their logarithm;
    decay time falls with frequency by the power of the material (its damping law); a contact at
    ``position`` weighs mode m by the sine that a string plucked there would have.
    """
    ratios = np.array(material.ratios) ** (0.9 + 0.2 * timbre.inharmonicity)
    lowest_hz = exciter.pitch * between_ratios(material.pitch_hz, timbre.pitch)
    ratios = ratios[ratios * lowest_hz < HIGHEST_MODE_HZ]
    decay_s = exciter.ring * between_ratios(material.decay_s, timbre.sustain)
    rates = DECAY_60_DB / decay_s * ratios ** between(material.damping, timbre.damping)
    rolloff_db = between(material.rolloff_db, timbre.brightness) * np.log2(ratios)
    number = np.arange(1, ratios.size + 1)
    places = 0.12 + 0.3 * timbre.position + np.array([[0.0], [0.05]])
    weights = 0.25 + 0.75 * np.abs(np.sin(np.pi * number * places))
    return Modes(ratios * lowest_hz, rates, weights * 10.0 ** (rolloff_db / 20.0))


def impulse_responses(modes: Modes, sample_rate_hz: int) -> FloatArray:
    """Responses ``[2, T]`` to a push of one sample at the centre and at the edge.

    T covers the longest decay by 60 dB, at most 2.5 s; every mode starts from zero displacement.
    """
    seconds = min(LONGEST_RESPONSE_S, DECAY_60_DB / float(modes.rates_per_s.min()))
    times_s = np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz
    responses = np.zeros((2, times_s.size))
    for frequency_hz, rate, gains in zip(*modes[:2], modes.gains.T, strict=True):
        audible = times_s[: int(DECAY_60_DB / rate * sample_rate_hz)]
        mode = np.exp(-rate * audible) * np.sin(2.0 * np.pi * frequency_hz * audible)
        responses[:, : audible.size] += gains[:, None] * mode
    return responses
