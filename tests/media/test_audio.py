import os
import re
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from bench.errors import MediaError
from bench.media import cut_audio, read_audio, write_audio, write_video
from bench.types import Audio, Excerpt, Waveform
from tests.media.samples import numbered_frames, tone, write_audio_file

RATE = 48_000
STEREO = tone(1.0, RATE, (440.0, 660.0))


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """One second of noise, 44.1 kHz stereo."""
    path = tmp_path / "noise.wav"
    samples = np.random.default_rng(1).uniform(-1, 1, (2, 44_100)).astype(np.float32)
    write_audio(path, Audio(samples, 44_100))
    return path


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [
        (".wav", "PCM_U8"),
        (".wav", "PCM_16"),
        (".wav", "PCM_24"),
        (".wav", "PCM_32"),
        (".wav", "FLOAT"),
        (".wav", "DOUBLE"),
        (".flac", "PCM_16"),
        (".flac", "PCM_24"),
        (".aiff", "PCM_16"),
    ],
)
@pytest.mark.parametrize("n_channels", [1, 2])
def test_lossless_files_equal_libsndfile_exactly(
    tmp_path: Path, suffix: str, subtype: str, n_channels: int
) -> None:
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, STEREO[:n_channels].T, 96_000, subtype)
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
    audio = read_audio(Excerpt(path))
    assert audio.sample_rate_hz == 96_000
    assert np.array_equal(audio.samples, expected.T)


def lag_samples(found: Waveform, original: Waveform) -> int:
    """By how many samples ``found`` is late, where their correlation is greatest."""
    n_padded = 2 * max(len(found), len(original))
    spectrum = np.fft.rfft(found, n_padded) * np.fft.rfft(original, n_padded).conj()
    lag = int(np.fft.irfft(spectrum).argmax())
    return lag if lag < n_padded // 2 else lag - n_padded


@pytest.mark.parametrize(
    ("name", "codec", "sample_format", "expected_lag"),
    [
        ("a.mp3", "libmp3lame", "fltp", 0),
        ("a.opus", "libopus", "flt", 0),
        ("a.webm", "libopus", "flt", 0),
        ("a.m4a", "aac", "fltp", 0),
        ("a.mov", "aac", "fltp", 0),
        ("a.mkv", "aac", "fltp", 0),
        ("a.ogg", "vorbis", "", 0),
        ("a.avi", "libmp3lame", "fltp", 1105),  # AVI cannot state how much priming to skip
    ],
)
def test_lossy_files_return_the_audio_at_its_position(
    tmp_path: Path, name: str, codec: str, sample_format: str, expected_lag: int
) -> None:
    noise = np.random.default_rng(2).uniform(-0.3, 0.3, RATE + 19)
    smooth = np.convolve(noise, np.ones(20) / 5, "valid").astype(np.float32)
    samples = np.stack([smooth, smooth])
    if codec == "vorbis":  # ffmpeg only has a poor encoder of its own
        soundfile.write(tmp_path / name, samples.T, RATE, "VORBIS")
    else:
        write_audio_file(tmp_path / name, samples, RATE, codec, "stereo", sample_format)
    audio = read_audio(Excerpt(tmp_path / name))
    assert lag_samples(audio.samples[0], smooth) == expected_lag
    assert audio.seconds == pytest.approx(1.0, abs=0.04)
    power = (audio.samples**2).mean(axis=1) / (smooth**2).mean()
    assert power == pytest.approx([1, 1], rel=0.15)


@pytest.mark.parametrize(
    ("start_s", "seconds"), [(0.0, 1.0), (0.1, 0.5), (0.33333, 0.1), (0.00001, 0.02), (0.9, 0.1)]
)
def test_a_window_is_exact_to_the_sample(wav: Path, start_s: float, seconds: float) -> None:
    whole = read_audio(Excerpt(wav)).samples
    window = read_audio(Excerpt(wav, start_s, seconds)).samples
    start, n_samples = round(start_s * 44_100), round(seconds * 44_100)
    assert np.array_equal(window, whole[:, start : start + n_samples])


@pytest.mark.parametrize(("start_s", "seconds"), [(0.0, 0.7), (0.2, 0.5), (0.5, 0.55), (0.0, None)])
def test_a_window_cut_out_of_a_decoded_file_is_the_one_that_is_read(
    wav: Path, start_s: float, seconds: float | None
) -> None:
    window = Excerpt(wav, start_s, seconds)
    cut = cut_audio(read_audio(Excerpt(wav)), window, shortfall_s=0.1)
    assert np.array_equal(cut.samples, read_audio(window, shortfall_s=0.1).samples)


