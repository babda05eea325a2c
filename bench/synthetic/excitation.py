"""Excitation of the object: forces, noise and bubbles, placed on the time line to the sample.

The contact model has three tracks: forces at the centre and at the edge of the object, which its
modes filter, and the noise of the contact itself, which reaches the room unfiltered.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bench.seeds import stable_seed
from bench.synthetic.actions import ACTIONS, Exciter
from bench.synthetic.materials import MATERIALS, interpolate, interpolate_log
from bench.synthetic.motion import sample_grains, stroke_speed
from bench.synthetic.scene import Event, Scene
from bench.types import FloatArray

#: Amplitude grows as strength to this power: a harder impact is louder by more than its strength.
LOUDNESS_POWER = 1.3
GRAIN_BURST_S = 0.001
TEETH_PER_STROKE = 26.0
BUBBLE_S = 0.09
BUBBLE_HZ = (420.0, 1100.0)
BUBBLE_LEVEL = 0.5
#: Noise bursts are cut after this many time constants, at exp(-6) or -52 dB.
NOISE_BURST_DECAYS = 6.0


class Tracks(NamedTuple):
    """Excitation of one scene: ``forces [2, T]`` (centre, edge) and ``contact_noise [T]``."""

    forces: FloatArray
    contact_noise: FloatArray


def excite(scene: Scene, n_samples: int, sample_rate_hz: int) -> Tracks:
    """Tracks of all events of a scene; what exceeds ``n_samples`` is cut."""
    from scipy import signal

    action, material = ACTIONS[scene.action], MATERIALS[scene.material]
    tracks = Tracks(np.zeros((2, n_samples)), np.zeros(n_samples))
    for event in scene.events:
        # One generator per event number: an event that is moved or left alone keeps its noise.
        rng = np.random.default_rng(stable_seed("noise", scene.name, event.number))
        if scene.action == "sprinkling":
            _add_grains(tracks, scene, event, rng, sample_rate_hz)
        elif action.is_stroke:
            _add_stroke(tracks, scene, event, rng, sample_rate_hz)
        else:
            _add_impact(tracks, scene, event, rng, sample_rate_hz)
    corner_hz = interpolate_log(material.noise_hz, scene.timbre.brightness)
    sections = signal.butter(2, corner_hz, fs=sample_rate_hz, output="sos")
    return Tracks(tracks.forces, np.asarray(signal.sosfilt(sections, tracks.contact_noise)))


def _add_impact(
    tracks: Tracks, scene: Scene, event: Event, rng: np.random.Generator, sample_rate_hz: int
) -> None:
    """A force pulse and a burst of noise; a drop adds a bubble.

    The contact lasts ``contact_s * softness / strength``: a harder impact is shorter and hence
    brighter, a softer body the opposite. (Elastic spheres, after Hertz, have the same tendency with
    a power of -1/5 of the speed; the larger power here makes strength audible.)
    """
    exciter = ACTIONS[scene.action].exciter
    start = round(event.time_s * sample_rate_hz)
    loudness = event.strength**LOUDNESS_POWER
    contact_s = exciter.contact_s * MATERIALS[scene.material].softness
    force = _force_pulse(contact_s / event.strength, sample_rate_hz)
    # The point of contact varies from event to event, as no hand hits the same point twice.
    at_centre = rng.uniform(0.3, 1.0)
    _add(tracks.forces[0], start, loudness * at_centre * force)
    _add(tracks.forces[1], start, loudness * (1.0 - at_centre) * force)
    level = loudness * _noise_level(scene, exciter)
    _add(tracks.contact_noise, start, level * _noise_burst(exciter.noise_s, rng, sample_rate_hz))
    if scene.action == "dripping":
        bubble = _bubble(interpolate_log(BUBBLE_HZ, scene.timbre.pitch), sample_rate_hz)
        _add(tracks.contact_noise, start, BUBBLE_LEVEL * loudness * rng.uniform(0.6, 1.0) * bubble)


def _add_stroke(
    tracks: Tracks, scene: Scene, event: Event, rng: np.random.Generator, sample_rate_hz: int
) -> None:
    """Noise whose amplitude is the speed of the stroke; a saw adds a force for every tooth."""
    from scipy import signal

    exciter = ACTIONS[scene.action].exciter
    start = round(event.time_s * sample_rate_hz)
    n_samples = round(event.duration_s * sample_rate_hz)
    speed = event.strength * stroke_speed(np.arange(n_samples) / n_samples)
    # Roughness passes by at the speed of the stroke: a faster one makes a stronger force.
    rough = speed * rng.normal(size=n_samples)
    if scene.action == "sawing":
        # The position is the integral of the speed; a tooth passes wherever its integer part steps.
        teeth = np.diff(np.floor(TEETH_PER_STROKE * np.cumsum(speed) / speed.sum()), prepend=0.0)
        rough = 0.25 * rough + 12.0 * speed * np.sign(teeth)
    force = _force_pulse(exciter.contact_s * MATERIALS[scene.material].softness, sample_rate_hz)
    _add(tracks.forces[0], start, signal.fftconvolve(rough, force)[:n_samples])
    _add(tracks.contact_noise, start, _noise_level(scene, exciter) * rough)


def _add_grains(
    tracks: Tracks, scene: Scene, event: Event, rng: np.random.Generator, sample_rate_hz: int
) -> None:
    """One small impact per grain, at the centre or the edge depending on where it lands."""
    exciter = ACTIONS[scene.action].exciter
    force = _force_pulse(exciter.contact_s * MATERIALS[scene.material].softness, sample_rate_hz)
    level = _noise_level(scene, exciter)
    for time_s, strength, position in zip(*sample_grains(scene.name, event), strict=True):
        start = round(float(time_s) * sample_rate_hz)
        burst = _noise_burst(GRAIN_BURST_S, rng, sample_rate_hz)
        _add(tracks.forces[int(position > 0.5)], start, strength * force)
        _add(tracks.contact_noise, start, level * strength * burst)


def _noise_level(scene: Scene, exciter: Exciter) -> float:
    return exciter.noise * interpolate(MATERIALS[scene.material].noise, scene.timbre.noise)


def _force_pulse(seconds: float, sample_rate_hz: int) -> FloatArray:
    """The falling half of a raised cosine ``[T]`` with unit area.

    A real contact rises first. This one is strongest at its first sample, so that the onset of the
    audio is the time of the event to the sample; the unit area makes the momentum, and so the
    level of low modes, independent of the duration.
    """
    n_samples = max(2, round(seconds * sample_rate_hz))
    shape = np.cos(0.5 * np.pi * np.arange(n_samples) / n_samples) ** 2
    return np.asarray(shape / shape.sum())


def _noise_burst(decay_s: float, rng: np.random.Generator, sample_rate_hz: int) -> FloatArray:
    """White noise ``[T]`` under an exponential with the time constant ``decay_s``."""
    n_samples = round(NOISE_BURST_DECAYS * decay_s * sample_rate_hz)
    envelope = np.exp(-np.arange(n_samples) / (decay_s * sample_rate_hz))
    return np.asarray(envelope * rng.normal(size=n_samples))


def _bubble(pitch_hz: float, sample_rate_hz: int) -> FloatArray:
    """A bubble under water ``[T]``: its pitch rises near the surface (van den Doel, 2005).

    The phase in cycles is ``f (t + 4 t^2)``, its derivative the frequency ``f (1 + 8 t)``: a rise
    by 72 % over 0.09 s.
    """
    times_s = np.arange(round(BUBBLE_S * sample_rate_hz)) / sample_rate_hz
    cycles = pitch_hz * (times_s + 4.0 * times_s**2)
    envelope = np.exp(-times_s / (0.2 * BUBBLE_S)) * (1.0 - times_s / BUBBLE_S)
    return np.asarray(np.sin(2.0 * np.pi * cycles) * envelope)


def _add(track: FloatArray, start: int, audio: FloatArray) -> None:
    """Add ``audio`` to a track in place from sample ``start``, cut at the end of the track."""
    space = track[start : start + audio.size]
    space += audio[: space.size]
