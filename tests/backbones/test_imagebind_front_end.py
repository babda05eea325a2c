import re
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.backbones.imagebind_front_end import (
    FPS,
    SAMPLE_RATE_HZ,
    SIDE,
    clip_spans,
    front_end,
    reference_clips,
    video_clips,
)
from bench.errors import MediaError
from bench.media import prepare_evaluator_waveform, read_audio, read_frames, three_crops
from bench.types import Excerpt
from tests.backbones.imagebind_inputs import VIDEO_NAMES, file_samples, noise, video


@pytest.fixture(scope="module")
def loading(shared: Path) -> dict[str, np.ndarray]:
    return dict(np.load(shared / "golden" / "m1_audio_loading.npz"))


def test_clips_start_and_end_at_the_samples_of_the_reference(
    loading: dict[str, np.ndarray],
) -> None:
    durations_s, times = loading["f64_clip_durations"], loading["f64_clip_times"]
    for duration_s, expected in zip(durations_s, times, strict=True):
        n_samples = round(duration_s * SAMPLE_RATE_HZ)
        spans = clip_spans(n_samples)
        assert [span.start for span in spans] == list(expected[:, 2])
        assert [span.stop for span in spans] == [min(end, n_samples) for end in expected[:, 3]]


@pytest.mark.parametrize("name", ["v1_gt", "v1_stereo48_4s"])
def test_reference_images_equal_those_of_the_reference(
    shared: Path, loading: dict[str, np.ndarray], name: str
) -> None:
    images = reference_clips(file_samples(shared, name)).numpy()
    assert np.abs(images - loading[f"{name}.ib_clips"]).max() < 1e-3


@pytest.mark.parametrize("name", ["v1_predA", "v2_gt", "v2_predA", "v2_10s"])
def test_reference_images_have_the_block_means_of_the_reference(
    shared: Path, loading: dict[str, np.ndarray], name: str
) -> None:
    images = reference_clips(file_samples(shared, name)).numpy()
    blocks = images.reshape(3, 16, 8, 12, 17).mean(axis=(2, 4))
    assert np.abs(blocks - loading[f"{name}.ib_clips_block"]).max() < 1e-4


def test_both_profiles_agree_on_eight_seconds_of_mono(shared: Path) -> None:
    samples = file_samples(shared, "v2_gt")
    assert torch.allclose(front_end(samples)[0], reference_clips(samples), atol=1e-5)


def test_the_strict_profile_uses_exactly_the_first_seconds() -> None:
    waveform = noise(1, 160_000)
    longer = front_end(waveform)
    assert torch.equal(longer, front_end(waveform[:, :128_000]))
    assert not torch.allclose(reference_clips(waveform), longer[0], atol=0.1)
    assert front_end(waveform, seconds=5.0).shape == (1, 3, 128, 204)


def test_the_strict_profile_uses_both_channels_and_the_reference_the_first(shared: Path) -> None:
    audio = read_audio(Excerpt(shared / "golden" / "media" / "v1_stereo48_4s.flac"))
    waveform = prepare_evaluator_waveform(audio, SAMPLE_RATE_HZ, 4.0, remove_dc=False)
    strict = front_end(torch.from_numpy(waveform)[None], seconds=4.0)[0]
    reference = reference_clips(file_samples(shared, "v1_stereo48_4s"))
    assert (strict - reference).abs().mean() > 0.01

    samples = noise(2, 128_000)
    silenced = samples.clone()
    silenced[1] = 0
    assert torch.allclose(reference_clips(silenced), reference_clips(samples), atol=0.02)


def test_subtraction_reaches_overlapping_clips_only_in_the_reference() -> None:
    """Of a ramp, the first clip's subtraction leaves a step in the middle of the second clip."""
    ramp = torch.linspace(-0.5, 0.5, 64_000)[None] + noise(1, 64_000, level=1e-4)
    strict = front_end(ramp, seconds=4.0)[0]
    reference = reference_clips(ramp)
    assert torch.allclose(strict[0], reference[0], atol=1e-5)
    difference = (strict - reference)[1].abs().amax(dim=0)
    assert difference.max() > 0.3
    assert difference.argmax() in range(98, 100)  # the two frames that hold the end of second one


def test_arguments_are_left_as_they_were() -> None:
    samples = noise(2, 64_000) + 0.1
    before = samples.clone()
    reference_clips(samples)
    front_end(samples, seconds=4.0)
    assert torch.equal(samples, before)


def test_the_last_frames_of_an_image_are_filled_with_raw_zeros() -> None:
    images = front_end(noise(1, 128_000))
    assert torch.allclose(images[..., 198:], torch.tensor(4.268 / 9.138))
    half_a_second = reference_clips(noise(1, 8_000))
    assert torch.allclose(half_a_second[..., 48:], torch.tensor(4.268 / 9.138))


def test_audio_that_is_too_short_is_refused() -> None:
    with pytest.raises(MediaError, match=re.escape("at least 128,000 samples (8 s")):
        front_end(noise(2, 127_999))
    with pytest.raises(MediaError, match="no frame of 400 samples"):
        reference_clips(noise(1, 399))


def test_audio_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("float32 [B, T], got torch.float32 [128000]")):
        front_end(noise(128_000))
    with pytest.raises(ValueError, match=re.escape("torch.float64 [1, 8000]")):
        reference_clips(noise(1, 8_000).double())


@pytest.mark.parametrize("name", VIDEO_NAMES)
def test_frames_equal_those_of_the_reference(shared: Path, name: str) -> None:
    golden = np.load(shared / "golden" / "m7_frames.npz")
    frames = read_frames(video(shared, name), FPS, short_side=SIDE)
    assert list(frames.index) == list(golden[f"{name}.fps0_5.index"])
    clips = video_clips(three_crops(frames.pixels, SIDE)).numpy().reshape(3, 3, 3, 2, SIDE, SIDE)
    images = np.concatenate([clips[:, :, :, 0], clips[:, -1:, :, 1]], axis=1)  # frames 0 to 3
    blocks = images.reshape(3, 4, 3, 14, 16, 14, 16).mean(axis=(4, 6))
    assert np.abs(blocks - golden[f"{name}.ib_blocks"]).max() < 0.005
    rows = images[:, 2][:, :, [0, 111, 223]]
    one_level = 1.01 / 255 / 0.26
    assert np.mean(np.abs(rows - golden[f"{name}.ib_pixels_frame2_rows"]) < one_level) > 0.999


def test_clips_are_consecutive_frames_crop_by_crop() -> None:
    numbers = np.arange(12, dtype=np.uint8).reshape(3, 4)
    crops = np.broadcast_to(numbers[:, :, None, None, None], (3, 4, SIDE, SIDE, 3))
    reds = video_clips(crops)[:, 0, :, 0, 0] * 0.26862954 + 0.48145466
    pairs = (reds * 255).round().int().tolist()
    first, second, third = ([[n, n + 1] for n in range(4 * c, 4 * c + 3)] for c in range(3))
    assert pairs == first + second + third


def test_frames_that_cannot_be_paired_are_refused() -> None:
    with pytest.raises(MediaError, match="this video has 1: use one of at least 3 s"):
        video_clips(np.zeros((3, 1, SIDE, SIDE, 3), np.uint8))
    with pytest.raises(ValueError, match=re.escape("got uint8 [3, 4, 112, 112, 3]")):
        video_clips(np.zeros((3, 4, 112, 112, 3), np.uint8))
    with pytest.raises(ValueError, match="got float32"):
        video_clips(np.zeros((3, 4, SIDE, SIDE, 3), np.float32))
