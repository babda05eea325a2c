"""Floors and ceilings: the scores of sound that is right, absent, or beside the point.

Each anchor keeps one property of the true sound and gives up the others, so that every metric can
be seen to notice what it claims to measure.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.signal import welch

from baselines.opening import nothing_to_load
from bench.errors import BenchError
from bench.media import read_audio
from bench.system import System
from bench.types import MAX_SHORTFALL_S, Audio, Clip, FloatArray, Request, Waveform

CODE = ("baselines.anchors",)
SILENCE_RATE_HZ = 44_100
CROSSFADE_S = 0.01
SPECTRUM_WINDOW_S = 0.05


def ground_truth(request: Request) -> Audio:
    """Return the clip's own sound over the asked window."""
    return _sound_of(request, request.clip, "the clip itself")


def silence(request: Request) -> Audio:
    """Return zeros."""
    n_samples = round(request.seconds * SILENCE_RATE_HZ)
    return Audio(np.zeros((1, n_samples), np.float32), SILENCE_RATE_HZ)


def noise(request: Request) -> Audio:
    """Return Gaussian noise with the long-term spectrum and level of the true sound, mono.

    The spectrum is Welch's average over windows of 50 ms, so what is kept is colour and not pitch.
    Noise that would exceed full scale is made softer as a whole.
    """
    truth = ground_truth(request)
    samples = truth.mono().astype(np.float64)
    rng = np.random.default_rng(request.seed)
    shaped = _with_spectrum_of(samples, rng.standard_normal(samples.size), truth.sample_rate_hz)
    level = _rms(samples) / max(_rms(shaped), np.finfo(np.float64).tiny)
    return Audio(_within_full_scale(level * shaped[None]), truth.sample_rate_hz)


def shuffled(request: Request) -> Audio:
    """Return the sound of another clip of the split over its window."""
    return _sound_of(request, request.other, "another clip")


def reference_loop(request: Request) -> Audio:
    """Return the reference repeated to the asked length, joints crossfaded with equal power.

    Each repetition begins under the last 10 ms of the one before, half the reference at most.
    """
    if request.reference is None or not request.reference.samples.size:
        raise BenchError(f"clip {request.name!r} has no reference sound, which this system repeats")
    samples, rate = request.reference.samples, request.reference.sample_rate_hz
    fade = min(round(CROSSFADE_S * rate), samples.shape[1] // 2)
    turn = _turn(samples, fade)
    n_samples = round(request.seconds * rate)
    looped = np.tile(turn, max(1, -(-n_samples // turn.shape[1])))
    looped[:, :fade] = samples[:, :fade]  # nothing sounds before the first repetition
    return Audio(_within_full_scale(looped[:, :n_samples]), rate)


def _sound_of(request: Request, clip: Clip | None, role: str) -> Audio:
    if clip is None:
        raise BenchError(
            f"the request for clip {request.name!r} lacks {role}, which this anchor plays"
        )
    return read_audio(replace(clip.audio, seconds=request.seconds), shortfall_s=MAX_SHORTFALL_S)


def _turn(samples: Waveform, fade: int) -> FloatArray:
    """One turn of the loop, ``[C, T - fade]``: it begins under the end of the turn before."""
    n_samples = samples.shape[1] - fade
    turn = samples[:, :n_samples].astype(np.float64)
    angles = 0.5 * np.pi * (np.arange(fade) + 0.5) / max(fade, 1)
    turn[:, :fade] *= np.sin(angles)
    turn[:, :fade] += samples[:, n_samples:] * np.cos(angles)
    return turn


def _with_spectrum_of(samples: FloatArray, white: FloatArray, sample_rate_hz: int) -> FloatArray:
    """White noise ``[T]`` filtered to the long-term spectrum of ``samples [T]``."""
    window = min(round(SPECTRUM_WINDOW_S * sample_rate_hz), samples.size)
    frequencies_hz, power = welch(samples, sample_rate_hz, nperseg=window)
    bins_hz = np.fft.rfftfreq(white.size, 1.0 / sample_rate_hz)
    gains = np.interp(bins_hz, frequencies_hz, np.sqrt(power))
    return np.fft.irfft(np.fft.rfft(white) * gains, white.size)


def _rms(samples: FloatArray) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def _within_full_scale(samples: FloatArray) -> Waveform:
    """Samples as they are, or softer as a whole if their peak is beyond full scale."""
    return (samples / max(1.0, float(np.abs(samples).max(initial=0.0)))).astype(np.float32)


GROUND_TRUTH = System(
    "ground-truth",
    "The clip's own sound: the ceiling",
    frozenset({"truth"}),
    nothing_to_load(ground_truth),
    code=CODE,
    uses_device=False,
    is_anchor=True,
)
SILENCE = System(
    "silence",
    "Digital silence: the floor",
    frozenset(),
    nothing_to_load(silence),
    code=CODE,
    uses_device=False,
    sample_rate_hz=SILENCE_RATE_HZ,
    is_anchor=True,
)
NOISE = System(
    "noise",
    "Noise with the spectrum and level of the true sound, without its timing",
    frozenset({"truth"}),
    nothing_to_load(noise),
    code=CODE,
    uses_device=False,
    is_anchor=True,
)
SHUFFLED = System(
    "shuffled",
    "The true sound of another clip: right in distribution, wrong for the clip",
    frozenset({"other"}),
    nothing_to_load(shuffled),
    code=CODE,
    uses_device=False,
    is_anchor=True,
)
REFERENCE_LOOP = System(
    "reference-loop",
    "The reference sound repeated: right timbre, timing of something else",
    frozenset({"reference"}),
    nothing_to_load(reference_loop),
    code=CODE,
    uses_device=False,
)
