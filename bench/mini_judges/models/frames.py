"""The video front end of the mini judges: the centre square of the frames at 64 x 64 pixels."""

from __future__ import annotations

import numpy as np

from bench.media import center_crop, resize_short_side
from bench.types import Pixels

SIDE = 64
FRAMES_PER_S = 25
#: One frame in 12 (about two per second) is a still, from which the scene is recognised; motion is
#: read from all of them.
STILL_EVERY = 12


def grey_frames(pixels: Pixels) -> Pixels:
    """``pixels [F, H, W, 3]`` uint8 as the mean over their colours, ``[F, 64, 64]`` uint8."""
    grey = _resize(pixels).mean(axis=-1, dtype=np.float32)
    return np.asarray(np.round(grey), dtype=np.uint8)


def colour_stills(pixels: Pixels) -> Pixels:
    """One of every 12 of ``pixels [F, H, W, 3]`` uint8 at 25 fps, ``[S, 64, 64, 3]`` uint8."""
    return _resize(pixels[::STILL_EVERY])


def _resize(pixels: Pixels) -> Pixels:
    if len(pixels) == 0:
        return np.zeros((0, SIDE, SIDE, 3), dtype=np.uint8)
    return np.ascontiguousarray(center_crop(resize_short_side(pixels, SIDE), SIDE))
