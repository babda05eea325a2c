"""How long a file's sound is, where its header says so and where it does not."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from bench.errors import MediaError
from bench.media import audio_seconds, probe, write_audio, write_video
from bench.types import Audio
from tests.media.samples import numbered_frames, tone, write_audio_file


def test_the_length_is_that_of_the_sound(tmp_path):
    write_audio(tmp_path / "a.wav", Audio(np.zeros((1, 12_000), np.float32), 8_000))
    assert audio_seconds(tmp_path / "a.wav") == pytest.approx(1.5)


def test_a_picture_that_goes_on_does_not_make_the_sound_longer(tmp_path):
    write_video(
        tmp_path / "a.mp4", numbered_frames(75), 25, Audio(tone(1.5, 44_100, (440.0,)), 44_100)
    )
    assert audio_seconds(tmp_path / "a.mp4") == pytest.approx(1.5, abs=0.03)


@pytest.mark.parametrize(
    ("suffix", "codec", "sample_format"),
    [(".mkv", "flac", "s16"), (".mp3", "libmp3lame", "fltp"), (".aac", "aac", "fltp")],
)
def test_a_stream_that_states_no_length_is_decoded(tmp_path, suffix, codec, sample_format):
    path = tmp_path / f"a{suffix}"
    audio = tone(5.0, 44_100, (440.0,))
    audio[:, 44_100:] = 0  # a guess from the bit rate of the beginning would be far too short
    write_audio_file(path, audio, 44_100, codec, "mono", sample_format)
    assert probe(path).audio.seconds is None
    assert audio_seconds(path) == pytest.approx(5.0, abs=0.06)


def test_what_is_no_sound_is_refused(tmp_path):
    (tmp_path / "a.wav").write_text("words")
    with pytest.raises(MediaError, match="a.wav"):
        audio_seconds(tmp_path / "a.wav")
    write_video(tmp_path / "mute.mp4", numbered_frames(5), 25)
    with pytest.raises(MediaError, match=r"mute\.mp4: it has no audio stream"):
        audio_seconds(tmp_path / "mute.mp4")


def test_a_track_without_samples_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((0, 2), np.float32), 48_000)
    with pytest.raises(MediaError, match=r"a\.wav: it has no samples"):
        audio_seconds(tmp_path / "a.wav")
