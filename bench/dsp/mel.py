"""Power spectra and mel filter banks: blocks of the front ends of all audio networks.

Waveforms are mono, float32 in [-1, 1], ``[B, T]``; all of a batch have the same length.

Published networks were trained on three kinds of mel bands, which are not interchangeable:

    slaney_mel_bank       Slaney's scale, unit area: librosa's default (PANNs, CLAP, BigVGAN)
    htk_mel_bank          HTK's scale, height 1, slopes linear in mel (Kaldi, VGGish, PaSST)
    torchaudio_mel_bank   HTK's scale, height 1, slopes linear in Hz (Synchformer)

HTK's scale is mel(f) = 1127 ln(1 + f / 700 Hz) = 2595 log10(1 + f / 700 Hz).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from bench._numba import load_librosa
from bench.errors import MediaError
from bench.types import FloatArray


def check_waveforms(
    waveforms: Tensor,
    network: str,
    sample_rate_hz: int,
    *,
    shortest: int = 1,
    longest: int | None = None,
) -> None:
    """Reject a batch that ``network`` cannot encode; ``shortest`` and ``longest`` are in samples.

    Raises:
        ValueError: the batch is not float32 ``[B, T]``.
        MediaError: the waveforms are too short or too long.
    """
    if waveforms.ndim != 2 or waveforms.dtype != torch.float32:
        raise ValueError(
            f"waveforms must be float32 [B, T], got {waveforms.dtype} {list(waveforms.shape)}"
        )
    n_samples = waveforms.shape[1]
    found = f"this one has {n_samples:,} ({n_samples / sample_rate_hz:.3f} s)"
    if n_samples < shortest:
        least = f"{shortest:,} samples ({shortest / sample_rate_hz:g} s at {sample_rate_hz:,} Hz)"
        raise MediaError(f"{network} needs audio of at least {least}, {found}: use a longer one")
    if longest is not None and n_samples > longest:
        most = f"{longest:,} samples ({longest / sample_rate_hz:g} s at {sample_rate_hz:,} Hz)"
        raise MediaError(f"{network} takes at most {most}, {found}: cut it first")


def power_spectrogram(waveforms: Tensor, window: Tensor, *, n_fft: int, hop_samples: int) -> Tensor:
    """Squared magnitudes ``[B, n_fft // 2 + 1, 1 + T // hop_samples]`` of centred frames.

    The ends are mirrored; a ``window`` shorter than ``n_fft`` is centred in its frame.
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
    # Not abs().square(): the root and its square cost time and a rounding each.
    return torch.view_as_real(spectrum).square().sum(-1)


@cache
def slaney_mel_bank(
    n_mels: int, n_fft: int, sample_rate_hz: int, min_hz: float, max_hz: float
) -> FloatArray:
    """Triangles ``[n_fft // 2 + 1, n_mels]`` of equal area with slopes linear in Hz: librosa's."""
    bank: FloatArray = load_librosa().filters.mel(
        sr=sample_rate_hz, n_fft=n_fft, n_mels=n_mels, fmin=min_hz, fmax=max_hz, dtype=np.float64
    )
    # Contiguous, because the layout of a matrix decides in which order products are summed.
    return np.ascontiguousarray(bank.T)


@cache
def htk_mel_bank(
    n_mels: int, n_fft: int, sample_rate_hz: int, min_hz: float, max_hz: float
) -> FloatArray:
    """Triangles ``[n_fft // 2 + 1, n_mels]``, 1 at their peaks, with slopes linear in mel.

    Kaldi and VGGish build theirs so; HTK's own slopes, and torchaudio's, are linear in Hz. In
    float64, as VGGish computes it: ``torchaudio.compliance.kaldi`` has this bank in float32 only.
    """
    edges = np.linspace(_to_htk_mel(min_hz), _to_htk_mel(max_hz), n_mels + 2)
    bins = _to_htk_mel(np.linspace(0, sample_rate_hz / 2, n_fft // 2 + 1))[:, np.newaxis]
    # Each edge is the peak of one triangle, the end of the one before and the start of the next. A
    # triangle is the lower of its two lines, cut off at 0.
    left, peak, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - left) / (peak - left), (right - bins) / (right - peak)
    return np.minimum(rising, falling).clip(min=0)


def _to_htk_mel(frequency_hz: float | FloatArray) -> FloatArray:
    return np.asarray(1127 * np.log1p(np.asarray(frequency_hz) / 700))


@cache
def torchaudio_mel_bank(n_mels: int, n_fft: int, sample_rate_hz: int) -> Tensor:
    """Triangles ``[n_fft // 2 + 1, n_mels]``, 1 at their peaks, with slopes linear in Hz.

    From 0 Hz to half the rate, in float32. Networks trained on ``torchaudio.transforms`` expect its
    rounding, 1e-5, too, so the bank comes from there.
    """
    from torchaudio.functional import melscale_fbanks

    bank: Tensor = melscale_fbanks(
        n_fft // 2 + 1, 0.0, sample_rate_hz / 2, n_mels, sample_rate_hz, norm=None, mel_scale="htk"
    )
    return bank
