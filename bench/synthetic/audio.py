"""The true sound of a scene: events drive a bank of modes, which sounds in a room.

Everything is linear after the excitation, so that one product of spectra does the work; nothing
comes before its event, and the direct sound has no delay.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from bench.seeds import stable_seed
from bench.synthetic.actions import ACTIONS
from bench.synthetic.excitation import excite
from bench.synthetic.materials import MATERIALS
from bench.synthetic.modes import impulse_responses, object_modes
from bench.synthetic.room import room_response
from bench.synthetic.world import Scene
from bench.types import FloatArray, Waveform

SAMPLE_RATE_HZ = 44_100
FLOOR_DB = -66.0
FADE_S = 0.01
PEAK = 0.9
#: Loudness is the highest level of any stretch of this length; the action and strength set it.
LOUDNESS_S = 0.05
FULL_LOUDNESS = 0.17


def render_audio(scene: Scene, sample_rate_hz: int = SAMPLE_RATE_HZ) -> Waveform:
    """The sound of a scene, float32 ``[T]`` with T = round(seconds * rate), peak below 0.95.

    An impact is heard within a sample of its time. The loudest event is as loud as its action and
    strength, which are seen, whatever the hidden timbre; a faint noise lies under everything.
    """
    n_samples = round(scene.seconds * sample_rate_hz)
    audio = _reverberate(scene, n_samples, sample_rate_hz)
    if scene.events:
        audio *= _gain(audio, scene, sample_rate_hz)
    floor = _floor(scene.name, n_samples, sample_rate_hz)
    return np.asarray(audio + floor * 10.0 ** (FLOOR_DB / 20.0), dtype=np.float32)


def _gain(audio: FloatArray, scene: Scene, sample_rate_hz: int) -> float:
    """What brings the loudest stretch to the loudness of its action, or the peak to its limit."""
    strongest = max(event.strength for event in scene.events)
    target = FULL_LOUDNESS * ACTIONS[scene.action].exciter.level * (0.4 + 0.6 * strongest)
    n_samples = round(LOUDNESS_S * sample_rate_hz)
    energy = np.concatenate([[0.0], np.cumsum(audio**2)])
    loudness = float(np.sqrt((energy[n_samples:] - energy[:-n_samples]).max() / n_samples))
    return min(target / loudness, PEAK / float(np.abs(audio).max()))


def _reverberate(scene: Scene, n_samples: int, sample_rate_hz: int) -> FloatArray:
    """(pushes through modes + contact noise) through the room, ``[T]``; the end is faded out."""
    exciter = ACTIONS[scene.action].exciter
    modes = object_modes(MATERIALS[scene.material], scene.timbre, exciter)
    responses = impulse_responses(modes, sample_rate_hz)
    responses /= np.abs(responses).max()
    room = room_response(scene.timbre, sample_rate_hz)
    tracks = excite(scene, n_samples, sample_rate_hz)
    n_fft = fft.next_fast_len(n_samples + responses.shape[1] + room.size, real=True)
    ringing = np.sum(fft.rfft(tracks.pushes, n_fft) * fft.rfft(responses, n_fft), axis=0)
    spectrum = (ringing + fft.rfft(tracks.contact, n_fft)) * fft.rfft(room, n_fft)
    audio = np.asarray(fft.irfft(spectrum, n_fft)[:n_samples], dtype=np.float64)
    n_fade = round(FADE_S * sample_rate_hz)
    audio[-n_fade:] *= np.linspace(1.0, 0.0, n_fade)
    return audio


def _floor(name: str, n_samples: int, sample_rate_hz: int) -> FloatArray:
    """Noise of unit level ``[T]`` that falls by 3 dB per octave above 60 Hz, the same per clip."""
    rng = np.random.default_rng(stable_seed("floor", name))
    n_fft = fft.next_fast_len(n_samples, real=True)
    frequencies_hz = fft.rfftfreq(n_fft, 1.0 / sample_rate_hz)
    white = fft.rfft(rng.normal(size=n_fft))
    pink = fft.irfft(white / np.sqrt(np.maximum(frequencies_hz, 60.0)), n_fft)[:n_samples]
    return np.asarray(pink / np.sqrt(np.mean(pink**2)), dtype=np.float64)
