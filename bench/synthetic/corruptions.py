"""Corruptions of known size, for oracles that prove that a metric ranks as it claims.

Scene corruptions take a scene and return another before it is rendered; the video of the clip
remains that of the original scene. Signal corruptions take finished audio, mono float32 ``[T]``,
and return a new array.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.errors import BenchError
from bench.seeds import stable_seed
from bench.synthetic.materials import MATERIALS
from bench.synthetic.scene import Scene, Timbre, sample_timbre
from bench.types import FloatArray, Waveform

#: Directions that ``change_timbre`` tries between a random one and the farthest corner.
N_DIRECTIONS = 64
FILTER_ORDER = 8


def shift_events(scene: Scene, offset_s: float) -> Scene:
    """Move every event ``offset_s`` later; events that no longer fit the clip are dropped."""
    moved = (replace(event, time_s=event.time_s + offset_s) for event in scene.events)
    kept = tuple(
        event
        for event in moved
        if event.time_s >= 0.0 and event.time_s + event.duration_s < scene.seconds
    )
    return replace(scene, events=kept)


def change_timbre(scene: Scene, distance: float, seed: int) -> Scene:
    """Keep the class and use a timbre at Euclidean ``distance`` from the true one, in [0, 1]^9.

    The direction is drawn from ``seed``; it leans towards the farthest corner as far as necessary
    to stay in bounds.

    Raises:
        BenchError: even the farthest corner is closer than ``distance``.
    """
    start = scene.timbre.vector()
    corner = np.where(start < 0.5, 1.0, 0.0) - start
    if not 0.0 <= distance <= float(np.linalg.norm(corner)):
        raise BenchError(
            f"the timbre distance is {distance:g}, expected 0 to {np.linalg.norm(corner):.3f}, the "
            f"distance of the farthest timbre from that of {scene.name}"
        )
    rng = np.random.default_rng(stable_seed("timbre direction", scene.name, seed))
    # A random direction of a small distance nearly always stays in bounds and is taken as it is; a
    # large distance fits near the diagonal to the farthest corner only.
    for lean in np.linspace(0.0, 1.0, N_DIRECTIONS):
        direction = (1.0 - lean) * _unit(rng.normal(size=start.size)) + lean * _unit(corner)
        moved = start + distance * _unit(direction)
        if moved.min() >= 0.0 and moved.max() <= 1.0:
            return replace(scene, timbre=Timbre(*moved.tolist()))
    # The last direction points at the corner itself and can leave the box by rounding only.
    return replace(scene, timbre=Timbre(*np.clip(moved, 0.0, 1.0).tolist()))


def change_class(scene: Scene, seed: int) -> Scene:
    """Keep the events on another material, with a timbre of that material, both from ``seed``."""
    rng = np.random.default_rng(stable_seed("other class", scene.name, seed))
    others = [name for name in MATERIALS if name != scene.material]
    return replace(scene, material=str(rng.choice(others)), timbre=sample_timbre(rng))


def add_noise(audio: Waveform, level_db: float, rng: np.random.Generator) -> Waveform:
    """Add white noise whose RMS is ``level_db`` relative to that of the audio."""
    level = float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
    noise = rng.standard_normal(audio.size) * level * 10.0 ** (level_db / 20.0)
    return np.asarray(audio + noise, dtype=np.float32)


def low_pass(audio: Waveform, cutoff_hz: float, sample_rate_hz: int) -> Waveform:
    """Remove frequencies above ``cutoff_hz``.

    A Butterworth filter is applied forwards and backwards, which cancels its delay: a corruption of
    the spectrum must not move an onset.

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


def apply_gain(audio: Waveform, gain_db: float) -> Waveform:
    """Make the audio ``gain_db`` louder; negative is quieter."""
    return np.asarray(audio * 10.0 ** (gain_db / 20.0), dtype=np.float32)


def silence_from(audio: Waveform, start_s: float, sample_rate_hz: int) -> Waveform:
    """Set the audio to zero from ``start_s`` to its end."""
    kept = audio.copy()
    kept[max(0, round(start_s * sample_rate_hz)) :] = 0.0
    return kept


def speed_up(audio: Waveform, percent: float, sample_rate_hz: int) -> Waveform:
    """Play the audio at a sample rate ``percent`` too high: shorter, higher, drifting ahead.

    Raises:
        BenchError: the rate would not be positive.
    """
    from bench.media import resample

    wrong_hz = round(sample_rate_hz * (1.0 + percent / 100.0))
    if wrong_hz <= 0:
        raise BenchError(f"the speed is {percent:g} % off, expected more than -100 %")
    return resample(audio, wrong_hz, sample_rate_hz, method="soxr_hq")


def _unit(vector: FloatArray) -> FloatArray:
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float64)
