"""The published encoders: frames, features, and the preparation of references."""

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
from acfoley.encoders.encoders import prepare_reference, sync_frames
from acfoley.params import sequence_lengths
from bench.backbones.synchformer import VideoEncoder
from bench.errors import MediaError
from bench.media import read_audio, read_frames, write_video
from bench.types import Audio, Excerpt
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


PUBLISHED = 89_088


def noise(rng: np.random.Generator, seconds: float, rate_hz: int = 44_100) -> Audio:
    samples = rng.uniform(-0.3, 0.3, (2, round(seconds * rate_hz)))
    return Audio(samples.astype(np.float32), rate_hz)


def by_torchaudio(audio: Audio) -> np.ndarray:
    """The steps of the published inference, with its own resampler."""
    transforms = pytest.importorskip("torchaudio").transforms
    waveform = torch.from_numpy(audio.samples).mean(dim=0)
    waveform = waveform / waveform.abs().max() * 0.95
    if audio.sample_rate_hz != 44_100:
        waveform = transforms.Resample(
            audio.sample_rate_hz,
            44_100,
            lowpass_filter_width=64,
            rolloff=0.9475937167399596,
            resampling_method="sinc_interp_kaiser",
            beta=14.769656459379492,
        )(waveform)
    padded = torch.zeros(PUBLISHED)
    padded[: min(PUBLISHED, len(waveform))] = waveform[:PUBLISHED]
    return padded.numpy()


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("seconds", [0.1, 1.9, 3.0])
def test_a_reference_is_prepared_as_published(
    rng: np.random.Generator, seconds: float, rate_hz: int
) -> None:
    audio = noise(rng, seconds, rate_hz)
    prepared = prepare_reference(audio)
    assert prepared.dtype == np.float32
    assert prepared.shape == (PUBLISHED,)
    assert prepared == pytest.approx(by_torchaudio(audio), abs=3e-5)


def test_a_real_reference_is_prepared_as_published(shared: Path) -> None:
    audio = read_audio(Excerpt(shared / "golden" / "media" / "v1_stereo48_4s.flac"))
    assert prepare_reference(audio) == pytest.approx(by_torchaudio(audio), abs=1e-5)


def test_the_level_of_the_reference_makes_no_difference(rng: np.random.Generator) -> None:
    audio = noise(rng, 2.0)
    quiet = Audio(audio.samples * np.float32(0.001), audio.sample_rate_hz)
    assert prepare_reference(quiet) == pytest.approx(prepare_reference(audio), abs=1e-6)
    assert np.abs(prepare_reference(audio)).max() == pytest.approx(0.95)


@pytest.mark.parametrize(("seconds", "n_latents"), [(0.1, 5), (2.0, 87), (7.3, 315), (30.0, 1292)])
def test_a_reference_of_full_length_is_padded_to_its_last_latent(
    rng: np.random.Generator, seconds: float, n_latents: int
) -> None:
    whole = prepare_reference(noise(rng, seconds), "whole")
    assert len(whole) == 1024 * n_latents
    assert not whole[round(seconds * 44_100) :].any()
    start = prepare_reference(noise(np.random.default_rng(20260), seconds))
    n_common = min(len(whole), PUBLISHED)
    assert np.array_equal(whole[:n_common], start[:n_common])


@pytest.mark.parametrize(
    ("samples", "length", "message"),
    [
        (np.zeros((1, 0)), "published", "the reference audio is empty"),
        (np.ones((1, 4_000)), "published", r"lasts 0\.091 s, at least 0\.1 s"),
        (np.zeros((2, 90_000)), "published", r"is silent \(peak 0 of full scale\)"),
        (np.full((1, 90_000), 1e-7), "whole", "is silent"),
        (np.ones((1, 31 * 44_100)), "whole", r"lasts 31\.0 s, at most 30 s"),
        (np.eye(1, 100_000, 95_000), "published", r"silent in its first 2\.02 s"),
    ],
)
def test_an_invalid_reference_is_refused(samples: np.ndarray, length: str, message: str) -> None:
    with pytest.raises(MediaError, match=message):
        prepare_reference(Audio(samples.astype(np.float32), 44_100), length)


def test_late_audio_can_be_used_in_its_full_length() -> None:
    samples = np.eye(1, 100_000, 95_000, dtype=np.float32)
    assert np.abs(prepare_reference(Audio(samples, 44_100), "whole")).max() == pytest.approx(0.95)
