"""Reading of video in Woosh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _standin import read_video_track
from torch import Tensor


def extract_video_frames(
    video_path: str, start_time: float, end_time: float
) -> tuple[Tensor, float, None]:
    """Return the frames between two times."""
    _, _, n_frames, fps = read_video_track(Path(video_path))
    assert start_time == 0
    frames = np.arange(min(n_frames, round(end_time * fps)), dtype=float)
    return frames.view(Tensor), fps, None
