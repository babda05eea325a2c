"""The frames of a clip as input of CLIP and Synchformer.

Frames are selected by ``bench.media``, as ffmpeg's ``fps`` filter does and the published batch
evaluation with it (the demonstration script takes the first frame at or after each time instead).
Both networks get the same span of time. The last frame of a video that ends up to 0.1 s early is
repeated, as everywhere.

Source: Cheng et al., "MMAudio", CVPR 2025, and its code.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from acfoley.params import CLIP_FPS, SYNC_FPS
from bench.backbones.synchformer import SIDE_PIXELS as SYNC_SIDE
from bench.backbones.synchformer import video_front_end
from bench.media import center_crop, iterate_frames, read_frames, resize_frames
from bench.types import MAX_SHORTFALL_S, Excerpt, Pixels

CLIP_SIDE = 384
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def clip_frames(video: Excerpt, seconds: float) -> Tensor:
    """The first ``int(8 seconds)`` frames at 8 fps as float32 ``[F, 3, 384, 384]``, normalised.

    Each is resized to a square, whatever its proportions (bicubic). One by one, so that a video is
    never in memory at its full size.

    Raises:
        MediaError: there is no video, or it ends more than 0.1 s before ``seconds``.
    """
    # Up to the end of the last whole frame: 8.06 s need no more video than 8 s.
    n_frames = int(CLIP_FPS * seconds)
    excerpt = replace(video, seconds=n_frames / CLIP_FPS)
    squares: list[Pixels] = []
    last_index = -1
    for frame in iterate_frames(excerpt, CLIP_FPS, shortfall_s=MAX_SHORTFALL_S):
        # A video below 8 fps, or at its end, gives one frame several times: it is resized once.
        is_repeated = frame.index == last_index
        if is_repeated:
            squares.append(squares[-1])
        else:
            squares.append(resize_frames(frame.pixels, CLIP_SIDE, CLIP_SIDE))
        last_index = frame.index
    mean, std = torch.tensor([CLIP_MEAN, CLIP_STD])[:, :, None, None]
    images = torch.from_numpy(np.stack(squares)).movedim(-1, 1).contiguous()
    normalised: Tensor = (images / 255 - mean) / std
    return normalised


def sync_frames(video: Excerpt, seconds: float) -> Tensor:
    """The first ``int(25 seconds)`` frames at 25 fps as float32 ``[F, 3, 224, 224]`` in [-1, 1].

    The short side is resized to 224 (bicubic) and the centre is cropped.

    Raises:
        MediaError: there is no video, or it ends more than 0.1 s before ``seconds``.
    """
    excerpt = replace(video, seconds=int(SYNC_FPS * seconds) / SYNC_FPS)
    frames = read_frames(excerpt, SYNC_FPS, short_side=SYNC_SIDE, shortfall_s=MAX_SHORTFALL_S)
    return video_front_end(torch.from_numpy(center_crop(frames.pixels, SYNC_SIDE)))
