"""The input features of Synchformer's audio encoder: one normalised log-mel image per segment.

The power spectrogram is torchaudio's ``MelSpectrogram`` at its defaults: a periodic Hann window,
frames centred on multiples of the hop with reflection at the ends, and ``torchaudio_mel_bank``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from bench.backbones.synchformer.segments import SAMPLE_RATE_HZ, audio_segments
from bench.dsp.mel import power_spectrogram, torchaudio_mel_bank

WINDOW_SAMPLES = 400
HOP_SAMPLES = 160
FFT_SAMPLES = 1_024
N_MELS = 128

POWER_FLOOR = 1e-6
#: Of the logarithms of AudioSet, as the network was trained.
LOG_MEAN = -4.2677393
LOG_STD = 4.5689974


def front_end(waveforms: Tensor) -> Tensor:
    """``waveforms [B, T]`` at 16 kHz, in [-1, 1], as images ``[B, S, 128 mels, 66 frames]``.

    The last frame of each is 0 before the normalisation: the logarithm of a power of 1, not
    of silence: padding follows the logarithm, as it did in training.

    Raises:
        ValueError: the waveforms are not float32 [B, T].
        MediaError: they are shorter than one segment (0.64 s).
    """
    segments = audio_segments(waveforms)
    images = functional.pad(log_mel(segments.flatten(0, 1)), (0, 1))
    return ((images - LOG_MEAN) / (2 * LOG_STD)).reshape(*segments.shape[:2], N_MELS, -1)


def log_mel(waveforms: Tensor) -> Tensor:
    """``waveforms [B, T]`` at 16 kHz as ln of mel power ``[B, 128, T // 160 + 1]``."""
    power = power_spectrogram(
        waveforms, torch.hann_window(WINDOW_SAMPLES), n_fft=FFT_SAMPLES, hop_samples=HOP_SAMPLES
    )
    bank = torchaudio_mel_bank(N_MELS, FFT_SAMPLES, SAMPLE_RATE_HZ).T.contiguous()
    # Added and not a floor, so that bands below it still differ.
    return torch.log(bank.to(waveforms.device) @ power + POWER_FLOOR)
