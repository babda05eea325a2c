"""Pictures at another size: antialiased bicubic resizing and the crops of the reference evaluators.

Pixels are uint8 with channels last, ``[H, W, 3]`` or any number of leading axes. Resizing is
Pillow's, which agrees with torchvision's (bicubic, antialias, on uint8) to one grey level.
"""

from __future__ import annotations

import math

import numpy as np

from bench.errors import MediaError
from bench.types import Pixels


def resize_short_side(pixels: Pixels, short_side: int) -> Pixels:
    """``pixels [..., H, W, 3]`` with the short side at ``short_side`` and the same proportions.

    The long side is ``int(short_side * long / short)``.
    """
    from PIL import Image

    height, width = pixels.shape[-3:-1]
    if height == short_side <= width or width == short_side <= height:
        return pixels
    short, long = sorted((height, width))
    long_side = int(short_side * long / short)
    size = (short_side, long_side) if width <= height else (long_side, short_side)
    frames = [
        np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC))
        for frame in pixels.reshape(-1, height, width, 3)
    ]
    return np.stack(frames).reshape(*pixels.shape[:-3], size[1], size[0], 3)


def center_crop(pixels: Pixels, size: int) -> Pixels:
    """The middle ``[..., size, size, 3]`` of ``pixels``; a half offset is rounded to even.

    As torchvision's CenterCrop does, which feeds Synchformer.
    """
    height, width = _checked_size(pixels, size)
    return _crop(pixels, round((height - size) / 2), round((width - size) / 2), size)


def three_crops(pixels: Pixels, size: int) -> Pixels:
    """Three squares along the long side of ``pixels [..., H, W, 3]``: ``[3, ..., size, size, 3]``.

    Left, centre and right of a landscape or square, top, centre and bottom of a portrait; a half
    offset of the centre is rounded up. As pytorchvideo's spatial crops, which feed ImageBind.
    """
    height, width = _checked_size(pixels, size)
    top, left = math.ceil((height - size) / 2), math.ceil((width - size) / 2)
    if height > width:
        corners = [(0, left), (top, left), (height - size, left)]
    else:
        corners = [(top, 0), (top, left), (top, width - size)]
    return np.stack([_crop(pixels, *corner, size) for corner in corners])


def _checked_size(pixels: Pixels, size: int) -> tuple[int, int]:
    height, width = pixels.shape[-3:-1]
    if min(height, width) < size:
        raise MediaError(f"cannot crop {size} x {size} from a picture of {height} x {width}")
    return height, width


def _crop(pixels: Pixels, top: int, left: int, size: int) -> Pixels:
    return pixels[..., top : top + size, left : left + size, :]
