import weakref
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock

import av
import numpy as np
import pytest
import soundfile

from bench.errors import MediaError
from bench.media import (
    check_muxing,
    mux_audio,
    probe,
    read_audio,
    read_frames,
    write_audio,
    write_video,
)
from bench.media.write import add_video_stream
from bench.types import Audio, Excerpt, Pixels
from tests.media.samples import number_of, numbered_frame, numbered_frames, tone, write_frames

AUDIO = Audio(tone(1.0, 48_000, (440.0, 660.0)), 48_000)


def video_packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def test_a_wav_file_returns_every_sample_exactly(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", AUDIO)
    samples, rate = soundfile.read(tmp_path / "a.wav", dtype="float32")
    assert rate == 48_000
    assert np.array_equal(samples.T, AUDIO.samples)


def test_a_flac_file_is_within_one_step_of_24_bits(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.flac", AUDIO)
    samples, _ = soundfile.read(tmp_path / "a.flac", dtype="float64")
    assert soundfile.info(tmp_path / "a.flac").subtype == "PCM_24"
    assert np.abs(samples.T - AUDIO.samples).max() <= 2**-23


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp4"])
def test_writing_twice_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    for folder in (tmp_path / "one", tmp_path / "two"):
        if name == "a.mp4":
            write_video(folder / name, numbered_frames(30), 25, AUDIO)
        else:
            write_audio(folder / name, AUDIO)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_video_has_the_same_bytes_however_often_it_is_written(tmp_path: Path) -> None:
    # With x264's AVX-512 code one of 40 was different.
    contents = set()
    for _ in range(80):
        write_video(tmp_path / "a.mp4", numbered_frames(30), 25)
        contents.add((tmp_path / "a.mp4").read_bytes())
    assert len(contents) == 1


@pytest.mark.parametrize(("machine", "is_limited"), [("AMD64", True), ("aarch64", False)])
def test_only_x86_processors_get_a_list_of_vector_instructions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: str, is_limited: bool
) -> None:
    # Any other would switch all of its own off. A file does not show it, so the options are read.
    monkeypatch.setattr("platform.machine", lambda: machine)
    container = MagicMock()
    add_video_stream(tmp_path / "a.mp4", container, numbered_frame(0), 25)
    options = container.add_stream.call_args.kwargs["options"]
    assert ("x264-params" in options) == is_limited
    assert options["g"] == "50"


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_rounding_beyond_full_scale_is_clipped(tmp_path: Path, name: str) -> None:
    write_audio(tmp_path / name, Audio(np.array([[1.00009, -1.00009]], np.float32), 16_000))
    samples, _ = soundfile.read(tmp_path / name)
    assert np.abs(samples).max() <= 1
    assert samples == pytest.approx([1, -1], abs=1e-6)


@pytest.mark.parametrize(
    ("name", "samples", "reason"),
    [
        ("a.flac", [[0.0, 1.5]], "the peak is 1.5"),
        ("a.wav", [[0.0, np.nan]], "not finite"),
        ("a.wav", [[0.0, np.inf]], "not finite"),
        ("a.wav", [[]], "no samples"),
        ("a.mp3", [[0.0]], "'.mp3' is not .flac or .wav"),
    ],
)
def test_audio_that_cannot_be_kept_is_refused(
    tmp_path: Path, name: str, samples: list[list[float]], reason: str
) -> None:
    with pytest.raises(MediaError, match=reason):
        write_audio(tmp_path / name, Audio(np.array(samples, np.float32), 16_000))
    assert list(tmp_path.iterdir()) == []


def test_more_channels_than_flac_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"cannot write .*a\.flac"):
        write_audio(tmp_path / "a.flac", Audio(np.zeros((9, 100), np.float32), 16_000))


