"""What Synchformer's audio encoder eats: one normalised log-mel image per segment of sound.

The power spectrogram is torchaudio's ``MelSpectrogram`` at its defaults: a periodic Hann window,
frames centred on multiples of the hop with reflection at the ends, and triangles of unit height
between points that are equally far apart on HTK's mel scale, mel = 2595 log10(1 + f / 700).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from bench.backbones.synchformer.segments import SAMPLE_RATE_HZ, audio_segments
from bench.dsp.mel import power_spectrogram

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

    The last frame of each is 0 before the normalisation. That is loud, a power of 1, not silent:
    the padding follows the logarithm, as it did in training.

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
    return torch.log(mel_filters().to(waveforms.device) @ power + POWER_FLOOR)


def mel_filters() -> Tensor:
    """Triangles on the frequencies of the transform, ``[128, 513]``, 1 at their peaks.

    In float32 throughout: the rounding, 1e-5, is part of the front end that the network knows.
    """
    nyquist_hz = SAMPLE_RATE_HZ / 2
    frequencies_hz = torch.linspace(0, nyquist_hz, FFT_SAMPLES // 2 + 1)
    mels = torch.linspace(0, 2595 * math.log10(1 + nyquist_hz / 700), N_MELS + 2)
    corners_hz = 700 * (10 ** (mels / 2595) - 1)
    left, peak, right = (corners_hz[k : k + N_MELS, None] for k in range(3))
    rising = (frequencies_hz - left) / (peak - left)
    falling = (right - frequencies_hz) / (right - peak)
    return torch.minimum(rising, falling).clamp(min=0)
