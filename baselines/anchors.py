"""Floors and ceilings: the scores of audio that is true, silent, or right in one respect only.

Each anchor keeps one property of the true audio and gives up the others, which shows whether a
metric measures the property that it claims to measure.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from baselines import nothing_to_load
from bench.errors import BenchError
from bench.media import read_audio
from bench.system import System
from bench.types import MAX_SHORTFALL_S, Audio, Clip, FloatArray, Request, Waveform

CODE = ("baselines.anchors",)
SILENCE_RATE_HZ = 44_100
CROSSFADE_S = 0.01
SPECTRUM_WINDOW_S = 0.05
#: RMS of the white noise for a clip without true audio: -20 dB of full scale.
WHITE_LEVEL = 0.1


def ground_truth(request: Request) -> Audio:
    """Return the clip's own audio over the requested window."""
    return _read_window(request, request.clip, "the clip itself")


def silence(request: Request) -> Audio:
    """Return zeros."""
    n_samples = round(request.seconds * SILENCE_RATE_HZ)
    return Audio(np.zeros((1, n_samples), np.float32), SILENCE_RATE_HZ)


def noise(request: Request) -> Audio:
    """Return Gaussian noise with the long-term spectrum and level of the true audio, mono.

    Noise that would exceed full scale is scaled down. For a clip without true audio it is white.
    """
    rng = np.random.default_rng(request.seed)
    if request.clip is not None and request.clip.audio is None:
        white = rng.standard_normal(round(request.seconds * SILENCE_RATE_HZ))
        return Audio(_within_full_scale(WHITE_LEVEL * white[None]), SILENCE_RATE_HZ)
    truth = ground_truth(request)
    samples = truth.mono().astype(np.float64)
    shaped = _with_spectrum_of(samples, rng.standard_normal(samples.size), truth.sample_rate_hz)
    level = _rms(samples) / max(_rms(shaped), np.finfo(np.float64).tiny)
    return Audio(_within_full_scale(level * shaped[None]), truth.sample_rate_hz)


def shuffled(request: Request) -> Audio:
    """Return the audio of another clip of the split over that clip's window."""
    return _read_window(request, request.other, "another clip")


def reference_loop(request: Request) -> Audio:
    """Return the reference repeated to the requested length, with equal-power crossfades.

    Each repetition overlaps the last 10 ms of the one before it, or half of a short reference.
    """
    if request.reference is None or not request.reference.samples.size:
        raise BenchError(f"clip {request.name!r} has no reference audio, which this system repeats")
    samples, rate = request.reference.samples, request.reference.sample_rate_hz
    fade = min(round(CROSSFADE_S * rate), samples.shape[1] // 2)
    period = _crossfade_ends(samples, fade)
    n_samples = round(request.seconds * rate)
    looped = np.tile(period, max(1, -(-n_samples // period.shape[1])))
    looped[:, :fade] = samples[:, :fade]  # the first repetition fades in from nothing
    return Audio(_within_full_scale(looped[:, :n_samples]), rate)


def _read_window(request: Request, clip: Clip | None, role: str) -> Audio:
    """Read the requested seconds of a clip's audio; BenchError names ``role`` if it is missing."""
    if clip is None or clip.audio is None:
        raise BenchError(
            f"the request for clip {request.name!r} is without {role}, which this anchor reads"
        )
    return read_audio(replace(clip.audio, seconds=request.seconds), shortfall_s=MAX_SHORTFALL_S)


def _crossfade_ends(samples: Waveform, fade: int) -> FloatArray:
    """Return one period of the loop ``[C, T - fade]``, whose start is mixed with its end.

    sin^2 + cos^2 = 1, so the power at a joint is that of the reference where both ends are
    uncorrelated, as two parts of a recording are; a linear crossfade would dip by 3 dB.
    """
    n_samples = samples.shape[1] - fade
    period = samples[:, :n_samples].astype(np.float64)
    angles = 0.5 * np.pi * (np.arange(fade) + 0.5) / max(fade, 1)
    period[:, :fade] *= np.sin(angles)
    period[:, :fade] += samples[:, n_samples:] * np.cos(angles)
    return period


def _with_spectrum_of(samples: FloatArray, white: FloatArray, sample_rate_hz: int) -> FloatArray:
    """Return white noise ``[T]`` filtered to the long-term spectrum of ``samples [T]``."""
    from scipy.signal import welch  # a list of systems starts without SciPy

    # Welch's average over windows of 50 ms resolves 20 Hz: the colour of the audio and not the fine
    # lines of its spectrum. The phase stays that of the noise, so the timing is lost.
    window = min(round(SPECTRUM_WINDOW_S * sample_rate_hz), samples.size)
    frequencies_hz, power = welch(samples, sample_rate_hz, nperseg=window)
    bins_hz = np.fft.rfftfreq(white.size, 1.0 / sample_rate_hz)
    gains = np.interp(bins_hz, frequencies_hz, np.sqrt(power))
    return np.fft.irfft(np.fft.rfft(white) * gains, white.size)


def _rms(samples: FloatArray) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def _within_full_scale(samples: FloatArray) -> Waveform:
    """Return the samples, scaled down if their peak is beyond full scale."""
    return (samples / max(1.0, float(np.abs(samples).max(initial=0.0)))).astype(np.float32)


GROUND_TRUTH = System(
    "ground-truth",
    "The clip's own audio: the ceiling",
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
    "Noise with the spectrum and level of the true audio, without its timing",
    frozenset({"truth"}),
    nothing_to_load(noise),
    code=CODE,
    uses_device=False,
    is_anchor=True,
    needs_truth=False,
)
SHUFFLED = System(
    "shuffled",
    "The true audio of another clip: right in distribution, wrong for the clip",
    frozenset({"other"}),
    nothing_to_load(shuffled),
    code=CODE,
    uses_device=False,
    is_anchor=True,
)
REFERENCE_LOOP = System(
    "reference-loop",
    "The reference repeated: right timbre, timing of something else",
    frozenset({"reference"}),
    nothing_to_load(reference_loop),
    code=CODE,
    uses_device=False,
)
