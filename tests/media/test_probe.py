from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from bench.errors import MediaError
from bench.media import (
    AudioStream,
    VideoStream,
    probe,
    read_audio_seconds,
    read_frames,
    write_audio,
    write_video,
)
from bench.types import Audio, Excerpt
from tests.media.samples import (
    numbered_frame,
    numbered_frames,
    tone,
    write_audio_file,
    write_frames,
)


def test_a_clip_is_described_as_it_was_written(tmp_path: Path) -> None:
    audio = Audio(tone(2.0, 44_100, (440.0,)), 44_100)
    write_video(tmp_path / "a.mp4", numbered_frames(60), 30, audio)
    info = probe(tmp_path / "a.mp4")
    assert "mp4" in info.container
    assert info.seconds == pytest.approx(2.0, abs=0.05)
    assert info.video == VideoStream("h264", 64, 48, 30.0, 60, 2.0)
    assert info.audio == AudioStream("aac", 44_100, 1, 2.0)


def test_audio_alone_has_no_video(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", tone(0.5, 96_000, (440.0,) * 6).T, 96_000)
    info = probe(tmp_path / "a.flac")
    assert (info.container, info.seconds, info.video) == ("flac", 0.5, None)
    assert info.audio == AudioStream("flac", 96_000, 6, 0.5)


def test_audio_and_video_each_have_their_own_length(tmp_path: Path) -> None:
    audio = Audio(tone(1.5, 44_100, (440.0,)), 44_100)
    write_video(tmp_path / "a.mp4", numbered_frames(75), 25, audio)
    info = probe(tmp_path / "a.mp4")
    assert (info.seconds, info.video.seconds, info.audio.seconds) == (3.0, 3.0, 1.5)


def test_a_container_that_states_no_length_of_a_stream_leaves_it_open(tmp_path: Path) -> None:
    write_audio_file(tmp_path / "a.mkv", tone(1.0, 44_100, (440.0,)), 44_100, "flac", "mono", "s16")
    info = probe(tmp_path / "a.mkv")
    assert info.seconds == pytest.approx(1.0, abs=0.01)
    assert info.audio.seconds is None


def test_a_portrait_is_described_as_it_is_stored(tmp_path: Path) -> None:
    write_frames(tmp_path / "a.mp4", [numbered_frame(0)] * 2, [0, 0.04], rotation_deg=-90)
    video = probe(tmp_path / "a.mp4").video
    assert (video.width, video.height) == (64, 48)
    assert read_frames(Excerpt(tmp_path / "a.mp4"), 25).pixels.shape[1:3] == (64, 48)


def test_nothing_is_decoded(tmp_path: Path) -> None:
    audio = Audio(tone(1.0, 44_100, (440.0,)), 44_100)
    write_video(tmp_path / "a.mp4", numbered_frames(25), 25, audio)
    whole = probe(tmp_path / "a.mp4")
    content = (tmp_path / "a.mp4").read_bytes()
    start = content.index(b"mdat") + 4
    size = int.from_bytes(content[start - 8 : start - 4]) - 8
    (tmp_path / "a.mp4").write_bytes(content[:start] + bytes(size) + content[start + size :])
    with pytest.raises(MediaError):
        read_frames(Excerpt(tmp_path / "a.mp4"), 25)
    assert probe(tmp_path / "a.mp4") == whole


def test_a_file_without_counted_frames_reports_it(tmp_path: Path) -> None:
    write_frames(tmp_path / "a.mkv", [numbered_frame(0)] * 2, [0, 0.04])
    assert probe(tmp_path / "a.mkv").video.n_frames is None


def test_the_cover_of_a_music_file_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        audio = container.add_stream("aac", rate=48_000)
        frame = av.VideoFrame.from_ndarray(numbered_frame(0))
        container.mux([*cover.encode(frame), *cover.encode(None)])
        samples = tone(0.5, 48_000, (440.0, 440.0))
        audio_frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        audio_frame.sample_rate = 48_000
        container.mux([*audio.encode(audio_frame), *audio.encode(None)])
    assert probe(path).video is None
    assert probe(path).audio == AudioStream("aac", 48_000, 2, pytest.approx(0.5, abs=0.03))
    with pytest.raises(MediaError, match=r"a\.m4a: it has no video stream"):
        read_frames(Excerpt(path), 25)


def test_a_file_that_is_not_media_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("not a video")
    with pytest.raises(MediaError, match=r"a\.mp4: it is not a media file"):
        probe(tmp_path / "a.mp4")


def test_the_length_is_that_of_the_audio(tmp_path):
    write_audio(tmp_path / "a.wav", Audio(np.zeros((1, 12_000), np.float32), 8_000))
    assert read_audio_seconds(tmp_path / "a.wav") == pytest.approx(1.5)


def test_a_longer_video_does_not_make_the_audio_longer(tmp_path):
    write_video(
        tmp_path / "a.mp4", numbered_frames(75), 25, Audio(tone(1.5, 44_100, (440.0,)), 44_100)
    )
    assert read_audio_seconds(tmp_path / "a.mp4") == pytest.approx(1.5, abs=0.03)


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
    assert read_audio_seconds(path) == pytest.approx(5.0, abs=0.06)


def test_a_file_without_audio_is_refused(tmp_path):
    (tmp_path / "a.wav").write_text("words")
    with pytest.raises(MediaError, match="a.wav"):
        read_audio_seconds(tmp_path / "a.wav")
    write_video(tmp_path / "mute.mp4", numbered_frames(5), 25)
    with pytest.raises(MediaError, match=r"mute\.mp4: it has no audio stream"):
        read_audio_seconds(tmp_path / "mute.mp4")


def test_a_track_without_samples_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((0, 2), np.float32), 48_000)
    with pytest.raises(MediaError, match=r"a\.wav: it has no samples"):
        read_audio_seconds(tmp_path / "a.wav")
