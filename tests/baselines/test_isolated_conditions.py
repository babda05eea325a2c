"""Isolated systems that are given more than a video: a prompt, a reference, or both.

What their scripts are known to do, and what becomes of it, is a test each.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.errors import BenchError
from bench.isolation import VideoInput
from bench.isolation.process import IsolatedProcessError
from bench.media import read_audio
from bench.types import Audio, Excerpt, Request
from tests.baselines.conftest import describe, get_adapter, make_requests
from tests.baselines.standin_results import get_checkout, get_peaks, list_checkout, read_logs


def test_video_foley_gets_each_clip_its_prompt(set_up_standin, videos) -> None:
    generate = set_up_standin("video-foley").open("cpu")
    requests = make_requests(videos, "bca")
    results = generate([replace(requests[0], prompt="--epoch b"), *requests[1:]])
    assert describe(results) == [(16_000, 10.24)] * 3
    assert get_peaks(results) == [0.2, 0.3, 0.1]
    # Its files have the track of silence that it would add in place.
    assert "Adding silent audio" not in read_logs("video-foley")


def test_video_foley_renames_files_of_its_own(set_up_standin, videos) -> None:
    set_up_standin("video-foley")
    form = replace(get_adapter("video-foley").video, audio="none")
    adapter = replace(get_adapter("video-foley"), staged_name="{id}_0_10", video=form)
    results = adapter.system().open("cpu")(make_requests(videos))
    assert describe(results) == [(16_000, 10.24)] * 3
    assert "Adding silent audio" in read_logs("video-foley")


def test_video_foley_has_no_segment_of_a_shorter_video(set_up_standin, videos) -> None:
    set_up_standin("video-foley")
    adapter = replace(get_adapter("video-foley"), video=VideoInput(audio="silent"))
    with pytest.raises(IsolatedProcessError, match="Number of prompts must match"):
        adapter.system().open("cpu")(make_requests(videos[:1]))


def test_video_foley_stops_at_a_segment_of_another_length(set_up_standin, videos) -> None:
    generate = set_up_standin("video-foley").open("cpu")
    (get_checkout("video-foley") / "broken.txt").write_text("clip0000000")
    with pytest.raises(IsolatedProcessError, match=r"clip0000000.mp4 length: 10.2"):
        generate(make_requests(videos[:1]))


def test_video_foley_needs_a_prompt(set_up_standin, videos) -> None:
    generate = set_up_standin("video-foley").open("cpu")
    (failure,) = generate([replace(make_requests(videos)[0], prompt="")])
    assert isinstance(failure, BenchError)
    assert "has no prompt, which video-foley needs" in str(failure)


@pytest.fixture
def pairs(videos: list[Excerpt]) -> list[Request]:
    """Two targets, the first with two references."""
    targets, sources = (videos[0], videos[0], videos[1]), (videos[1], videos[2], videos[2])
    return [
        Request(
            f"-id_{index}",
            2.0,
            seed=7,
            video=replace(target, seconds=2.0),
            reference=read_audio(replace(source, seconds=2.0)),
            reference_video=replace(source, seconds=2.0),
        )
        for index, (target, source) in enumerate(zip(targets, sources, strict=True))
    ]


def test_condfoley_generates_two_seconds_for_each_pair(set_up_standin, pairs) -> None:
    generate = set_up_standin("condfoley").open("cpu")
    before = list_checkout("condfoley")
    seeded = [replace(pair, seed=index) for index, pair in enumerate(pairs)]
    assert describe(generate(seeded)) == [(22_050, 2.0)] * 3
    assert list_checkout("condfoley") == before


def test_condfoley_is_seeded_clip_by_clip(set_up_standin, pairs) -> None:
    generate = set_up_standin("condfoley").open("cpu")
    pair = pairs[0]
    first, second, third = generate([pair, replace(pair, seed=8), pair])
    np.testing.assert_array_equal(first.samples, third.samples)
    assert (first.samples != second.samples).any()


def test_condfoley_needs_the_audio_of_the_reference(set_up_standin, pairs) -> None:
    generate = set_up_standin("condfoley").open("cpu")
    alone = replace(pairs[0], reference_video=None)
    first, second = generate([alone, pairs[1]])
    assert "the reference of clip '-id_0' has no video, which condfoley needs" in str(first)
    assert isinstance(second, Audio)


def test_woosh_generates_eight_seconds_by_the_seed_of_each_clip(set_up_standin, videos) -> None:
    generate = set_up_standin("woosh-vflow").open("cpu")
    request = make_requests(videos)[0]
    loud, silent_text = replace(request, prompt="dog, loud"), replace(request, prompt="", seed=3)
    results = generate([request, loud, silent_text, request])
    assert describe(results) == [(48_000, 8.01)] * 4
    # What exceeds full scale is made quieter; nothing is made louder.
    assert get_peaks(results) == [0.25, 1.0, 0.25, 0.25]
    np.testing.assert_array_equal(results[0].samples, results[3].samples)
    assert (results[0].samples != results[2].samples).any()


def test_woosh_needs_24_frames_a_second(set_up_standin, videos) -> None:
    set_up_standin("woosh-vflow")
    adapter = replace(get_adapter("woosh-vflow"), video=VideoInput(seconds=8.5))
    with pytest.raises(IsolatedProcessError, match="AssertionError"):
        adapter.system().open("cpu")(make_requests(videos[:1]))


@pytest.mark.parametrize("shape", [(1, 96_000), (2, 96_000), (3, 96_000)])
def test_audiox_gets_references_at_its_rate_in_stereo(set_up_standin, videos, shape) -> None:
    generate = set_up_standin("audiox").open("cpu")
    reference = Audio(np.full(shape, 0.5, np.float32), 48_000)
    results = generate(make_requests(videos[:1], reference=reference))
    assert describe(results) == [(44_100, 10.0)]
    assert results[0].samples.shape[0] == 2
    assert get_peaks(results) == [1.0]  # each sample is normalised
    assert "audio prompt: 88200 samples; text: dog a" in read_logs("audiox")


def test_audiox_has_a_text_of_its_own_for_a_video_alone(set_up_standin, videos) -> None:
    generate = set_up_standin("audiox").open("cpu")
    (result,) = generate([replace(make_requests(videos)[0], prompt="")])
    assert isinstance(result, Audio)
    assert "audio prompt: 0 samples; text: Generate general audio" in read_logs("audiox")
