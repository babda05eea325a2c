"""Augmentation of training examples: level, noise, low-pass and phase noise; brightness.

Generated audio differs from the rendered examples in all of these, and a judge should not react to
them as to another class. All are mild, so that the embeddings stay sensitive to timbre, which the
Fréchet distances measure.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from bench.mini_judges.front_end import (
    FrontEnd,
    band_peaks_hz,
    noise_powers,
    normalise_powers,
    restore_powers,
)

GAIN_DB = (-8.0, 6.0)
NOISE_DB = (-72.0, -38.0)
CUTOFF_HZ = (3_500.0, 16_000.0)
#: The largest standard deviation of phase noise in radians.
PHASE_NOISE_RAD = 1.2
PHASE_NOISE_FFT = 1024
#: Probability that a batch has phase noise, and that one of its examples is noisy or low-passed.
PHASE_NOISE_SHARE, NOISE_SHARE, LOW_PASS_SHARE = 0.35, 0.6, 0.33
#: The cutoff of examples that are not low-passed: far above every frequency, which is a gain of 1.
NO_CUTOFF_HZ = 1e6
#: Standard deviation of the log power of noise in one frame of one band, in nepers.
NOISE_SPREAD = 0.5


def augment_waveforms(waveforms: Tensor, sample_rate_hz: int, generator: Generator) -> Tensor:
    """Augment ``waveforms [B, T]``, each with its own random parameters."""
    if torch.rand(1, generator=generator) < PHASE_NOISE_SHARE:
        waveforms = add_phase_noise(waveforms, generator)
    waveforms = low_pass(waveforms, sample_rate_hz, generator)
    gain = 10.0 ** (uniform_between(GAIN_DB, len(waveforms), generator)[:, None] / 20.0)
    level = 10.0 ** (uniform_between(NOISE_DB, len(waveforms), generator)[:, None] / 20.0)
    noise = torch.randn(waveforms.shape, generator=generator)
    is_noisy = torch.rand(len(waveforms), generator=generator)[:, None] < NOISE_SHARE
    return waveforms * gain + noise * level * is_noisy


def augment_log_mel(frames: Tensor, front_end: FrontEnd, generator: Generator) -> Tensor:
    """Apply level, noise and low-pass to log-mel frames ``[B, M, F]``.

    The equivalent of ``augment_waveforms`` on the powers of the bands, which needs no new front end
    for every batch: the front end costs more than the small networks. Powers of independent
    signals add, a gain and a filter multiply them.
    """
    n = len(frames)
    gain = 10.0 ** (uniform_between(GAIN_DB, n, generator) / 10.0)
    noise = 10.0 ** (uniform_between(NOISE_DB, n, generator) / 10.0)
    noise = noise * (torch.rand(n, generator=generator) < NOISE_SHARE)
    cutoff_hz = _sample_cutoffs(n, generator)
    # Powers, hence the square of the amplitude response in ``low_pass``.
    response = (1.0 + (band_peaks_hz(front_end) / cutoff_hz[:, None]) ** 2) ** -2
    spread = (NOISE_SPREAD * torch.randn(frames.shape, generator=generator)).exp()
    added = spread * noise_powers(front_end)[:, None] * noise[:, None, None]
    powers = restore_powers(frames) * response[..., None] * gain[:, None, None]
    return normalise_powers(powers + added)


def add_phase_noise(waveforms: Tensor, generator: Generator) -> Tensor:
    """Rotate the phase of every STFT bin of ``waveforms [B, T]`` at random.

    Audio that is inverted from a spectrogram, by a vocoder or Griffin-Lim, has such phase errors,
    which smear its onsets.
    """
    window = torch.hann_window(PHASE_NOISE_FFT)
    hop = PHASE_NOISE_FFT // 4
    spectra = torch.stft(waveforms, PHASE_NOISE_FFT, hop, window=window, return_complex=True)
    strength = PHASE_NOISE_RAD * torch.rand(len(waveforms), generator=generator)[:, None, None]
    angles = torch.randn(spectra.shape, generator=generator) * strength
    spectra = spectra * torch.polar(torch.ones_like(angles), angles)
    return torch.istft(spectra, PHASE_NOISE_FFT, hop, window=window, length=waveforms.shape[1])


def low_pass(waveforms: Tensor, sample_rate_hz: int, generator: Generator) -> Tensor:
    """Attenuate a third of ``waveforms [B, T]`` above a random cutoff, by 12 dB per octave.

    The amplitude response is ``1 / (1 + (f / cutoff)^2)``, with zero phase.
    """
    spectra = torch.fft.rfft(waveforms)
    hertz = torch.linspace(0.0, sample_rate_hz / 2, spectra.shape[1])
    cutoff_hz = _sample_cutoffs(len(waveforms), generator)
    filtered: Tensor = spectra / (1.0 + (hertz / cutoff_hz[:, None]) ** 2)
    audio: Tensor = torch.fft.irfft(filtered, waveforms.shape[1])
    return audio


def jitter_brightness(pixels: Tensor, generator: Generator) -> Tensor:
    """Scale each video of ``pixels [B, ...]`` in 0 to 255 by 0.9 to 1.1. Returns float32."""
    light = 0.9 + 0.2 * torch.rand(len(pixels), generator=generator)
    light = light.reshape(-1, *(1 for _ in pixels.shape[1:]))
    return (pixels.float() * light).clamp(0.0, 255.0)


def uniform_between(limits: tuple[float, float], n: int, generator: Generator) -> Tensor:
    """Sample ``[n]`` numbers uniformly from a range."""
    return limits[0] + (limits[1] - limits[0]) * torch.rand(n, generator=generator)


def _sample_cutoffs(n: int, generator: Generator) -> Tensor:
    cutoffs = uniform_between(CUTOFF_HZ, n, generator)
    cutoffs[torch.rand(n, generator=generator) > LOW_PASS_SHARE] = NO_CUTOFF_HZ
    return cutoffs