def test_a_video_returns_its_frames_in_order_and_its_audio(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_video(path, numbered_frames(50), 25, AUDIO)
    info = probe(path)
    assert (info.video.width, info.video.height, info.video.fps) == (64, 48, 25)
    assert (info.audio.codec, info.audio.sample_rate_hz, info.audio.channels) == ("aac", 48_000, 2)
    frames = read_frames(Excerpt(path), 25)
    assert [number_of(pixels) for pixels in frames.pixels] == list(range(50))
    error = read_audio(Excerpt(path, 0, 1.0)).samples - AUDIO.samples
    assert np.sqrt((error**2).mean() / (AUDIO.samples**2).mean()) < 0.05


def test_frames_are_drawn_one_by_one(tmp_path: Path) -> None:
    drawn: list[weakref.ref[Pixels]] = []
    most = 0

    def frames() -> Iterator[Pixels]:
        nonlocal most
        for number in range(100):
            pixels = numbered_frame(number)
            drawn.append(weakref.ref(pixels))
            most = max(most, sum(reference() is not None for reference in drawn))
            yield pixels

    write_video(tmp_path / "a.mp4", frames(), 25, AUDIO)
    assert most <= 4


def test_a_failing_generator_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")

    def frames() -> Iterator[Pixels]:
        yield numbered_frame(0)
        raise RuntimeError("camera unplugged")

    with pytest.raises(RuntimeError, match="camera unplugged"):
        write_video(path, frames(), 25)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([], "no frames were given"),
        ([np.zeros((48, 63, 3), np.uint8)], "48 x 63"),
        ([np.zeros((48, 64), np.uint8)], "uint8 \\[H, W, 3\\]"),
        ([np.zeros((48, 64, 3), np.float32)], "float32"),
        ([numbered_frame(0), numbered_frame(1, 96)], "frame 1 is uint8 \\[96, 64, 3\\]"),
    ],
)
def test_frames_that_make_no_video_are_refused(
    tmp_path: Path, frames: list[Pixels], reason: str
) -> None:
    with pytest.raises(MediaError, match=reason):
        write_video(tmp_path / "a.mp4", frames, 25)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("n_channels", "rate", "reason"), [(3, 48_000, "got 3 channels"), (1, 12_345, "12345 Hz")]
)
def test_audio_that_aac_cannot_carry_is_refused(
    tmp_path: Path, n_channels: int, rate: int, reason: str
) -> None:
    audio = Audio(np.zeros((n_channels, rate), np.float32), rate)
    with pytest.raises(MediaError, match=reason):
        write_video(tmp_path / "a.mp4", numbered_frames(5), 25, audio)


def test_a_video_of_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"a video is \.mp4 or \.mov"):
        write_video(tmp_path / "a.gif", numbered_frames(5), 25)


def test_muxing_copies_the_video_and_replaces_the_audio(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", numbered_frames(50), 25, AUDIO)
    other = Audio(tone(2.0, 16_000, (1000.0,)), 16_000)
    mux_audio(tmp_path / "a.mp4", other, tmp_path / "b.mp4")
    assert video_packets(tmp_path / "b.mp4") == video_packets(tmp_path / "a.mp4")
    audio = read_audio(Excerpt(tmp_path / "b.mp4", 0.1, 1.0))
    assert audio.sample_rate_hz == 16_000
    assert np.abs(audio.samples - other.samples[:, 1600:17600]).max() < 0.02


def test_muxing_ends_the_video_with_the_audio(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", numbered_frames(50), 25)
    mux_audio(tmp_path / "a.mp4", AUDIO, tmp_path / "b.mp4")
    frames = read_frames(Excerpt(tmp_path / "b.mp4"), 25)
    assert 25 <= len(frames.index) <= 29


def test_muxing_may_start_between_two_key_frames(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", numbered_frames(100), 25)
    mux_audio(tmp_path / "a.mp4", AUDIO, tmp_path / "b.mp4", start_s=2.6)
    frames = read_frames(Excerpt(tmp_path / "b.mp4", 0, 1.0), 25)
    assert [number_of(pixels) for pixels in frames.pixels] == list(range(65, 90))


def test_muxing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", numbered_frames(50), 25)
    for name in ("b.mp4", "c.mp4"):
        mux_audio(tmp_path / "a.mp4", AUDIO, tmp_path / name, start_s=0.5)
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "c.mp4").read_bytes()


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "libx264"), ("a.webm", "libvpx-vp9")])
def test_muxing_copies_video_from_other_containers(tmp_path: Path, name: str, codec: str) -> None:
    frames = list(numbered_frames(25))
    write_frames(tmp_path / name, frames, np.arange(25) / 25, codec)
    mux_audio(tmp_path / name, AUDIO, tmp_path / "b.mp4")
    muxed = read_frames(Excerpt(tmp_path / "b.mp4"), 25)
    assert [number_of(pixels) for pixels in muxed.pixels] == list(range(25))


def test_muxing_keeps_a_portrait_video_upright(tmp_path: Path) -> None:
    write_frames(tmp_path / "a.mp4", [numbered_frame(5)] * 3, [0, 0.04, 0.08], rotation_deg=90)
    mux_audio(tmp_path / "a.mp4", AUDIO, tmp_path / "b.mp4")
    assert probe(tmp_path / "b.mp4").video == probe(tmp_path / "a.mp4").video


