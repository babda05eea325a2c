"""The log-mel spectrogram that the codec works on: 44.1 kHz, 128 bands, a frame every 512 samples.

The autoencoder encodes it to latents and the vocoder decodes it to a waveform; both were trained on
exactly these numbers. Source: BigVGAN v2 (Lee et al., ICLR 2023; configuration
``bigvgan_v2_44khz_128band_512x``), as MMAudio computes it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from bench.dsp.mel import check_waveforms, slaney_mel_bank

#: Under the root of the squared magnitude, which keeps its gradient finite.
MAGNITUDE_FLOOR = 1e-9
#: Band values below are taken as this; its logarithm, -11.51, is silence.
MEL_FLOOR = 1e-5


@dataclass(frozen=True)
class MelParams:
    """A mel front end; the window is a periodic Hann of ``n_fft`` samples."""

    sample_rate_hz: int
    n_fft: int
    hop_samples: int
    n_mels: int
    min_hz: float
    max_hz: float

    @property
    def margin_samples(self) -> int:
        """Samples that are mirrored at both ends, so that each hop gives one frame."""
        return (self.n_fft - self.hop_samples) // 2


MEL_44K = MelParams(
    sample_rate_hz=44_100, n_fft=2048, hop_samples=512, n_mels=128, min_hz=0.0, max_hz=22_050.0
)


def log_mel(waveforms: Tensor, params: MelParams = MEL_44K) -> Tensor:
    """Natural logarithm of mel bands ``[B, n_mels, T // hop_samples]`` of ``waveforms [B, T]``.

    Samples are clamped to [-1, 1]; bands are sums of magnitudes (not powers) and at least 1e-5.

    Raises:
        ValueError: the waveforms are not float32 [B, T].
        MediaError: they are too short to be mirrored at their ends (769 samples at 44.1 kHz).
    """
    margin = params.margin_samples
    check_waveforms(waveforms, "the codec", params.sample_rate_hz, shortest=margin + 1)
    padded = functional.pad(waveforms.clamp(-1, 1), (margin, margin), mode="reflect")
    spectrum = torch.stft(
        padded,
        params.n_fft,
        hop_length=params.hop_samples,
        window=torch.hann_window(params.n_fft, device=waveforms.device),
        center=False,
        return_complex=True,
    )
    power = torch.view_as_real(spectrum).square().sum(-1)
    mel = mel_bank(params).to(waveforms.device).T @ (power + MAGNITUDE_FLOOR).sqrt()
    return mel.clamp(min=MEL_FLOOR).log()


def mel_bank(params: MelParams) -> Tensor:
    """Return the triangular filters of the bands, ``[n_fft // 2 + 1, n_mels]`` float32."""
    bank = slaney_mel_bank(
        params.n_mels, params.n_fft, params.sample_rate_hz, params.min_hz, params.max_hz
    )
    return torch.from_numpy(bank).float()
