import math
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from bench.errors import MediaError
from bench.media import iterate_frames, read_frames, write_audio, write_video
from bench.types import Audio, Excerpt
from tests.media.samples import (
    number_of,
    numbered_frame,
    numbered_frames,
    tone,
    write_clip,
    write_frames,
)

VIDEOS = ["0B4dYTMsgHA_000130", "F8Zt3mYlOqU_000094"]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Two seconds of numbered frames at 30 fps."""
    write_video(tmp_path / "a.mp4", numbered_frames(60), 30)
    return tmp_path / "a.mp4"


def numbers(excerpt: Excerpt, fps: float) -> list[int]:
    frames = read_frames(excerpt, fps)
    seen = [number_of(pixels) for pixels in frames.pixels]
    assert seen == frames.index.tolist()
    return seen


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize(("fps", "label"), [(25, "25"), (0.5, "0_5")])
def test_frames_are_those_of_the_reference_evaluator(
    shared: Path, name: str, fps: float, label: str
) -> None:
    golden = np.load(shared / "golden" / "m7_frames.npz")
    path = shared / "golden" / "media" / f"{name}.mp4"
    frames = read_frames(Excerpt(path, 0, 8.0), fps, short_side=16)
    assert np.array_equal(frames.index, golden[f"{name}.fps{label}.index"])
    assert frames.times_s == pytest.approx(golden[f"f64_{name}.fps{label}.time"], abs=1e-6)


@pytest.mark.parametrize("name", VIDEOS)
def test_pixels_are_those_of_the_ffmpeg_program(shared: Path, name: str) -> None:
    golden = np.load(shared / "golden" / "m7_frames.npz")
    path = shared / "golden" / "media" / f"{name}.mp4"
    first = next(iterate_frames(Excerpt(path), 25)).pixels
    assert [*first.shape[:2]] == golden[f"{name}.src_shape"][2:].tolist()
    sums = first.sum(axis=(0, 1), dtype=np.float32)
    assert sums.tolist() == golden[f"{name}.src_frame0_sum_rgb"].tolist()


def filtered_by_ffmpeg(times_ms: list[int], last_ms: int, fps: Fraction) -> list[int]:
    """Return the source frames that libavfilter's own ``fps`` filter puts out."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=16, height=16, format=av.VideoFormat("gray"), time_base=Fraction(1, 1000)
    )
    sink = graph.add("buffersink")
    chosen = graph.add("fps", f"fps={fps}")
    source.link_to(chosen)
    chosen.link_to(sink)
    graph.configure()
    outputs: list[int] = []
    ends = [*times_ms[1:], times_ms[-1] + last_ms]
    for number, (start_ms, end_ms) in enumerate(zip(times_ms, ends, strict=True)):
        frame = av.VideoFrame.from_ndarray(np.full((16, 16), number, np.uint8), format="gray")
        frame.pts, frame.time_base = start_ms, Fraction(1, 1000)
        frame.duration = end_ms - start_ms
        graph.push(frame)
        outputs += pulled(graph)
    graph.push(None)
    return outputs + pulled(graph)


def pulled(graph: av.filter.Graph) -> list[int]:
    outputs = []
    while True:
        try:
            outputs.append(int(graph.pull().to_ndarray()[0, 0]))
        except (av.error.BlockingIOError, av.error.EOFError):
            return outputs