def test_muxing_refuses_a_file_without_video_in_the_window(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", AUDIO)
    with pytest.raises(MediaError, match=r"a\.wav: it has no video stream"):
        mux_audio(tmp_path / "a.wav", AUDIO, tmp_path / "b.mp4")
    write_video(tmp_path / "a.mp4", numbered_frames(25), 25)
    with pytest.raises(MediaError, match="it ends before 7 s"):
        mux_audio(tmp_path / "a.mp4", AUDIO, tmp_path / "b.mp4", start_s=7.0)


#: A file, its codec and pixel format, and what holds it.
CODECS = [
    ("a.mkv", "libx264", "yuv420p", (".mp4", ".mov")),
    ("a.mkv", "libx265", "yuv420p", (".mp4", ".mov")),
    ("a.ts", "libx265", "yuv420p", (".mp4", ".mov")),
    ("a.webm", "libvpx-vp9", "yuv420p", (".mp4",)),
    ("a.webm", "libvpx", "yuv420p", ()),
    ("a.avi", "mpeg4", "yuv420p", (".mp4", ".mov")),
    ("a.mpg", "mpeg2video", "yuv420p", (".mp4", ".mov")),
    ("a.avi", "mjpeg", "yuvj420p", (".mp4", ".mov")),
    ("a.mov", "prores_ks", "yuv422p10le", (".mov",)),
    ("a.wmv", "wmv2", "yuv420p", ()),
]


def write_codec(path: Path, codec: str, pixel_format: str) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {"profile": "0"}
    write_frames(
        path,
        list(numbered_frames(10)),
        np.arange(10) / 25,
        codec,
        pixel_format=pixel_format,
        time_base_hz=25,
        options=options if codec in ("libx265", "prores_ks") else None,
    )


@pytest.mark.parametrize(("name", "codec", "pixel_format", "held_by"), CODECS)
def test_the_check_before_muxing_has_the_message_of_muxing(
    tmp_path: Path, name: str, codec: str, pixel_format: str, held_by: tuple[str, ...]
) -> None:
    path = tmp_path / name
    write_codec(path, codec, pixel_format)
    for suffix in (".mp4", ".mov"):
        target = tmp_path / f"b{suffix}"
        if suffix in held_by:
            check_muxing(path, target)
            assert not target.exists()
            mux_audio(path, AUDIO, target)
            frames = read_frames(Excerpt(target, 0, 0.4), 25)
            assert [number_of(pixels) for pixels in frames.pixels] == list(range(10))
            continue
        message = rf"the video of .*{name} into a {suffix} file, which does not hold"
        with pytest.raises(MediaError, match=message):
            check_muxing(path, target)
        with pytest.raises(MediaError):
            mux_audio(path, AUDIO, target)
        assert not target.exists()


def test_the_check_before_muxing_refuses_a_file_without_video(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", AUDIO)
    with pytest.raises(MediaError, match=r"a\.wav: it has no video stream"):
        check_muxing(tmp_path / "a.wav", tmp_path / "b.mp4")


@pytest.mark.parametrize("name", ["a.mkv", "a.ts", "a.mov"])
def test_hevc_has_the_tag_that_apple_players_require(tmp_path: Path, name: str) -> None:
    write_codec(tmp_path / "a.mkv", "libx265", "yuv420p")
    if name == "a.mov":
        mux_audio(tmp_path / "a.mkv", AUDIO, tmp_path / name)
    elif name == "a.ts":
        write_codec(tmp_path / name, "libx265", "yuv420p")
    mux_audio(tmp_path / name, AUDIO, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


def test_the_kind_of_prores_is_kept(tmp_path: Path) -> None:
    write_codec(tmp_path / "a.mov", "prores_ks", "yuv422p10le")
    mux_audio(tmp_path / "a.mov", AUDIO, tmp_path / "b.mov")
    with av.open(str(tmp_path / "b.mov")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "apco"


@pytest.mark.parametrize("name", ["a:b.mp4", "concat:y.mp4", "-x.mp4"])
def test_any_file_name_can_be_muxed_by_a_relative_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(Path(name), numbered_frames(10), 25)
    mux_audio(Path(name), AUDIO, Path(f"out{name}"))
    assert probe(Path(f"out{name}")).audio.seconds == pytest.approx(1.0, abs=0.01)


def test_muxing_refuses_a_video_that_was_cut_off(tmp_path: Path) -> None:
    write_frames(tmp_path / "a.ts", list(numbered_frames(25)), np.arange(25) / 25)
    write_video(tmp_path / "a.mp4", numbered_frames(50), 25)
    content = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(content[: len(content) // 4])
    with pytest.raises(MediaError, match=r"cannot read .*a\.mp4"):
        mux_audio(tmp_path / "a.mp4", AUDIO, tmp_path / "b.mp4")
    assert not (tmp_path / "b.mp4").exists()
