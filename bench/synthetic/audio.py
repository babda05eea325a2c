"""The true audio of a scene: forces drive a bank of modes in a room.

    audio = gain * room * (sum over centre, edge of modes * forces + contact noise) + noise floor

where ``*`` between signals is convolution. All stages after the excitation are linear and causal
without delay, so that the onset of an impact is the time of its event.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bench.seeds import stable_seed
from bench.synthetic.actions import ACTIONS, Exciter
from bench.synthetic.excitation import excite
from bench.synthetic.materials import MATERIALS, Material, interpolate, interpolate_log
from bench.synthetic.scene import Scene, Timbre
from bench.types import FloatArray, Waveform

SAMPLE_RATE_HZ = 44_100
#: A faint floor, as every recording has one: the logarithm of a pause is finite, and silent
#: stretches are not recognisable by exact zeros.
FLOOR_DB = -66.0
FADE_S = 0.01
PEAK = 0.9
#: Loudness is the highest RMS of any stretch of this length; action and strength determine it.
LOUDNESS_S = 0.05
FULL_LOUDNESS = 0.17

#: Modes above this are left out: the highest octave of hearing adds work and hardly any timbre.
HIGHEST_MODE_HZ = 16_000.0
LONGEST_RESPONSE_S = 2.5
#: An amplitude of exp(-rate * t) has fallen by 60 dB, to a thousandth, at rate * t = ln(1000). So
#: the rate of a mode with a decay time of T60 is DECAY_60_DB / T60.
DECAY_60_DB = float(np.log(1000.0))

ROOM_DECAY_S = (0.12, 1.1)
WETNESS = (0.01, 0.4)
#: Echo delays of the largest room in seconds, and their levels; smaller rooms scale the delays.
ECHOES = ((0.013, 0.5), (0.021, -0.42), (0.034, 0.36), (0.047, -0.3), (0.069, 0.22))
TAIL_CORNER_HZ = (7000.0, 2500.0)
#: One seed for all rooms, so that two rooms differ by their size and wetness alone: a small timbre
#: distance must be a small difference of the audio.
TAIL_SEED = 20_260_101


class Modes(NamedTuple):
    """Frequencies, decay rates and amplitudes of M modes.

    ``frequencies_hz [M]``, ``rates_per_s [M]``, and ``gains [2, M]`` for a contact at the centre of
    the object and at its edge.
    """

    frequencies_hz: FloatArray
    rates_per_s: FloatArray
    gains: FloatArray


def render_audio(scene: Scene, sample_rate_hz: int = SAMPLE_RATE_HZ) -> Waveform:
    """Audio of a scene, float32 ``[T]`` with T = round(seconds * rate), peak below 0.95.

    Impacts start within a sample of their time. The level of the loudest event follows from action
    and strength, which the video shows, and not from the hidden timbre.
    """
    n_samples = round(scene.seconds * sample_rate_hz)
    audio = _convolve(scene, n_samples, sample_rate_hz)
    if scene.events:
        audio *= _compute_gain(audio, scene, sample_rate_hz)
    floor = _make_floor(scene.name, n_samples, sample_rate_hz)
    return np.asarray(audio + floor * 10.0 ** (FLOOR_DB / 20.0), dtype=np.float32)


def _convolve(scene: Scene, n_samples: int, sample_rate_hz: int) -> FloatArray:
    """(forces through modes + contact noise) through the room, ``[T]``; the end is faded out."""
    from scipy import fft

    modes = compute_modes(MATERIALS[scene.material], scene.timbre, ACTIONS[scene.action].exciter)
    responses = compute_impulse_responses(modes, sample_rate_hz)
    responses /= np.abs(responses).max()
    room = compute_room_response(scene.timbre, sample_rate_hz)
    tracks = excite(scene, n_samples, sample_rate_hz)
    # Convolutions are products of spectra; this length holds the full result, so that nothing
    # wraps around to the start.
    n_fft = fft.next_fast_len(n_samples + responses.shape[1] + room.size, real=True)
    ringing = np.sum(fft.rfft(tracks.forces, n_fft) * fft.rfft(responses, n_fft), axis=0)
    spectrum = (ringing + fft.rfft(tracks.contact_noise, n_fft)) * fft.rfft(room, n_fft)
    audio = np.asarray(fft.irfft(spectrum, n_fft)[:n_samples], dtype=np.float64)
    # A clip ends in the middle of a decay, and a step to zero would be an onset of its own.
    n_fade = round(FADE_S * sample_rate_hz)
    audio[-n_fade:] *= np.linspace(1.0, 0.0, n_fade)
    return audio


def _compute_gain(audio: FloatArray, scene: Scene, sample_rate_hz: int) -> float:
    """The factor that gives the loudest 50 ms the RMS of the action, or the peak its limit."""
    strongest = max(event.strength for event in scene.events)
    target = FULL_LOUDNESS * ACTIONS[scene.action].exciter.level * (0.4 + 0.6 * strongest)
    n_samples = round(LOUDNESS_S * sample_rate_hz)
    # Differences of the cumulative energy are the energies of all windows, in one pass.
    energy = np.concatenate([[0.0], np.cumsum(audio**2)])
    loudness = float(np.sqrt((energy[n_samples:] - energy[:-n_samples]).max() / n_samples))
    return min(target / loudness, PEAK / float(np.abs(audio).max()))


def _make_floor(name: str, n_samples: int, sample_rate_hz: int) -> FloatArray:
    """Pink noise ``[T]`` of unit RMS: -3 dB per octave above 60 Hz, the same for a clip's name."""
    from scipy import fft

    rng = np.random.default_rng(stable_seed("floor", name))
    n_fft = fft.next_fast_len(n_samples, real=True)
    frequencies_hz = fft.rfftfreq(n_fft, 1.0 / sample_rate_hz)
    white = fft.rfft(rng.normal(size=n_fft))
    # A power of 1/f is an amplitude of 1/sqrt(f); held below 60 Hz, since 1/f has no value at 0.
    pink = fft.irfft(white / np.sqrt(np.maximum(frequencies_hz, 60.0)), n_fft)[:n_samples]
    return np.asarray(pink / np.sqrt(np.mean(pink**2)), dtype=np.float64)


