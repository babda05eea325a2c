from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from acfoley.encoders import Encoders
from acfoley.encoders.clip import (
    MEAN,
    STD,
    ClipParams,
    build_clip,
    clip_frames,
)
from acfoley.encoders.encoders import sync_frames
from acfoley.params import sequence_lengths
from bench.backbones.synchformer import VideoEncoder
from bench.errors import MediaError
from bench.media import read_frames, write_video
from bench.types import Excerpt
from tests.backbones.synchformer_inputs import video
from tests.media.samples import numbered_frames

SMALL = ClipParams(
    embedding=16,
    image_size=384,
    patch=96,
    vision_width=16,
    vision_layers=1,
    vision_head=8,
    text_width=16,
    text_layers=1,
    text_heads=2,
)


@pytest.fixture(scope="module")
def encoders() -> Encoders:
    """Both networks with one layer each, under drawn weights."""
    torch.manual_seed(0)
    with torch.device("meta"):
        sync = VideoEncoder()
    sync.blocks = sync.blocks[:1]
    sync.to_empty(device="cpu")
    for parameter in sync.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return Encoders(build_clip(SMALL).eval(), sync.eval().requires_grad_(False))


@pytest.mark.parametrize("seconds", [1.0, 1.3, 2.02])
def test_a_video_gives_as_many_tokens_as_the_network_expects(
    clicks_folder: Path, encoders: Encoders, seconds: float
) -> None:
    video, lengths = Excerpt(clicks_folder / "clip_000000.mp4", 0.5), sequence_lengths(seconds)
    tokens = encoders.video(video, seconds)
    assert tokens.shape == (lengths.clip_frames, 16)
    assert encoders.sync_features(video, seconds).shape == (lengths.sync_tokens, 768)
    assert tokens.norm(dim=-1).numpy() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("seconds", [1.0, 2.0, 4.0, 5.0, 7.99, 8.0, 8.1, 9.6, 9.99])
def test_numbers_of_frames_are_those_of_the_lengths(clicks_folder: Path, seconds: float) -> None:
    video = Excerpt(clicks_folder / "clip_000001.mp4")
    lengths = sequence_lengths(seconds)
    n_segments = (len(sync_frames(video, seconds)) - 16) // 8 + 1
    assert len(clip_frames(video, seconds)) == lengths.clip_frames
    assert 8 * n_segments == lengths.sync_tokens


def test_frames_of_clip_are_those_of_torchvision(shared: Path) -> None:
    transforms = pytest.importorskip("torchvision.transforms.v2")
    video = shared / "golden" / "media" / "0B4dYTMsgHA_000130.mp4"
    pixels = read_frames(Excerpt(video, 0, 1.0), 8).pixels
    resize = transforms.Resize(
        (384, 384), interpolation=transforms.InterpolationMode.BICUBIC, antialias=True
    )
    expected = resize(torch.from_numpy(pixels).movedim(-1, 1))
    found = clip_frames(Excerpt(video), 1.0)
    assert found.shape == (8, 3, 384, 384)
    mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
    levels = (found * std + mean) * 255
    assert torch.equal(levels.round().to(torch.uint8), expected)


def test_frames_of_synchformer_are_those_of_the_judge(shared: Path) -> None:
    name = "F8Zt3mYlOqU_000094"
    path = shared / "golden" / "media" / f"{name}.mp4"
    assert torch.equal(sync_frames(Excerpt(path), 1.0), video(shared, name, 1.0)[0])


def test_a_tall_video_is_squeezed_for_clip_and_cropped_for_synchformer(tmp_path: Path) -> None:
    frame = np.zeros((96, 48, 3), np.uint8)
    frame[:18] = 255
    path = tmp_path / "tall.mp4"
    write_video(path, (frame for _ in range(30)), 25)
    squeezed = clip_frames(Excerpt(path), 1.0)
    std = torch.tensor(STD)
    white = (1 - torch.tensor(MEAN)) / std
    share = (squeezed[0].movedim(0, -1) > white - 0.3).float().mean()
    assert float(share) == pytest.approx(18 / 96, abs=0.01)
    assert sync_frames(Excerpt(path), 1.0).max() < -0.9


def test_the_last_frame_of_a_video_that_ends_a_little_early_is_repeated(tmp_path: Path) -> None:
    path = tmp_path / "early.mp4"
    write_video(path, numbered_frames(48), 25)  # 1.92 s
    frames = sync_frames(Excerpt(path), 2.0)
    assert torch.equal(frames[48], frames[47])
    assert len(clip_frames(Excerpt(path), 2.0)) == 16
    with pytest.raises(MediaError, match=r"lasts 1\.920 s"):
        sync_frames(Excerpt(path), 2.08)


def test_a_video_that_is_missing_or_too_short_is_refused(
    clicks_folder: Path, shared: Path, encoders: Encoders
) -> None:
    with pytest.raises(MediaError, match=r"lasts 10\.000 s: .* 96 are needed"):
        encoders.video(Excerpt(clicks_folder / "clip_000000.mp4"), 12.0)
    with pytest.raises(MediaError, match="has no video stream"):
        encoders.sync_features(Excerpt(shared / "golden" / "media" / "v1_gt.flac"), 1.0)


def test_prompts_do_not_depend_on_one_another(encoders: Encoders) -> None:
    together = encoders.prompts(["dog barking", "", "cat " * 90])
    assert together.features.shape == (3, 77, 16)
    assert len(together.messages) == 1
    assert together.messages[0].endswith("'" + "cat " * 14 + "cat'")
    alone: Tensor = encoders.prompts([""]).features
    assert alone[0].numpy() == pytest.approx(together.features[1].numpy(), abs=1e-6)
