"""What a sound may go through before it is judged: other levels, noise, dull and smeared sound.

All of it is mild, so that what is learned stays sensitive to timbre.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

GAIN_DB = (-8.0, 6.0)
NOISE_DB = (-72.0, -38.0)
CORNER_HZ = (3_500.0, 16_000.0)
#: The largest standard deviation in radians of the phase of smeared sounds.
SMEAR = 1.2
SMEAR_FFT = 1024
#: Shares of batches that are smeared, and of sounds that are noisy or dull.
SMEARED_SHARE, NOISY_SHARE, DULL_SHARE = 0.35, 0.6, 0.33
#: The corner of sounds that are not dull.
NEVER_HZ = 1e6


def augment(waveforms: Tensor, sample_rate_hz: int, generator: Generator) -> Tensor:
    """Sounds ``[B, T]``, each with some of the changes, drawn one by one."""
    if _draw(1, generator) < SMEARED_SHARE:
        waveforms = smear(waveforms, generator)
    waveforms = soften(waveforms, sample_rate_hz, generator)
    levels = 10.0 ** (between(GAIN_DB, len(waveforms), generator)[:, None] / 20.0)
    noise = 10.0 ** (between(NOISE_DB, len(waveforms), generator)[:, None] / 20.0)
    hiss = torch.randn(waveforms.shape, generator=generator)
    is_noisy = _draw(len(waveforms), generator)[:, None] < NOISY_SHARE
    return waveforms * levels + hiss * noise * is_noisy


def smear(waveforms: Tensor, generator: Generator) -> Tensor:
    """Phases that are not quite right, as a sound has them that was made from a spectrogram."""
    window = torch.hann_window(SMEAR_FFT)
    hop = SMEAR_FFT // 4
    spectra = torch.stft(waveforms, SMEAR_FFT, hop, window=window, return_complex=True)
    strength = SMEAR * _draw(len(waveforms), generator)[:, None, None]
    turns = torch.randn(spectra.shape, generator=generator) * strength
    spectra = spectra * torch.polar(torch.ones_like(turns), turns)
    return torch.istft(spectra, SMEAR_FFT, hop, window=window, length=waveforms.shape[1])


def soften(waveforms: Tensor, sample_rate_hz: int, generator: Generator) -> Tensor:
    """A third of the sounds with less and less above a corner, 12 dB per octave."""
    spectra = torch.fft.rfft(waveforms)
    hertz = torch.linspace(0.0, sample_rate_hz / 2, spectra.shape[1])
    corners = between(CORNER_HZ, len(waveforms), generator)
    corners[_draw(len(waveforms), generator) > DULL_SHARE] = NEVER_HZ
    softened: Tensor = spectra / (1.0 + (hertz / corners[:, None]) ** 2)
    audio: Tensor = torch.fft.irfft(softened, waveforms.shape[1])
    return audio


def _draw(n: int, generator: Generator) -> Tensor:
    return torch.rand(n, generator=generator)


def between(limits: tuple[float, float], n: int, generator: Generator) -> Tensor:
    """``[n]`` numbers spread evenly over a range."""
    return limits[0] + (limits[1] - limits[0]) * _draw(n, generator)


def tint(pixels: Tensor, generator: Generator) -> Tensor:
    """Pictures ``[B, ...]`` in 0 to 255, each a little brighter or darker."""
    light = 0.9 + 0.2 * torch.rand(len(pixels), generator=generator)
    light = light.reshape(-1, *(1 for _ in pixels.shape[1:]))
    return (pixels.float() * light).clamp(0.0, 255.0)
