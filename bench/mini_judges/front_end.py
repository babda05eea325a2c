"""Inputs and classes of the mini judges: log-mel frames, small videos, actions and materials.

The power floor of the log-mel frames is above the error of audio codecs, so that embeddings of a
clip from disk and of the same clip as rendered agree.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.dsp.mel import htk_mel_bank, power_spectrogram, slaney_mel_bank
from bench.media import center_crop, resize_short_side
from bench.synthetic.actions import ACTIONS
from bench.synthetic.materials import MATERIALS
from bench.types import Pixels

ACTION_NAMES = tuple(ACTIONS)
MATERIAL_NAMES = tuple(MATERIALS)
N_ACTIONS = len(ACTION_NAMES)
N_MATERIALS = len(MATERIAL_NAMES)
#: Classes are every action on every material: label n is action ``ACTION_OF[n]`` on material
#: ``MATERIAL_OF[n]``.
N_LABELS = N_ACTIONS * N_MATERIALS
ACTION_OF = [label // N_MATERIALS for label in range(N_LABELS)]
MATERIAL_OF = [label % N_MATERIALS for label in range(N_LABELS)]

#: Width and height in pixels of the frames that networks read.
SIDE = 64
FRAMES_PER_S = 25
#: One frame in 12 (about two per second) is a still, from which the scene is recognised; motion is
#: read from all of them.
STILL_EVERY = 12

#: Added to the power of every band; a sine of full scale has a power of 1/4.
FLOOR = 3e-8
#: Normalise log10 of the powers to a mean near 0 and a standard deviation near 1.
CENTRE, SPREAD = -5.0, 1.5


class FrontEnd(NamedTuple):
    """Settings of a log-mel front end: rate, frames and bands."""

    sample_rate_hz: int
    n_fft: int
    window_samples: int
    hop_samples: int
    n_mels: int
    min_hz: float
    max_hz: float
    is_slaney: bool


def log_mel(waveforms: Tensor, front_end: FrontEnd) -> Tensor:
    """Frames ``[B, n_mels, T // hop]`` of mono ``waveforms [B, T]`` float32 in [-1, 1].

    The power of each band is divided by the squared sum of the window, which makes it independent
    of the window length, and normalised by ``normalise_powers``.
    """
    window = torch.hann_window(front_end.window_samples)
    power = power_spectrogram(
        waveforms, window, n_fft=front_end.n_fft, hop_samples=front_end.hop_samples
    )
    bands = torch.einsum("bft,fm->bmt", power / window.sum() ** 2, _bank(front_end).to(power))
    return normalise_powers(bands[..., : waveforms.shape[1] // front_end.hop_samples])


def normalise_powers(powers: Tensor) -> Tensor:
    """Convert band powers to the logarithms that the networks read."""
    return ((powers + FLOOR).log10() - CENTRE) / SPREAD


def restore_powers(frames: Tensor) -> Tensor:
    """Convert the output of ``normalise_powers`` back to band powers, at least 0."""
    power: Tensor = 10.0 ** (frames * SPREAD + CENTRE) - FLOOR
    # Rounding leaves some silent bands a little below the floor.
    return power.clamp(min=0.0)


def noise_powers(front_end: FrontEnd) -> Tensor:
    """Expected powers ``[n_mels]`` of white noise of unit variance in each band.

    A bin of the windowed DFT of white noise has the expected power ``sum(w^2)``; divided by
    ``sum(w)^2`` as in ``log_mel`` and summed with the weights of the band.
    """
    window = torch.hann_window(front_end.window_samples)
    share: Tensor = window.square().sum() / window.sum() ** 2
    return share * _bank(front_end).sum(dim=0)


def band_peaks_hz(front_end: FrontEnd) -> Tensor:
    """Frequencies ``[n_mels]`` of the largest weight of each band."""
    hertz = torch.linspace(0.0, front_end.sample_rate_hz / 2, front_end.n_fft // 2 + 1)
    return hertz[_bank(front_end).argmax(dim=0)]


def _bank(front_end: FrontEnd) -> Tensor:
    """Triangular filters ``[n_fft // 2 + 1, n_mels]`` of height 1.

    Slaney's bank has filters of equal area. At height 1 a tone has the same power in every band,
    and the floor is the same in all of them.
    """
    make_bank = slaney_mel_bank if front_end.is_slaney else htk_mel_bank
    bank = make_bank(
        front_end.n_mels,
        front_end.n_fft,
        front_end.sample_rate_hz,
        front_end.min_hz,
        front_end.max_hz,
    )
    # A narrow band between two bins of the FFT has no weight at all: it stays 0, not 0 / 0.
    return torch.from_numpy(bank / np.maximum(bank.max(axis=0), 1e-9)).float()


def grey_frames(pixels: Pixels) -> Pixels:
    """``pixels [F, H, W, 3]`` uint8 as the mean over their colours, ``[F, 64, 64]`` uint8."""
    grey = _resize(pixels).mean(axis=-1, dtype=np.float32)
    return np.asarray(np.round(grey), dtype=np.uint8)


def colour_stills(pixels: Pixels) -> Pixels:
    """One of every 12 of ``pixels [F, H, W, 3]`` uint8 at 25 fps, ``[S, 64, 64, 3]`` uint8."""
    return _resize(pixels[::STILL_EVERY])


def _resize(pixels: Pixels) -> Pixels:
    """The centre square of ``pixels [F, H, W, 3]`` at ``[F, 64, 64, 3]``; F may be 0."""
    # Training blocks without video have no frames, which no resizing takes.
    if len(pixels) == 0:
        return np.zeros((0, SIDE, SIDE, 3), dtype=np.uint8)
    return np.ascontiguousarray(center_crop(resize_short_side(pixels, SIDE), SIDE))
