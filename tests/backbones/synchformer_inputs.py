"""Real and synthetic inputs of Synchformer, by this package's front end and by the reference's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.backbones.synchformer import SAMPLE_RATE_HZ, SIDE_PIXELS, video_front_end
from bench.media import center_crop, prepare_evaluator_waveform, read_audio, read_frames
from bench.types import Excerpt

AUDIO_NAMES = ["v1_gt", "v1_predA", "v2_gt", "v2_predA"]
VIDEOS = ["0B4dYTMsgHA_000130", "F8Zt3mYlOqU_000094"]


def noise(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return 0.1 * torch.randn(shape, generator=generator)


def audio(shared: Path, name: str) -> Tensor:
    """The waveform ``[1, 128000]`` that our own loader and resampler make of the file."""
    audio = read_audio(Excerpt(shared / "golden" / "media" / f"{name}.flac"))
    waveform = prepare_evaluator_waveform(audio, SAMPLE_RATE_HZ, 8.0, remove_dc=False)
    return torch.from_numpy(waveform)[None]


def read_audio_with_torchaudio(shared: Path, name: str) -> Tensor:
    """The waveform ``[1, 128000]`` that the reference evaluator makes of the file."""
    transforms = pytest.importorskip("torchaudio").transforms
    audio = read_audio(Excerpt(shared / "golden" / "media" / f"{name}.flac"))
    resample = transforms.Resample(audio.sample_rate_hz, SAMPLE_RATE_HZ)
    return resample(torch.from_numpy(audio.mono()))[None, :128_000]


def video(shared: Path, name: str, seconds: float = 8.0) -> Tensor:
    """The frames ``[1, F, 3, 224, 224]`` that our own reader and resizing make of the file."""
    excerpt = Excerpt(shared / "golden" / "media" / f"{name}.mp4", 0, seconds)
    frames = read_frames(excerpt, 25, short_side=SIDE_PIXELS)
    return video_front_end(torch.from_numpy(center_crop(frames.pixels, SIDE_PIXELS)))[None]


def read_video_with_torchvision(shared: Path, name: str, n_frames: int) -> Tensor:
    """The last 16 of ``n_frames``, as the reference evaluator resizes them."""
    transforms = pytest.importorskip("torchvision.transforms.v2")
    excerpt = Excerpt(shared / "golden" / "media" / f"{name}.mp4", 0, n_frames / 25)
    pixels = torch.from_numpy(read_frames(excerpt, 25).pixels[-16:]).movedim(-1, 1)
    size = transforms.Resize(224, transforms.InterpolationMode.BICUBIC, antialias=True)
    cropped = transforms.CenterCrop(224)(size(pixels))
    return video_front_end(cropped.movedim(1, -1))[None]
