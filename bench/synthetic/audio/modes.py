"""Modal synthesis: the object as a bank of damped modes, from its material and its timbre."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bench.synthetic.actions import Exciter, Range
from bench.synthetic.materials import Material
from bench.synthetic.scene import Timbre
from bench.types import FloatArray

#: Modes above this are left out: the highest octave of hearing adds work and hardly any timbre.
HIGHEST_MODE_HZ = 16_000.0
LONGEST_RESPONSE_S = 2.5
#: An amplitude of exp(-rate * t) has fallen by 60 dB, to a thousandth, at rate * t = ln(1000). So
#: the rate of a mode with a decay time of T60 is DECAY_60_DB / T60.
DECAY_60_DB = float(np.log(1000.0))


class Modes(NamedTuple):
    """Frequencies, decay rates and amplitudes of M modes.

    ``frequencies_hz [M]``, ``rates_per_s [M]``, and ``gains [2, M]`` for a contact at the centre of
    the object and at its edge.
    """

    frequencies_hz: FloatArray
    rates_per_s: FloatArray
    gains: FloatArray


def interpolate(limits: Range, coordinate: float) -> float:
    """Map a coordinate in [0, 1] linearly to a range."""
    return limits[0] + (limits[1] - limits[0]) * coordinate


def interpolate_log(limits: Range, coordinate: float) -> float:
    """Map a coordinate in [0, 1] to a range on a logarithmic scale: frequencies, decay times."""
    return float(limits[0] * (limits[1] / limits[0]) ** coordinate)


def compute_modes(material: Material, timbre: Timbre, exciter: Exciter) -> Modes:
    """Modes of the object; the exciter scales its pitch and its decay time.

    With ratio r_m of mode m to the lowest mode f_1 (``material.ratios``):

    - frequency ``f_1 r_m^(0.9 + 0.2 inharmonicity)``: the ratios are stretched or squeezed by a
      tenth of their logarithm,
    - decay rate ``ln(1000) / T60 * r_m^damping``: higher modes decay faster, by the power of the
      material,
    - amplitude ``rolloff_db * log2(r_m)`` in dB, times the mode shape at the contact.
    """
    ratios = np.array(material.ratios) ** (0.9 + 0.2 * timbre.inharmonicity)
    lowest_hz = exciter.pitch * interpolate_log(material.pitch_hz, timbre.pitch)
    ratios = ratios[ratios * lowest_hz < HIGHEST_MODE_HZ]
    decay_s = exciter.ring * interpolate_log(material.decay_s, timbre.sustain)
    rates = DECAY_60_DB / decay_s * ratios ** interpolate(material.damping, timbre.damping)
    rolloff_db = interpolate(material.rolloff_db, timbre.brightness) * np.log2(ratios)
    number = np.arange(1, ratios.size + 1)
    # A force at x excites mode m of a string by its shape there, |sin(pi m x)|. The 0.25 keeps
    # every mode audible where x is a node of it. The edge is 5 % of the length from the centre.
    positions = 0.12 + 0.3 * timbre.position + np.array([[0.0], [0.05]])
    weights = 0.25 + 0.75 * np.abs(np.sin(np.pi * number * positions))
    return Modes(ratios * lowest_hz, rates, weights * 10.0 ** (rolloff_db / 20.0))


def compute_impulse_responses(modes: Modes, sample_rate_hz: int) -> FloatArray:
    """Responses ``[2, T]`` to a force of one sample at the centre and at the edge.

    The sum over modes of ``gain exp(-rate t) sin(2 pi f t)``. T covers the longest decay by 60 dB,
    at most 2.5 s.
    """
    seconds = min(LONGEST_RESPONSE_S, DECAY_60_DB / float(modes.rates_per_s.min()))
    times_s = np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz
    responses = np.zeros((2, times_s.size))
    for frequency_hz, rate, gains in zip(*modes[:2], modes.gains.T, strict=True):
        # An impulse of force sets a mass in motion but does not displace it, hence a sine. Each
        # mode stops at its own -60 dB, which saves work where high modes decay fast.
        audible = times_s[: int(DECAY_60_DB / rate * sample_rate_hz)]
        mode = np.exp(-rate * audible) * np.sin(2.0 * np.pi * frequency_hz * audible)
        responses[:, : audible.size] += gains[:, None] * mode
    return responses
