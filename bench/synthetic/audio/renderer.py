"""The true audio of a scene: forces drive a bank of modes in a room.

    audio = gain * room * (sum over centre, edge of modes * forces + contact noise) + noise floor

where ``*`` between signals is convolution. All stages after the excitation are linear and causal
without delay, so that the onset of an impact is the time of its event.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from bench.seeds import stable_seed
from bench.synthetic.actions import ACTIONS
from bench.synthetic.audio.excitation import excite
from bench.synthetic.audio.modes import compute_impulse_responses, compute_modes
from bench.synthetic.audio.room import compute_room_response
from bench.synthetic.materials import MATERIALS
from bench.synthetic.scene import Scene
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


def render_audio(scene: Scene, sample_rate_hz: int = SAMPLE_RATE_HZ) -> Waveform:
    """Audio of a scene, float32 ``[T]`` with T = round(seconds * rate), peak below 0.95.

    Impacts start within a sample of their time. The level of the loudest event follows from action
    and strength, which the video shows, and not from the hidden timbre.
    """
    n_samples = round(scene.seconds * sample_rate_hz)
    audio = _convolve(scene, n_samples, sample_rate_hz)
    if scene.events:
        audio *= _gain(audio, scene, sample_rate_hz)
    floor = _noise_floor(scene.name, n_samples, sample_rate_hz)
    return np.asarray(audio + floor * 10.0 ** (FLOOR_DB / 20.0), dtype=np.float32)


def _gain(audio: FloatArray, scene: Scene, sample_rate_hz: int) -> float:
    """The factor that gives the loudest 50 ms the RMS of the action, or the peak its limit."""
    strongest = max(event.strength for event in scene.events)
    target = FULL_LOUDNESS * ACTIONS[scene.action].exciter.level * (0.4 + 0.6 * strongest)
    n_samples = round(LOUDNESS_S * sample_rate_hz)
    # Differences of the cumulative energy are the energies of all windows, in one pass.
    energy = np.concatenate([[0.0], np.cumsum(audio**2)])
    loudness = float(np.sqrt((energy[n_samples:] - energy[:-n_samples]).max() / n_samples))
    return min(target / loudness, PEAK / float(np.abs(audio).max()))


def _convolve(scene: Scene, n_samples: int, sample_rate_hz: int) -> FloatArray:
    """(forces through modes + contact noise) through the room, ``[T]``; the end is faded out."""
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
    n_fade = round(FADE_S * sample_rate_hz)
    audio[-n_fade:] *= np.linspace(1.0, 0.0, n_fade)
    return audio


def _noise_floor(name: str, n_samples: int, sample_rate_hz: int) -> FloatArray:
    """Pink noise ``[T]`` of unit RMS: -3 dB per octave above 60 Hz, the same for a clip's name."""
    rng = np.random.default_rng(stable_seed("floor", name))
    n_fft = fft.next_fast_len(n_samples, real=True)
    frequencies_hz = fft.rfftfreq(n_fft, 1.0 / sample_rate_hz)
    white = fft.rfft(rng.normal(size=n_fft))
    # A power of 1/f is an amplitude of 1/sqrt(f).
    pink = fft.irfft(white / np.sqrt(np.maximum(frequencies_hz, 60.0)), n_fft)[:n_samples]
    return np.asarray(pink / np.sqrt(np.mean(pink**2)), dtype=np.float64)
