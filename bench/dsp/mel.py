"""Spectra and mel filter banks: what the front ends of the audio networks share.

Waveforms are mono, float32 in [-1, 1], ``[B, T]``; all of a batch have the same length. Mel scales
come in two kinds, Slaney's (librosa's default) and HTK's, mel(f) = 1127 ln(1 + f / 700 Hz).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

from bench.errors import MediaError
from bench.types import FloatArray

SLANEY_BEND_HZ, SLANEY_BEND_MEL = 1000.0, 15.0
SLANEY_LOG_STEP = math.log(6.4) / 27.0


def check_waveforms(
    waveforms: Tensor,
    network: str,
    sample_rate_hz: int,
    *,
    shortest: int = 1,
    longest: int | None = None,
) -> None:
    """Refuse a batch that ``network`` cannot hear; ``shortest`` and ``longest`` are in samples.

    Raises:
        ValueError: the batch is not float32 ``[B, T]``.
        MediaError: the sounds are too short or too long.
    """
    if waveforms.ndim != 2 or waveforms.dtype != torch.float32:
        raise ValueError(
            f"waveforms must be float32 [B, T], got {waveforms.dtype} {list(waveforms.shape)}"
        )
    n_samples = waveforms.shape[1]
    found = f"this one has {n_samples:,} ({n_samples / sample_rate_hz:.3f} s)"
    if n_samples < shortest:
        least = f"{shortest:,} samples ({shortest / sample_rate_hz:g} s at {sample_rate_hz:,} Hz)"
        raise MediaError(f"{network} needs a sound of at least {least}, {found}: use a longer one")
    if longest is not None and n_samples > longest:
        most = f"{longest:,} samples ({longest / sample_rate_hz:g} s at {sample_rate_hz:,} Hz)"
        raise MediaError(f"{network} hears at most {most}, {found}: cut it first")


def power_spectrogram(waveforms: Tensor, window: Tensor, *, n_fft: int, hop_samples: int) -> Tensor:
    """Squared magnitudes ``[B, n_fft // 2 + 1, 1 + T // hop_samples]`` of centred frames.

    The ends are mirrored; a ``window`` shorter than ``n_fft`` lies in the middle of its frame.
    """
    spectrum = torch.stft(
        waveforms,
        n_fft,
        hop_length=hop_samples,
        win_length=len(window),
        window=window.to(waveforms.device),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    return torch.view_as_real(spectrum).square().sum(-1)


@cache
def slaney_mel_bank(
    n_mels: int, n_fft: int, sample_rate_hz: int, min_hz: float, max_hz: float
) -> FloatArray:
    """Triangles ``[n_fft // 2 + 1, n_mels]`` of equal area with slopes linear in Hz: librosa's."""
    mels = np.linspace(_slaney_mel(min_hz), _slaney_mel(max_hz), n_mels + 2)
    edges = _slaney_hz(mels)
    bins = np.linspace(0, sample_rate_hz / 2, n_fft // 2 + 1)[:, np.newaxis]
    return _triangles(bins, edges) * (2.0 / (edges[2:] - edges[:-2]))


@cache
def htk_mel_bank(
    n_mels: int, n_fft: int, sample_rate_hz: int, min_hz: float, max_hz: float
) -> FloatArray:
    """Triangles ``[n_fft // 2 + 1, n_mels]``, 1 at their peaks, with slopes linear in mel.

    Kaldi and VGGish build theirs so; HTK's own slopes, and torchaudio's, are linear in Hz.
    """
    edges = np.linspace(_htk_mel(min_hz), _htk_mel(max_hz), n_mels + 2)
    bins = _htk_mel(np.linspace(0, sample_rate_hz / 2, n_fft // 2 + 1))[:, np.newaxis]
    return _triangles(bins, edges)


def _triangles(bins: FloatArray, edges: FloatArray) -> FloatArray:
    """Triangles of height 1 at ``bins [F, 1]``, each from one of ``edges [n + 2]`` to the next."""
    left, peak, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - left) / (peak - left), (right - bins) / (right - peak)
    return np.minimum(rising, falling).clip(min=0)


def _slaney_mel(frequency_hz: float) -> float:
    """Linear to 1 kHz (15 mel), then 27 mel for every factor of 6.4."""
    if frequency_hz < SLANEY_BEND_HZ:
        return frequency_hz * SLANEY_BEND_MEL / SLANEY_BEND_HZ
    return SLANEY_BEND_MEL + math.log(frequency_hz / SLANEY_BEND_HZ) / SLANEY_LOG_STEP


def _slaney_hz(mels: FloatArray) -> FloatArray:
    linear = mels * SLANEY_BEND_HZ / SLANEY_BEND_MEL
    bent = SLANEY_BEND_HZ * np.exp(SLANEY_LOG_STEP * (mels - SLANEY_BEND_MEL))
    return np.where(mels < SLANEY_BEND_MEL, linear, bent)


def _htk_mel(frequency_hz: float | FloatArray) -> FloatArray:
    return np.asarray(1127 * np.log1p(np.asarray(frequency_hz) / 700))
