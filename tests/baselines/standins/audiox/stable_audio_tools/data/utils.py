"""Loaders of AudioX: audio at the rate of its file, put at the end of ten seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _standin import read_seconds
from torch import Tensor


def read_video(filepath: str, seek_time: float, duration: int, target_fps: int) -> Tensor:
    """Return frames; the last one is repeated where the video is shorter."""
    assert read_seconds(Path(filepath)) >= duration
    return np.zeros((duration * target_fps, 3, 8, 8), np.float32).view(Tensor)


def load_and_process_audio(
    audio_path: str | None, sample_rate: int, seconds_start: int, seconds_total: int
) -> Tensor:
    """Return ``[channels, samples]``, without resampling."""
    import torchaudio

    n_samples = sample_rate * seconds_total
    if audio_path is None:
        return np.zeros((2, n_samples), np.float32).view(Tensor)
    audio, _ = torchaudio.load(audio_path)
    audio = audio[:, :n_samples]
    return np.pad(audio, ((0, 0), (n_samples - audio.shape[1], 0))).view(Tensor)
