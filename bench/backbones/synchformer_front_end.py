"""Synchformer's front ends: waveforms and pixels to the segments that it encodes one by one.

A segment lasts 0.64 s, 10,240 samples or 16 frames, and the next one starts 0.32 s later. Audio and
video of the same length have the same number of segments: 24 in 8 s, 14 in 4.8 s, 30 in 10 s.
A remainder at the end is dropped.

The power spectrogram is torchaudio's ``MelSpectrogram`` at its defaults: a periodic Hann window,
frames centred on multiples of the hop with reflection at the ends, and ``torchaudio_mel_bank``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from bench.dsp.mel import check_waveforms, power_spectrogram, torchaudio_mel_bank
from bench.errors import MediaError

SAMPLE_RATE_HZ = 16_000
FRAMES_PER_S = 25
#: Side of the square that is cut from the centre of each frame.
SIDE_PIXELS = 224

SEGMENT_SAMPLES = 10_240
SEGMENT_FRAMES = 16

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

    S = (T - 10240) // 5120 + 1. The last frame of each is 0 before the normalisation: the logarithm
    of a power of 1, not of silence: padding follows the logarithm, as it did in training.

    Raises:
        ValueError: the waveforms are not float32 [B, T].
        MediaError: they are shorter than one segment (0.64 s).
    """
    check_waveforms(waveforms, "Synchformer", SAMPLE_RATE_HZ, shortest=SEGMENT_SAMPLES)
    # Segments are cut before the spectrogram, although they overlap by half: each has ends of its
    # own, where the reflection makes other frames than the waveform that goes on.
    segments = waveforms.unfold(1, SEGMENT_SAMPLES, SEGMENT_SAMPLES // 2)
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


def video_front_end(pixels: Tensor) -> Tensor:
    """RGB ``pixels [..., H, W, 3]`` uint8 as float32 ``[..., 3, H, W]`` in [-1, 1]."""
    # Each step as the reference evaluator rounds it: to [0, 1] first, then mean and spread 0.5.
    return (pixels.movedim(-1, -3) / 255 - 0.5) / 0.5


def video_segments(frames: Tensor) -> Tensor:
    """``frames [B, F, 3, 224, 224]`` at 25 fps as segments ``[B, S, 16, 3, 224, 224]``.

    S = (F - 16) // 8 + 1. A view, not a copy.

    Raises:
        ValueError: the frames are not float32 [B, F, 3, 224, 224].
        MediaError: they are fewer than one segment.
    """
    shape = list(frames.shape)
    is_float = frames.dtype == torch.float32
    if not is_float or len(shape) != 5 or shape[2:] != [3, SIDE_PIXELS, SIDE_PIXELS]:
        raise ValueError(f"frames must be float32 [B, F, 3, 224, 224], got {frames.dtype} {shape}")
    if shape[1] < SEGMENT_FRAMES:
        raise MediaError(
            f"Synchformer needs a video of at least {SEGMENT_FRAMES} frames (0.64 s at "
            f"{FRAMES_PER_S} fps), this one has {shape[1]}: use a longer one"
        )
    # unfold puts the frames of a segment last, the encoder expects them before the colours.
    return frames.unfold(1, SEGMENT_FRAMES, SEGMENT_FRAMES // 2).movedim(-1, 2)
