"""Inputs of ImageBind: audio and video, by this package's loader and by the reference's resize."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from bench.backbones.imagebind import FPS, SAMPLE_RATE_HZ, SIDE, video_clips
from bench.media import read_audio, read_frames, resample, three_crops
from bench.types import Excerpt

VIDEO_NAMES = ["0B4dYTMsgHA_000130", "F8Zt3mYlOqU_000094"]


def file_samples(shared: Path, name: str) -> Tensor:
    """All channels at 16 kHz, ``[C, T]``: what the reference evaluator starts from."""
    audio = read_audio(Excerpt(shared / "golden" / "media" / f"{name}.flac"))
    return torch.from_numpy(
        resample(audio.samples, audio.sample_rate_hz, SAMPLE_RATE_HZ, "sinc_hann")
    )


def video(shared: Path, name: str) -> Excerpt:
    return Excerpt(shared / "golden" / "media" / f"{name}.mp4", 0.0, 8.0)


def our_clips(shared: Path, name: str) -> Tensor:
    pixels = read_frames(video(shared, name), FPS, short_side=SIDE).pixels
    return video_clips(three_crops(pixels, SIDE))


def clips_by_torchvision(shared: Path, name: str) -> Tensor:
    """The same with the resize of the reference evaluator, which differs by one grey level."""
    from torchvision.transforms.v2 import InterpolationMode, functional

    frames = torch.from_numpy(read_frames(video(shared, name), FPS).pixels).permute(0, 3, 1, 2)
    resized = functional.resize(frames, [SIDE], InterpolationMode.BICUBIC, antialias=True)
    return video_clips(three_crops(resized.permute(0, 2, 3, 1).numpy(), SIDE))


def noise(*shape: int, level: float = 0.1) -> Tensor:
    return level * torch.randn(*shape, generator=torch.Generator().manual_seed(3))
