"""What the small judges see: the middle square of a picture at 64 x 64 pixels."""

from __future__ import annotations

import numpy as np

from bench.media import center_crop, resize_short_side
from bench.types import Pixels

SIDE = 64
FRAMES_PER_S = 25
#: Every so many frames is one that shows what there is, rather than what happens.
STILL_EVERY = 12


def grey_frames(pixels: Pixels) -> Pixels:
    """``pixels [F, H, W, 3]`` uint8 as the mean of their colours, ``[F, 64, 64]``."""
    grey = _small(pixels).mean(axis=-1, dtype=np.float32)
    return np.asarray(np.round(grey), dtype=np.uint8)


def colour_stills(pixels: Pixels) -> Pixels:
    """``pixels [F, H, W, 3]`` uint8 at 25 fps as one frame of 12, ``[S, 64, 64, 3]``."""
    return _small(pixels[::STILL_EVERY])


def _small(pixels: Pixels) -> Pixels:
    if len(pixels) == 0:
        return np.zeros((0, SIDE, SIDE, 3), dtype=np.uint8)
    return np.ascontiguousarray(center_crop(resize_short_side(pixels, SIDE), SIDE))
