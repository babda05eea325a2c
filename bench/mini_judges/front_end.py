"""What the small judges hear: log-mel frames with a floor below which codecs do not matter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.dsp.mel import htk_mel_bank, power_spectrogram, slaney_mel_bank

#: Power of a bin below which nothing is heard; a sine of full scale has a quarter.
FLOOR = 3e-8
#: Brings the log10 of powers near to mean 0 and unit variance.
CENTRE, SPREAD = -5.0, 1.5


class Hearing(NamedTuple):
    """A log-mel front end: rate, frames and bands."""

    sample_rate_hz: int
    n_fft: int
    window_samples: int
    hop_samples: int
    n_mels: int
    min_hz: float
    max_hz: float
    is_slaney: bool


def log_mel(waveforms: Tensor, hearing: Hearing) -> Tensor:
    """Frames ``[B, n_mels, T // hop]`` of mono ``waveforms [B, T]`` float32 in [-1, 1].

    Powers are relative to a sine of full scale, summed over each band, floored and as logarithms.
    """
    window = torch.hann_window(hearing.window_samples)
    power = power_spectrogram(
        waveforms, window, n_fft=hearing.n_fft, hop_samples=hearing.hop_samples
    )
    bands = torch.einsum("bft,fm->bmt", power / window.sum() ** 2, _bank(hearing).to(power))
    return levels(bands[..., : waveforms.shape[1] // hearing.hop_samples])


def levels(powers: Tensor) -> Tensor:
    """Powers of bands as the networks take them: logarithms near mean 0 and variance 1."""
    return ((powers + FLOOR).log10() - CENTRE) / SPREAD


def powers(frames: Tensor) -> Tensor:
    """The powers that ``levels`` were made of."""
    power: Tensor = 10.0 ** (frames * SPREAD + CENTRE) - FLOOR
    return power.clamp(min=0.0)


def noise_powers(hearing: Hearing) -> Tensor:
    """Powers ``[n_mels]`` of white noise of unit variance in each band, on average."""
    window = torch.hann_window(hearing.window_samples)
    share: Tensor = window.square().sum() / window.sum() ** 2
    return share * _bank(hearing).sum(dim=0)


def band_hertz(hearing: Hearing) -> Tensor:
    """Frequencies ``[n_mels]`` of the peaks of the bands."""
    hertz = torch.linspace(0.0, hearing.sample_rate_hz / 2, hearing.n_fft // 2 + 1)
    return hertz[_bank(hearing).argmax(dim=0)]


def _bank(hearing: Hearing) -> Tensor:
    """Triangles ``[n_fft // 2 + 1, n_mels]`` of height 1."""
    make = slaney_mel_bank if hearing.is_slaney else htk_mel_bank
    bank = make(
        hearing.n_mels, hearing.n_fft, hearing.sample_rate_hz, hearing.min_hz, hearing.max_hz
    )
    return torch.from_numpy(bank / np.maximum(bank.max(axis=0), 1e-9)).float()
