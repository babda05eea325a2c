"""The choice of one track among several."""

from __future__ import annotations

import numpy as np
import pytest
from av.stream import Disposition

from bench.media import describe_media, probe, read_audio, read_frames
from bench.types import Excerpt
from tests.media.samples import number_of, write_tracks


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize(
    ("tracks", "expected"),
    [
        ([(2, False), (1, True)], 2),  # the default one, before channels and order
        ([(1, True), (2, True)], 2),  # among several, the most channels
        ([(2, True), (2, True)], 1),  # among equals, the first
    ],
)
def test_the_default_audio_track_is_read(tmp_path, suffix, tracks, expected):
    path = tmp_path / f"a{suffix}"
    write_tracks(path, tracks)
    audio = read_audio(Excerpt(path))
    peak = float(np.abs(audio.samples).max()) * 32768 / 1500
    assert round(peak) == expected
    assert probe(path).audio.channels == tracks[expected - 1][0]
    assert describe_media(path).n_audio_tracks == 2


def test_without_a_default_the_audio_track_with_most_channels_is_read(tmp_path):
    path = tmp_path / "a.mkv"
    write_tracks(path, [(1, False), (2, False)])
    assert probe(path).audio.channels == 2


def test_the_default_video_track_is_read_and_thumbnails_are_not(tmp_path):
    path = tmp_path / "a.mkv"
    write_tracks(path, [], [(128, Disposition(0)), (64, Disposition.default)])
    assert probe(path).video.width == 64
    assert number_of(read_frames(Excerpt(path, 0, 0.04), 25).pixels[0]) == 1
    assert describe_media(path).n_video_tracks == 2
    assert describe_media(path).n_audio_tracks == 0
