"""What drives the object: pushes, noise and bubbles, placed to the sample on the time line.

An excitation is three tracks: pushes at the centre and at the edge of the object, which its modes
answer, and the noise of the contact itself, which is heard as it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import signal

from bench.seeds import stable_seed
from bench.synthetic.actions import ACTIONS, Exciter
from bench.synthetic.materials import MATERIALS, Material
from bench.synthetic.modes import between, between_ratios
from bench.synthetic.motion import grains, stroke_speed
from bench.synthetic.rhythm import Event
from bench.synthetic.world import Scene
from bench.types import FloatArray

#: A harder blow is louder by more than its strength, and shorter, hence brighter.
LOUDNESS_POWER = 1.3
GRAIN_BURST_S = 0.001
TEETH_PER_STROKE = 26.0
BUBBLE_S = 0.09
BUBBLE_HZ = (420.0, 1100.0)
BUBBLE_LEVEL = 0.5
NOISE_BURST_DECAYS = 6.0


class Tracks(NamedTuple):
    """Excitation of one scene: ``pushes [2, T]`` (centre, edge) and ``contact [T]``."""

    pushes: FloatArray
    contact: FloatArray


def excite(scene: Scene, n_samples: int, sample_rate_hz: int) -> Tracks:
    """Tracks of all events of a scene; what does not fit ``n_samples`` is cut."""
    action = ACTIONS[scene.action]
    tracks = Tracks(np.zeros((2, n_samples)), np.zeros(n_samples))
    for event in scene.events:
        rng = np.random.default_rng(stable_seed("noise", scene.name, event.number))
        if scene.action == "sprinkling":
            _add_grains(tracks, scene, event, rng, sample_rate_hz)
        elif action.is_stroke:
            _add_stroke(tracks, scene, event, rng, sample_rate_hz)
        else:
            _add_blow(tracks, scene, event, rng, sample_rate_hz)
    corner_hz = noise_corner_hz(MATERIALS[scene.material], scene.timbre.brightness)
    sections = signal.butter(2, corner_hz, fs=sample_rate_hz, output="sos")
    return Tracks(tracks.pushes, np.asarray(signal.sosfilt(sections, tracks.contact)))


def noise_corner_hz(material: Material, brightness: float) -> float:
    """Where the contact noise of a material begins to fall."""
    return between_ratios(material.noise_hz, brightness)


def _add_blow(
    tracks: Tracks, scene: Scene, event: Event, rng: np.random.Generator, sample_rate_hz: int
) -> None:
    exciter = ACTIONS[scene.action].exciter
    start = round(event.time_s * sample_rate_hz)
    loudness = event.strength**LOUDNESS_POWER
    contact_s = exciter.contact_s * MATERIALS[scene.material].softness
    push = _push(contact_s / event.strength, sample_rate_hz)
    at_centre = rng.uniform(0.3, 1.0)
    _add(tracks.pushes[0], start, loudness * at_centre * push)
    _add(tracks.pushes[1], start, loudness * (1.0 - at_centre) * push)
    level = loudness * _noise_level(scene, exciter)
    _add(tracks.contact, start, level * _burst(exciter.noise_s, rng, sample_rate_hz))
    if scene.action == "dripping":
        bubble = _bubble(between_ratios(BUBBLE_HZ, scene.timbre.pitch), sample_rate_hz)
        _add(tracks.contact, start, BUBBLE_LEVEL * loudness * rng.uniform(0.6, 1.0) * bubble)


def _add_stroke(
    tracks: Tracks, scene: Scene, event: Event, rng: np.random.Generator, sample_rate_hz: int
) -> None:
    """Rough noise whose level is the speed; a saw adds a push for every tooth that passes."""
    exciter = ACTIONS[scene.action].exciter
    start = round(event.time_s * sample_rate_hz)
    n_samples = round(event.duration_s * sample_rate_hz)
    speed = event.strength * stroke_speed(np.arange(n_samples) / n_samples)
    rough = speed * rng.normal(size=n_samples)
    if scene.action == "sawing":
        teeth = np.diff(np.floor(TEETH_PER_STROKE * np.cumsum(speed) / speed.sum()), prepend=0.0)
        rough = 0.25 * rough + 12.0 * speed * np.sign(teeth)
    push = _push(exciter.contact_s * MATERIALS[scene.material].softness, sample_rate_hz)
    _add(tracks.pushes[0], start, signal.fftconvolve(rough, push)[:n_samples])
    _add(tracks.contact, start, _noise_level(scene, exciter) * rough)


def _add_grains(
    tracks: Tracks, scene: Scene, event: Event, rng: np.random.Generator, sample_rate_hz: int
) -> None:
    exciter = ACTIONS[scene.action].exciter
    push = _push(exciter.contact_s * MATERIALS[scene.material].softness, sample_rate_hz)
    level = _noise_level(scene, exciter)
    for time_s, strength, place in zip(*grains(scene.name, event), strict=True):
        start = round(float(time_s) * sample_rate_hz)
        _add(tracks.pushes[int(place > 0.5)], start, strength * push)
        _add(tracks.contact, start, level * strength * _burst(GRAIN_BURST_S, rng, sample_rate_hz))


def _noise_level(scene: Scene, exciter: Exciter) -> float:
    return exciter.noise * between(MATERIALS[scene.material].noise, scene.timbre.noise)


def _push(seconds: float, sample_rate_hz: int) -> FloatArray:
    """A push of unit area that is strongest at once, so that its onset is exact to the sample."""
    n_samples = max(2, round(seconds * sample_rate_hz))
    shape = np.cos(0.5 * np.pi * np.arange(n_samples) / n_samples) ** 2
    return np.asarray(shape / shape.sum())


def _burst(decay_s: float, rng: np.random.Generator, sample_rate_hz: int) -> FloatArray:
    n_samples = round(NOISE_BURST_DECAYS * decay_s * sample_rate_hz)
    fall = np.exp(-np.arange(n_samples) / (decay_s * sample_rate_hz))
    return np.asarray(fall * rng.normal(size=n_samples))


def _bubble(pitch_hz: float, sample_rate_hz: int) -> FloatArray:
    """A bubble under water: its pitch rises as it nears the surface (van den Doel, 2005)."""
    times_s = np.arange(round(BUBBLE_S * sample_rate_hz)) / sample_rate_hz
    cycles = pitch_hz * (times_s + 4.0 * times_s**2)
    fall = np.exp(-times_s / (0.2 * BUBBLE_S)) * (1.0 - times_s / BUBBLE_S)
    return np.asarray(np.sin(2.0 * np.pi * cycles) * fall)


def _add(track: FloatArray, start: int, audio: FloatArray) -> None:
    """Add a sound to a track from sample ``start``, cut at its end."""
    room = track[start : start + audio.size]
    room += audio[: room.size]
