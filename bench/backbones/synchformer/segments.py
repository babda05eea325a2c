"""Cutting audio and video into the overlapping segments that Synchformer encodes one by one.

A segment lasts 0.64 s, 10,240 samples or 16 frames, and the next one starts 0.32 s later. Audio and
video of the same length have the same number of segments: 24 in 8 s, 14 in 4.8 s, 30 in 10 s.
A remainder at the end is dropped.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bench.dsp.mel import check_waveforms
from bench.errors import MediaError

SAMPLE_RATE_HZ = 16_000
FRAMES_PER_S = 25
#: Side of the square that is cut from the centre of each frame.
SIDE_PIXELS = 224

SEGMENT_SAMPLES = 10_240
SEGMENT_FRAMES = 16


def audio_segments(waveforms: Tensor) -> Tensor:
    """``waveforms [B, T]`` at 16 kHz as segments ``[B, S, 10240]``, S = (T - 10240) // 5120 + 1.

    A view, not a copy.

    Raises:
        ValueError: the waveforms are not float32 [B, T].
        MediaError: they are shorter than one segment.
    """
    check_waveforms(waveforms, "Synchformer", SAMPLE_RATE_HZ, shortest=SEGMENT_SAMPLES)
    return waveforms.unfold(1, SEGMENT_SAMPLES, SEGMENT_SAMPLES // 2)


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
