"""Which samples of a clip are target and references."""

from __future__ import annotations

import pytest

from acfoley.train.clips import CropLayout, Span
from bench.errors import BenchError, MediaError

PAPER = CropLayout()


def test_ten_seconds_contain_target_and_reference():
    assert PAPER.target(441_000) == Span(0, 353_280)
    assert PAPER.after(441_000) == Span(353_280, 441_000)


@pytest.mark.parametrize("n_samples", [375_500, 400_000, 440_832, 441_000, 441_344, 600_000])
def test_the_reference_of_stage_two_never_overlaps_the_target(n_samples):
    target, after = PAPER.target(n_samples), PAPER.after(n_samples)
    assert after is not None
    assert after.start >= target.stop
    assert after.stop <= min(n_samples, 441_000)
    assert after.stop - after.start <= 88_200


@pytest.mark.parametrize("seconds", [2.0, 4.0, 8.0])
def test_references_of_stage_one_are_at_many_positions_inside_the_target(seconds):
    layout = CropLayout(seconds)
    target = layout.target(441_000)
    spans = [layout.inside("clip", number) for number in range(300)]
    assert all(target.start <= span.start < span.stop <= target.stop for span in spans)
    assert {span.stop - span.start for span in spans} == {88_200}
    if seconds == 8:
        starts = [span.start for span in spans]
        assert min(starts) < 10_000
        assert max(starts) > 353_280 - 88_200 - 10_000
        assert starts != [layout.inside("other", number).start for number in range(300)]


def test_a_short_rest_after_the_target_is_no_reference():
    assert PAPER.after(353_280 + 22_049) is None
    assert PAPER.after(353_280 + 22_050) == Span(353_280, 375_330)


def test_a_clip_shorter_than_its_target_is_refused():
    with pytest.raises(MediaError, match=r"lasts 8\.000 s, the target alone needs 8\.011 s"):
        PAPER.target(352_800)
    with pytest.raises(BenchError, match="not 3 s"):
        CropLayout(2.0, 3.0)