def test_a_window_that_a_decoded_file_does_not_hold_is_refused(wav: Path) -> None:
    with pytest.raises(MediaError, match=r"noise\.wav lasts 1\.000 s, .* from 0\.5 s .* to 1\.6 s"):
        cut_audio(read_audio(Excerpt(wav)), Excerpt(wav, 0.5, 1.1))


def test_a_start_without_an_end_reads_to_the_end(wav: Path) -> None:
    whole = read_audio(Excerpt(wav)).samples
    assert np.array_equal(read_audio(Excerpt(wav, 0.25)).samples, whole[:, 11_025:])


def test_mono_is_the_mean_over_channels(wav: Path) -> None:
    whole = read_audio(Excerpt(wav))
    assert np.array_equal(read_audio(Excerpt(wav), mono=True).samples, whole.mono()[np.newaxis])


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        (0, (1.0, 0.0)),
        (1, (0.0, 1.0)),
        (2, (0.5**0.5, 0.5**0.5)),
        (3, (0.0, 0.0)),
        (4, (0.5**0.5, 0.0)),
        (5, (0.0, 0.5**0.5)),
    ],
)
@pytest.mark.parametrize("suffix", [".flac", ".wav"])
def test_surround_is_mixed_down_by_the_itu_coefficients(
    tmp_path: Path, channel: int, expected: tuple[float, float], suffix: str
) -> None:
    samples = np.zeros((6, 4800), np.float32)
    samples[channel] = tone(0.1, RATE, (440.0,))[0]
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, samples.T, RATE, "PCM_24")
    mixed = read_audio(Excerpt(path)).samples
    gains = mixed @ samples[channel] / (samples[channel] @ samples[channel])
    assert gains == pytest.approx(np.array(expected) / (1 + 2 * 0.5**0.5), abs=1e-4)


def test_a_file_that_ends_early_states_how_long_it_is(wav: Path) -> None:
    with pytest.raises(MediaError, match=r"noise\.wav lasts 1\.000 s, .* from 0\.5 s .* to 1\.6 s"):
        read_audio(Excerpt(wav, 0.5, 1.1))


def test_a_permitted_shortfall_is_filled_with_zeros(wav: Path) -> None:
    audio = read_audio(Excerpt(wav, 0.5, 0.6), shortfall_s=0.1)
    assert audio.samples.shape == (2, 26_460)
    assert np.array_equal(audio.samples[:, :22_050], read_audio(Excerpt(wav, 0.5)).samples)
    assert not audio.samples[:, 22_050:].any()


def test_a_shortfall_does_not_permit_a_window_without_any_audio(wav: Path) -> None:
    with pytest.raises(MediaError, match=r"lasts 1\.000 s"):
        read_audio(Excerpt(wav, 1.2, 0.1), shortfall_s=5.0)


@pytest.mark.parametrize(
    ("start_s", "seconds"),
    [(-0.1, 1.0), (0.0, 0.0), (0.0, -1.0), (0.0, 4000.0), (float("nan"), 1.0), (0.0, float("nan"))],
)
def test_an_invalid_window_is_refused(wav: Path, start_s: float, seconds: float) -> None:
    with pytest.raises(MediaError, match="a window starts at 0 s or later"):
        read_audio(Excerpt(wav, start_s, seconds))


def test_reading_stops_at_the_end_of_the_window(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    write_audio(path, Audio(np.tile(STEREO, 10), RATE))
    content = bytearray(path.read_bytes())
    content[len(content) * 3 // 4] ^= 0xFF
    path.write_bytes(content)
    assert read_audio(Excerpt(path, 0, 2.0)).seconds == 2.0
    with pytest.raises(MediaError, match=r"its audio is damaged near 7\.\d s"):
        read_audio(Excerpt(path))


def test_samples_beyond_full_scale_are_read_as_they_are(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.5, 1.5, -10.0]), RATE, "FLOAT")
    assert read_audio(Excerpt(tmp_path / "a.wav")).samples.tolist() == [[0.5, 1.5, -10.0]]


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_integers_in_a_file_of_floating_point_numbers_are_refused(
    tmp_path: Path, subtype: str
) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.0, 1000.0, -16384.0]), RATE, subtype)
    with pytest.raises(MediaError, match=r"its peak is 16384 where full scale is 1, .* integers"):
        read_audio(Excerpt(tmp_path / "a.wav"))


def test_a_quiet_file_of_integers_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.0, 3.0, -2.0, 1.0]), RATE, "FLOAT")
    with pytest.raises(MediaError, match=r"its peak is 3 where full scale is 1, .* integers"):
        read_audio(Excerpt(tmp_path / "a.wav"))


