"""Frames at another size: antialiased bicubic resizing and the crops of the reference evaluators.

Pixels are uint8 with channels last, ``[H, W, 3]`` or any number of leading axes. Judges and acfoley
resize by one function, equal to torchvision's to the bit (bicubic, antialias, on uint8), which the
published evaluators and models resize with. It needs torch.
"""

from __future__ import annotations

import math

import numpy as np

from bench.errors import MediaError
from bench.types import Pixels


def resize_frames(pixels: Pixels, height: int, width: int) -> Pixels:
    """Resize ``pixels [..., H, W, 3]`` to ``[..., height, width, 3]``, whatever the proportions."""
    # Imported here: ``bench.media`` also serves installs without torch, which resize no frames.
    import torch
    from torch.nn import functional

    frames = torch.from_numpy(np.ascontiguousarray(pixels).reshape(-1, *pixels.shape[-3:]))
    # The axes of an image that is stored channels last, which torch's uint8 kernel is made for.
    resized = functional.interpolate(
        frames.movedim(-1, 1), (height, width), mode="bicubic", antialias=True
    )
    channels_last = np.ascontiguousarray(resized.movedim(1, -1).numpy())
    return channels_last.reshape(*pixels.shape[:-3], height, width, 3)


def resize_short_side(pixels: Pixels, short_side: int) -> Pixels:
    """Resize ``pixels [..., H, W, 3]`` so that the short side is ``short_side``.

    The long side is ``int(short_side * long / short)``, as torchvision computes it.
    """
    height, width = pixels.shape[-3:-1]
    if min(height, width) == short_side:
        return pixels
    if width <= height:
        return resize_frames(pixels, int(short_side * height / width), short_side)
    return resize_frames(pixels, short_side, int(short_side * width / height))


def center_crop(pixels: Pixels, size: int) -> Pixels:
    """Crop the centre ``[..., size, size, 3]`` of ``pixels``; a half offset is rounded to even.

    As torchvision's CenterCrop does, which feeds Synchformer.
    """
    height, width = _checked_size(pixels, size)
    return _crop(pixels, round((height - size) / 2), round((width - size) / 2), size)


def three_crops(pixels: Pixels, size: int) -> Pixels:
    """Crop three squares along the long side of ``pixels``: ``[3, ..., size, size, 3]``.

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
        raise MediaError(f"cannot crop {size} x {size} from frames of {height} x {width}")
    return height, width


def _crop(pixels: Pixels, top: int, left: int, size: int) -> Pixels:
    return pixels[..., top : top + size, left : left + size, :]
