from __future__ import annotations

import numpy as np
import pytest
import torch

from acfoley.mini.encoders import load_mini_encoders
from acfoley.params import PRESETS, sequence_lengths
from bench.errors import MediaError
from bench.media.write import write_video
from bench.synthetic.scene import make_scene
from bench.synthetic.video import render_frames
from bench.types import Excerpt

MINI = PRESETS["mini"]


@pytest.fixture(scope="module")
def encoders():
    return load_mini_encoders()


@pytest.fixture(scope="module")
def scene():
    return make_scene("mini", 3, seconds=4.0)


@pytest.fixture(scope="module")
def video(scene, tmp_path_factory):
    path = tmp_path_factory.mktemp("scene") / "scene.mp4"
    write_video(path, render_frames(scene), scene.fps)
    return Excerpt(path)


@pytest.mark.parametrize("seconds", [1.0, 2.02, 3.3])
def test_there_are_as_many_tokens_as_the_network_expects(encoders, video, seconds):
    lengths = sequence_lengths(seconds)
    assert encoders.video(video, seconds).shape == (lengths.clip_frames, MINI.clip_width)
    assert encoders.sync_features(video, seconds).shape == (lengths.sync_tokens, MINI.sync_width)


def test_whole_frames_are_counted_as_the_network_does(encoders):
    n_frames = 232  # 25 * (232 / 25) is less than that
    frames = torch.zeros(1, n_frames, 64, 64, dtype=torch.uint8)
    assert encoders.syncs(frames).shape[1] == sequence_lengths(9.3).sync_tokens


def test_tokens_are_at_the_positions_of_their_frames(encoders, video):
    """Tokens follow time: a video that begins 1 s later has the same tokens 1 s later."""
    later = Excerpt(video.path, 1.0)
    whole, rest = encoders.sync_features(video, 4.0), encoders.sync_features(later, 3.0)
    per_second = len(whole) / 4.0
    times = (np.arange(len(rest)) + 0.5) * 3.0 / len(rest)
    inner = (times > 0.7) & (times < 2.3)
    places = ((times[inner] + 1.0) * per_second - 0.5).round().astype(int)
    moved, near = rest[inner], whole[places]
    other = whole[(places + 12) % len(whole)]
    assert (moved - near).abs().mean() < 0.5 * (moved - other).abs().mean()


def test_a_video_that_is_too_short_is_refused(encoders, video):
    with pytest.raises(MediaError, match="lasts"):
        encoders.sync_features(video, 5.0)


def test_words_have_vectors_of_their_own(encoders):
    features = encoders.prompts(["striking metal", "Metal, striking!", "", "wood"]).features
    assert features.shape == (4, 77, MINI.text_width)
    assert torch.equal(features[0, 0], features[1, 1])
    assert torch.equal(features[0, 1], features[1, 0])
    assert not features[2].any()
    assert not features[0, 2:].any()
    assert not torch.equal(features[3, 0], features[0, 0])


def test_words_that_are_cut_are_named(encoders):
    found = encoders.prompts(["tap " * 77 + "dance floor", "tap"])
    assert found.messages == ("the prompt is too long: cut from 'dance' on",)


def test_audio_is_one_vector_of_unit_length_at_any_level(encoders):
    rng = np.random.default_rng(0)
    audio = (0.1 * rng.standard_normal(44_100)).astype(np.float32)
    vector, loud = encoders.embedding(audio), encoders.embedding(4 * audio)
    assert vector.shape == (64,)
    assert float(vector.norm()) == pytest.approx(1.0, abs=1e-5)
    assert float(vector @ loud) > 0.8
