"""The page of spectrograms is a legible image of moderate size."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from reports.conditions_figure import ConditionPanel, VideoPanel, plot_conditions
from reports.spectrograms import ClipPanel, Spectrogram, plot_spectrograms


def make_clip(rng, *, has_reference: bool) -> ClipPanel:
    def part(seconds: float) -> Spectrogram:
        times = np.arange(0, seconds, 0.05)
        level = rng.uniform(-60, 0, (40, len(times)))
        return Spectrogram(np.geomspace(50, 20_000, 40), times, level)

    parts = {"target": part(4.0), "generated": part(4.0)}
    if has_reference:
        parts["reference"] = part(2.0)
    return ClipPanel("a clip", 4.0, (0.5, 1.5), parts, ("MCD 1.00 dB",))


@pytest.mark.parametrize("n", [1, 3])
def test_any_number_of_clips_with_and_without_reference_is_drawn(rng, tmp_path, n):
    clips = [make_clip(rng, has_reference=i % 2 == 0) for i in range(n)]
    plot_spectrograms("a run", clips, tmp_path / "page.png")
    plot_spectrograms("a run", clips, tmp_path / "again.png")
    assert (tmp_path / "page.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    with Image.open(tmp_path / "page.png") as image:
        assert min(image.size) > 300


@pytest.mark.parametrize("has_target", [True, False])
def test_videos_under_several_references_are_drawn_with_their_frames(rng, tmp_path, has_target):
    parts = make_clip(rng, has_reference=True).parts
    each = ConditionPanel("ref_a", parts["reference"], parts["generated"], "MCD ref. 1.00 dB")
    frames = np.zeros((8, 24, 32, 3), np.uint8)
    target = parts["target"] if has_target else None
    video = VideoPanel("a video", 4.0, frames, (0.5, 1.5), target, (each,) * 3)
    for name in ("page.png", "again.png"):
        plot_conditions("a run", [video, video], tmp_path / name)
    assert (tmp_path / "page.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    with Image.open(tmp_path / "page.png") as image:
        assert image.size[0] == 1050  # a page of 7 inches
