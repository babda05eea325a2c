from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as transforms

from bench.errors import MediaError
from bench.media import center_crop, read_frames, resize_frames, resize_short_side, three_crops
from bench.types import Excerpt

VIDEOS = ["0B4dYTMsgHA_000130", "F8Zt3mYlOqU_000094"]
CLIP_MEAN = np.array([0.48145466, 0.4578275, 0.40821073])
CLIP_STD = np.array([0.26862954, 0.26130258, 0.27577711])


def block_means(images: np.ndarray) -> np.ndarray:
    """Means over 16 x 16 blocks of ``[..., 224, 224, 3]``, channels first as in the goldens."""
    blocks = images.reshape(*images.shape[:-3], 14, 16, 14, 16, 3).mean(axis=(-4, -2))
    return np.moveaxis(blocks, -1, -3)


def rows(images: np.ndarray) -> np.ndarray:
    return np.moveaxis(images[..., [0, 111, 223], :, :], -1, -3)


@pytest.mark.parametrize("name", VIDEOS)
def test_imagebind_crops_equal_those_of_the_reference_evaluator(shared: Path, name: str) -> None:
    golden = np.load(shared / "golden" / "m7_frames.npz")
    excerpt = Excerpt(shared / "golden" / "media" / f"{name}.mp4", 0, 8.0)
    crops = three_crops(read_frames(excerpt, 0.5, short_side=224).pixels, 224)
    inputs = (crops / 255 - CLIP_MEAN) / CLIP_STD
    assert np.abs(block_means(inputs) - golden[f"{name}.ib_blocks"]).max() < 1e-5
    step = np.abs(rows(inputs[:, 2]) - golden[f"{name}.ib_pixels_frame2_rows"])
    grey_levels = step * CLIP_STD[:, np.newaxis, np.newaxis] * 255
    assert grey_levels.max() < 0.01


@pytest.mark.parametrize("name", VIDEOS)
def test_synchformer_crops_equal_those_of_the_reference_evaluator(shared: Path, name: str) -> None:
    golden = np.load(shared / "golden" / "m7_frames.npz")
    excerpt = Excerpt(shared / "golden" / "media" / f"{name}.mp4", 0, 8.0)
    crops = center_crop(read_frames(excerpt, 25, short_side=224).pixels, 224)
    inputs = (crops[::10] / 255 - 0.5) / 0.5  # all of them are 240 MB as numbers
    assert np.abs(block_means(inputs) - golden[f"{name}.sync_blocks_every10"]).max() < 1e-5
    step = np.abs(rows(inputs[10]) - golden[f"{name}.sync_pixels_frame100_rows"])
    assert (step * 127.5).max() < 0.01


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (360, 640, (224, 398)),
        (640, 360, (398, 224)),
        (100, 100, (224, 224)),
        (224, 300, (224, 300)),
    ],
)
def test_the_short_side_is_as_asked_and_the_long_one_is_cut(
    height: int, width: int, expected: tuple[int, int]
) -> None:
    pixels = np.full((height, width, 3), 77, np.uint8)
    resized = resize_short_side(pixels, 224)
    assert resized.shape == (*expected, 3)
    assert (resized == 77).all()


def test_stacks_are_resized_frame_by_frame(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (2, 3, 40, 30, 3), dtype=np.uint8)
    resized = resize_short_side(pixels, 16)
    assert resized.shape == (2, 3, 21, 16, 3)
    assert np.array_equal(resized[1, 2], resize_short_side(pixels[1, 2], 16))


@pytest.mark.parametrize("size", [(360, 640), (97, 61), (30, 40)])
def test_resizing_equals_torchvision_to_the_bit(rng: np.random.Generator, size) -> None:
    pixels = rng.integers(0, 256, (3, *size, 3), dtype=np.uint8)
    images = torch.from_numpy(pixels).movedim(-1, 1)
    expected = transforms.resize(images, [48], transforms.InterpolationMode.BICUBIC, antialias=True)
    assert np.array_equal(resize_short_side(pixels, 48), expected.movedim(1, -1).numpy())
    square = transforms.resize(images, [48, 48], transforms.InterpolationMode.BICUBIC)
    assert np.array_equal(resize_frames(pixels, 48, 48), square.movedim(1, -1).numpy())


def columns(width: int) -> np.ndarray:
    """An image 4 pixels high whose columns are numbered."""
    return np.broadcast_to(np.arange(width, dtype=np.uint8)[:, np.newaxis], (4, width, 3))


def test_a_half_offset_is_rounded_up_by_three_crops_and_to_even_by_the_center_crop() -> None:
    pixels = columns(9)
    assert [int(crop[0, 0, 0]) for crop in three_crops(pixels, 4)] == [0, 3, 5]
    assert int(center_crop(pixels, 4)[0, 0, 0]) == 2


def test_a_portrait_is_cropped_at_top_centre_and_bottom() -> None:
    pixels = np.swapaxes(columns(10), 0, 1)
    assert [int(crop[0, 0, 0]) for crop in three_crops(pixels, 4)] == [0, 3, 6]
    assert three_crops(pixels, 4).shape == (3, 4, 4, 3)


def test_frames_smaller_than_the_crop_are_refused() -> None:
    with pytest.raises(MediaError, match="5 x 5 from frames of 4 x 9"):
        center_crop(columns(9), 5)
    with pytest.raises(MediaError, match="5 x 5 from frames of 4 x 9"):
        three_crops(columns(9), 5)