# --- The object: a bank of damped modes


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


# --- The room: a few early echoes and a tail that decays


def compute_room_response(timbre: Timbre, sample_rate_hz: int) -> FloatArray:
    """Impulse response ``[T]`` of the room of a timbre; the direct path is 1 at sample 0.

    ``room_size`` sets the echo delays and the decay time (T60, 0.12 to 1.1 s), ``room_wetness`` the
    amplitude of everything after the direct path. Larger rooms have a lower cutoff. The tail is
    low-passed noise of unit energy that decays by 60 dB over its length.
    """
    from scipy import signal

    size = timbre.room_size
    n_samples = round(interpolate_log(ROOM_DECAY_S, size) * sample_rate_hz)
    noise = np.random.default_rng(TAIL_SEED).normal(size=n_samples)
    numerator, denominator = signal.butter(1, interpolate(TAIL_CORNER_HZ, size), fs=sample_rate_hz)
    progress = np.arange(n_samples) / n_samples
    # Reflections grow dense with time only, so the tail fades in, with a time constant of 1/30 of
    # its length, while the discrete echoes lead.
    fade_in = 1.0 - np.exp(-progress * 30.0)
    tail = signal.lfilter(numerator, denominator, noise) * fade_in * np.exp(-DECAY_60_DB * progress)
    reflected = np.asarray(tail / np.sqrt(np.sum(tail**2)), dtype=np.float64)
    for delay_s, level in ECHOES:
        reflected[round(delay_s * (0.15 + 0.85 * size) * sample_rate_hz)] += level
    response = interpolate(WETNESS, timbre.room_wetness) * reflected
    # No propagation delay: an onset in the audio is the event in the video.
    response[0] += 1.0
    return response
