"""How long a file's sound is, where its header says so and where it does not."""

from __future__ import annotations

import numpy as np
import pytest

from bench.errors import MediaError
from bench.media import sound_seconds, write_audio
from bench.types import Audio


def test_the_length_is_that_of_the_sound(tmp_path):
    write_audio(tmp_path / "a.wav", Audio(np.zeros((1, 12_000), np.float32), 8_000))
    assert sound_seconds(tmp_path / "a.wav") == pytest.approx(1.5)


def test_a_stream_that_states_no_length_is_decoded(tmp_path, monkeypatch):
    import bench.media.length as length

    write_audio(tmp_path / "a.flac", Audio(np.zeros((1, 12_000), np.float32), 8_000))
    info = length.probe(tmp_path / "a.flac")
    unstated = type(info)(info.container, None, info.video, info.audio)
    monkeypatch.setattr(length, "probe", lambda path: unstated)
    assert sound_seconds(tmp_path / "a.flac") == pytest.approx(1.5)


def test_what_is_no_sound_is_refused(tmp_path):
    (tmp_path / "a.wav").write_text("words")
    with pytest.raises(MediaError, match="a.wav"):
        sound_seconds(tmp_path / "a.wav")