@pytest.mark.parametrize(
    "name", ["a:b.wav", "concat:y", "http:z.wav", "-x.wav", "%d.wav", "a?b#c.wav", b"\xff\xfe.wav"]
)
def test_any_file_name_opens_by_a_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(os.fsdecode(name))
    with path.open("wb") as file:
        soundfile.write(file, STEREO.T, RATE, "FLOAT", format="WAV")
    assert np.array_equal(read_audio(Excerpt(path)).samples, STEREO)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_not_finite_are_refused(tmp_path: Path, bad: float) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.5, bad, -2.0]), RATE, "FLOAT")
    with pytest.raises(MediaError, match=r"a\.wav: it has samples that are not finite"):
        read_audio(Excerpt(tmp_path / "a.wav"))


def test_content_decides_and_not_the_name(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", STEREO.T, RATE)
    (tmp_path / "a.flac").rename(tmp_path / "a.wav")
    assert read_audio(Excerpt(tmp_path / "a.wav")).samples.shape == STEREO.shape


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"A text file, whatever it is called. " * 50, "it is not a media file, or damaged"),
        (b"#EXTM3U\n#EXTINF:1,\nother.wav\n", "it is not a media file, or damaged"),
        (b"ffconcat version 1.0\nfile other.wav\n", "it is not a media file, or damaged"),
    ],
)
def test_files_that_are_no_media_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=f"cannot read {re.escape(str(path))}: {reason}"):
        read_audio(Excerpt(path))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"none\.wav: No such file"):
        read_audio(Excerpt(tmp_path / "none.wav"))
    with pytest.raises(MediaError, match="it is not a file"):
        read_audio(Excerpt(tmp_path))


def test_a_video_without_audio_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", numbered_frames(5), 25)
    with pytest.raises(MediaError, match=r"a\.mp4: it has no audio stream"):
        read_audio(Excerpt(tmp_path / "a.mp4"))


def test_a_real_video_without_audio_is_refused(shared: Path) -> None:
    with pytest.raises(MediaError, match=r"no_audio_track\.mp4: it has no audio stream"):
        read_audio(Excerpt(shared / "media" / "bad" / "no_audio_track.mp4"))


def test_audio_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((0, 1)), RATE)
    with pytest.raises(MediaError, match=r"a\.wav"):
        read_audio(Excerpt(tmp_path / "a.wav"))


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_audio(path, Audio(np.tile(STEREO, 3), RATE))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match=r"cannot read .*its audio is (cut off|damaged)"):
        read_audio(Excerpt(path))


def test_a_rate_that_changes_on_the_way_is_refused(tmp_path: Path) -> None:
    for rate in (48_000, 32_000):
        write_audio_file(tmp_path / f"{rate}.aac", tone(0.5, rate, (440.0,)), rate, "aac", "mono")
    parts = [(tmp_path / f"{rate}.aac").read_bytes() for rate in (48_000, 32_000)]
    (tmp_path / "a.aac").write_bytes(b"".join(parts))
    with pytest.raises(MediaError, match="48000 Hz mono turns into 32000 Hz mono"):
        read_audio(Excerpt(tmp_path / "a.aac"))


def test_more_channels_than_any_layout_has_are_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((100, 11)), RATE)
    with pytest.raises(MediaError, match="11 channels"):
        read_audio(Excerpt(tmp_path / "a.wav"))


def test_a_rate_that_no_recorder_has_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 10)
    with pytest.raises(MediaError, match=r"its rate is 10 Hz"):
        read_audio(Excerpt(tmp_path / "a.wav"))


def test_more_than_the_longest_window_is_refused(
    wav: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.media.audio.MAX_SECONDS", 0.5)
    with pytest.raises(MediaError, match=r"it lasts more than 0\.5 s, read a window"):
        read_audio(Excerpt(wav))


def test_every_real_clip_is_as_long_as_its_list_states(shared: Path) -> None:
    clips = sorted((shared / "media" / "vggsound").glob("*.mp4"))
    assert len(clips) >= 8
    for clip in clips:
        audio = read_audio(Excerpt(clip))
        assert audio.seconds == pytest.approx(10, abs=0.05)
        assert audio.repaired_s == 0  # their time stamps jitter by up to one AAC frame
        assert np.abs(audio.samples).max() > 0.01


def test_reading_prints_no_log_of_ffmpeg(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_audio_file(tmp_path / "a.mp3", STEREO, RATE, "libmp3lame", "stereo")
    content = bytearray((tmp_path / "a.mp3").read_bytes())
    content[2000:4000] = bytes(2000)
    (tmp_path / "a.mp3").write_bytes(content)
    av.logging.restore_default_callback()
    with pytest.raises(MediaError):
        read_audio(Excerpt(tmp_path / "a.mp3"))
    assert capfd.readouterr().err == ""