@pytest.mark.parametrize("seed", range(6))
def test_a_variable_rate_is_sampled_as_libavfilter_does(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    times_ms = [0, *np.cumsum(rng.integers(5, 160, 59)).tolist()]
    path = tmp_path / "a.mp4"
    write_frames(path, list(numbered_frames(60)), [time / 1000 for time in times_ms])
    with av.open(str(path)) as container:
        last = list(container.decode(video=0))[-1]
    last_ms = round(1000 * last.duration * last.time_base)
    for fps in (Fraction(25), Fraction(24_000, 1001), Fraction(15), Fraction(3, 2)):
        expected = filtered_by_ffmpeg(times_ms, last_ms, fps)
        assert numbers(Excerpt(path), float(fps)) == expected


def test_the_own_rate_gives_every_frame_once(video: Path) -> None:
    assert numbers(Excerpt(video), 30) == list(range(60))


def test_a_lower_rate_takes_the_last_frame_before_each_slot_ends(video: Path) -> None:
    expected = [max(k for k in range(60) if math.floor(k / 2 + 0.5) <= n) for n in range(30)]
    assert numbers(Excerpt(video), 15) == expected


def test_a_window_counts_from_its_start(video: Path) -> None:
    assert numbers(Excerpt(video, 0.5, 1.0), 30) == list(range(15, 45))
    assert numbers(Excerpt(video, 0.1, 0.1), 30) == [3, 4, 5]
    assert numbers(Excerpt(video, 1.5), 30) == list(range(45, 60))


def test_frames_come_one_by_one_and_share_repeated_pixels(video: Path) -> None:
    first, second, third = islice(iterate_frames(Excerpt(video), 60), 3)
    assert (first.index, second.index, third.index) == (0, 0, 1)
    assert first.pixels is second.pixels
    assert third.time_s == pytest.approx(1 / 30)


def test_frames_are_resized_as_they_arrive(video: Path) -> None:
    assert read_frames(Excerpt(video, 0, 0.1), 30, short_side=24).pixels.shape == (3, 24, 32, 3)


def test_a_video_of_one_frame_is_read(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", numbered_frames(1), 25)
    assert numbers(Excerpt(tmp_path / "a.mp4"), 25) == [0]


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_an_invalid_rate_is_refused(video: Path, fps: float) -> None:
    with pytest.raises(MediaError, match="frames per second"):
        read_frames(Excerpt(video), fps)


def test_a_video_that_ends_early_is_refused_with_its_length(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", numbered_frames(199), 25)
    with pytest.raises(MediaError, match=r"lasts 7\.960 s: .* gives 199 frames, 200 are needed"):
        read_frames(Excerpt(tmp_path / "a.mp4", 0, 8.0), 25)


def test_too_low_a_rate_for_a_short_video_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", numbered_frames(5), 25)
    with pytest.raises(MediaError, match="gives 0 frames, at least 1 are needed"):
        read_frames(Excerpt(tmp_path / "a.mp4"), 0.5)


@pytest.mark.parametrize("rotation_deg", [0, 90, 180, -90])
def test_a_rotated_video_is_read_upright(tmp_path: Path, rotation_deg: int) -> None:
    stored = numbered_frame(37)
    stored[:16, :16] = 128
    write_frames(tmp_path / "a.mp4", [stored] * 3, [0, 0.04, 0.08], rotation_deg=rotation_deg)
    frame = read_frames(Excerpt(tmp_path / "a.mp4"), 25).pixels[0]
    expected = np.rot90(stored, rotation_deg // 90).astype(int)
    assert frame.shape == expected.shape
    assert np.abs(frame - expected).mean() < 5


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mov", "libx264"),
        ("a.mkv", "libx264"),
        ("a.ts", "libx264"),
        ("a.flv", "libx264"),
        ("a.webm", "libvpx-vp9"),
        ("a.avi", "mpeg4"),
    ],
)
def test_every_usual_container_gives_the_same_frames(tmp_path: Path, name: str, codec: str) -> None:
    time_base_hz = 25 if name == "a.avi" else 1000
    write_frames(
        tmp_path / name,
        list(numbered_frames(25)),
        np.arange(25) / 25,
        codec,
        time_base_hz=time_base_hz,
    )
    assert numbers(Excerpt(tmp_path / name), 25) == list(range(25))


def test_frames_out_of_order_in_an_avi_are_put_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    write_frames(path, list(numbered_frames(25)), np.arange(25) / 25, "libx264", time_base_hz=25)
    assert numbers(Excerpt(path), 25) == list(range(25))


def test_an_avi_with_empty_slots_shows_its_frames_when_it_stores_them(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"  # 25 frames per second in 50 slots, after half a second of none
    write_clip(
        path,
        [(0.0, tone(1.5, 48_000, (440.0,)))],
        48_000,
        "pcm_s16le",
        "s16",
        video_start_s=0.5,
        n_frames=25,
        ticks_hz=50,
    )
    seen = [number_of(pixels) for pixels in read_frames(Excerpt(path, 0, 1.4), 25).pixels]
    assert seen[12:] == list(range(seen[12], seen[12] + 23))
    assert seen[12] in (0, 1)  # how the encoder's delay of two frames is stored


def test_an_empty_packet_repeats_the_previous_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Theora stores a frame that repeats so. Of the formats that PyAV writes only NUT keeps them.
    monkeypatch.setattr("bench.media.container.FORMATS", "nut")
    path = tmp_path / "a.nut"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.codec_context.thread_count = 1
        packets = []
        for pixels in numbered_frames(10):
            packets += stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24"))
        for packet in packets[:4] + [_empty(each) for each in packets[4:6]] + packets[6:]:
            container.mux(packet)
    frames = read_frames(Excerpt(path, 0, 0.32), 25)
    assert frames.index.tolist() == [0, 1, 2, 3, 3, 3, 4, 5]


def _empty(packet: av.Packet) -> av.Packet:
    """A packet of no bytes at the place of ``packet``."""
    empty = av.Packet(b"")
    empty.stream, empty.time_base = packet.stream, packet.time_base
    empty.pts, empty.dts = packet.pts, packet.dts
    return empty


def test_audio_alone_has_no_frames(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", Audio(tone(0.1, 16_000, (440.0,)), 16_000))
    with pytest.raises(MediaError, match=r"a\.wav: it has no video stream"):
        read_frames(Excerpt(tmp_path / "a.wav"), 25)


def test_a_video_that_changes_size_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.webm"), "w") as output:
        stream = output.add_stream("libvpx-vp9", rate=25)
        stream.width, stream.height = 64, 48
        for part, height in enumerate((48, 96)):
            path = tmp_path / f"{height}.webm"
            frames = [numbered_frame(0, height)] * 10
            write_frames(path, frames, np.arange(10) / 25, "libvpx-vp9")
            with av.open(str(path)) as container:
                for packet in container.demux(video=0):
                    if packet.size:
                        packet.pts, packet.dts = packet.pts + part * 400, packet.dts + part * 400
                        packet.stream = stream
                        output.mux(packet)
    with pytest.raises(MediaError, match="frame 10 has another size"):
        read_frames(Excerpt(tmp_path / "a.webm"), 25)


def test_a_leap_in_time_is_refused_and_not_filled(tmp_path: Path) -> None:
    write_frames(tmp_path / "a.mp4", list(numbered_frames(3)), [0, 0.04, 900.0])
    with pytest.raises(MediaError, match=r"frame 2 jumps from 0\.0 to 900\.0 s"):
        read_frames(Excerpt(tmp_path / "a.mp4"), 25)


def test_a_video_that_was_cut_off_is_refused(video: Path) -> None:
    content = video.read_bytes()
    header = content.index(b"moov") - 4
    data = content.index(b"mdat") - 4
    assert data < header, "the index must come last for this test"
    video.write_bytes(content[: header // 2])
    with pytest.raises(MediaError, match=r"a\.mp4: it is not a media file, or damaged"):
        read_frames(Excerpt(video), 30)


def test_more_pixels_than_fit_are_refused(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.media.video.MAX_BYTES", 20 * 48 * 64 * 3)
    assert len(read_frames(Excerpt(video, 0, 20 / 30), 30).index) == 20
    with pytest.raises(MediaError, match="read a shorter window, a smaller side"):
        read_frames(Excerpt(video, 0, 21 / 30), 30)


def test_frames_larger_than_any_camera_are_refused(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.media.container.MAX_SIDE", 50)
    with pytest.raises(MediaError, match="64 x 48 pixels, at most 50"):
        read_frames(Excerpt(video), 30)
