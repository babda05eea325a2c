"""Audio and video of a file share the container's clock: starts, holes, overlaps, lengths."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from bench.errors import MediaError
from bench.media import (
    describe_media,
    mux_audio,
    probe,
    read_audio,
    read_audio_seconds,
    read_frames,
)
from bench.types import Audio, Excerpt, Waveform
from tests.media.samples import number_of, numbered_frames, tone, write_clip, write_frames

RATE = 48_000
TWO_SECONDS = tone(2.0, RATE, (440.0,))
#: Container, codec and sample format, and how exactly it keeps times and samples.
LOSSLESS = [("a.mkv", "flac", "s16"), ("a.mp4", "alac", "s16p"), ("a.mov", "pcm_s16le", "s16")]
LOSSY = [("a.ts", "mp2", "s16"), ("a.webm", "libopus", "flt"), ("a.flv", "aac", "fltp")]
#: An encoder's priming that its container cannot hide, and the time spread of a lossy codec.
LOSSY_S = 0.05


def onset_s(samples: Waveform) -> float:
    """Return the time of the first sample above 0.1, in seconds."""
    return int(np.argmax(np.abs(samples[0]) > 0.1)) / RATE


def clip(
    folder: Path,
    how: tuple[str, str, str],
    segments: list[tuple[float, Waveform]],
    video_start_s: float | None,
) -> Path:
    name, codec, sample_format = how
    path = folder / name
    video_codec = "libvpx-vp9" if path.suffix == ".webm" else "libx264"
    write_clip(
        path,
        segments,
        RATE,
        codec,
        sample_format,
        video_start_s=video_start_s,
        video_codec=video_codec,
    )
    return path


@pytest.mark.parametrize("how", LOSSLESS)
def test_audio_that_starts_late_begins_with_silence(tmp_path, how):
    path = clip(tmp_path, how, [(0.5, TWO_SECONDS)], 0.0)
    samples = read_audio(Excerpt(path)).samples
    assert samples.shape == (1, RATE * 5 // 2)
    assert not samples[:, : RATE // 2].any()
    assert np.abs(samples[:, RATE // 2 :] - TWO_SECONDS).max() < 1e-4
    assert read_audio_seconds(path) == pytest.approx(2.5, abs=1e-3)
    later = read_audio(Excerpt(path, 0.75, 0.5)).samples
    assert np.array_equal(later, samples[:, RATE * 3 // 4 : RATE * 5 // 4])


@pytest.mark.parametrize("how", LOSSY)
def test_lossy_audio_that_starts_late_keeps_its_position(tmp_path, how):
    path = clip(tmp_path, how, [(0.5, TWO_SECONDS)], 0.0)
    assert onset_s(read_audio(Excerpt(path)).samples) == pytest.approx(0.5, abs=LOSSY_S)


def test_both_streams_of_a_file_may_start_late_together(tmp_path):
    path = clip(tmp_path, LOSSLESS[0], [(1.5, TWO_SECONDS)], 1.5)
    assert np.abs(read_audio(Excerpt(path)).samples - TWO_SECONDS).max() < 1e-4
    numbers = [number_of(pixels) for pixels in read_frames(Excerpt(path), 25).pixels]
    assert numbers == list(range(50))


def test_a_transport_stream_counts_from_the_first_of_its_streams(tmp_path):
    path = clip(tmp_path, LOSSY[0], [(1.4, TWO_SECONDS)], 1.8)
    assert onset_s(read_audio(Excerpt(path)).samples) < LOSSY_S
    numbers = [number_of(pixels) for pixels in read_frames(Excerpt(path, 0, 2.0), 25).pixels]
    assert numbers[10:] == list(range(40))


@pytest.mark.parametrize("how", [*LOSSLESS, *LOSSY[:2]])
def test_a_video_that_starts_late_shows_its_first_frame_from_0(tmp_path, how):
    path = clip(tmp_path, how, [(0.0, TWO_SECONDS)], 0.4)
    frames = read_frames(Excerpt(path, 0, 2.0), 25)
    assert [number_of(pixels) for pixels in frames.pixels] == [0] * 10 + list(range(40))
    assert frames.times_s[0] == pytest.approx(0.4, abs=LOSSY_S)
    window = read_frames(Excerpt(path, 1.0, 1.0), 25)
    assert [number_of(pixels) for pixels in window.pixels] == list(range(15, 40))


def test_a_single_track_starts_at_its_first_sample(tmp_path):
    path = clip(tmp_path, LOSSLESS[0], [(0.5, TWO_SECONDS)], None)
    assert np.abs(read_audio(Excerpt(path)).samples - TWO_SECONDS).max() < 1e-4
    write_frames(tmp_path / "b.mkv", list(numbered_frames(25)), 0.5 + np.arange(25) / 25)
    numbers = [number_of(pixels) for pixels in read_frames(Excerpt(tmp_path / "b.mkv"), 25).pixels]
    assert numbers == list(range(25))


@pytest.mark.parametrize("how", LOSSLESS[:2])
@pytest.mark.parametrize("hole_s", [0.06, 0.5])
def test_a_hole_in_the_time_stamps_becomes_silence(tmp_path, how, hole_s):
    half, n_hole = RATE // 2, round(hole_s * RATE)
    segments = [(0.0, TWO_SECONDS[:, :half]), (0.5 + hole_s, TWO_SECONDS[:, half:])]
    path = clip(tmp_path, how, segments, 0.0)
    audio = read_audio(Excerpt(path))
    expected = np.insert(TWO_SECONDS, np.full(n_hole, half), 0, axis=1)
    silent = np.flatnonzero(~audio.samples[0].astype(bool))
    assert audio.samples.shape == expected.shape
    assert audio.repaired_s == pytest.approx(hole_s)
    assert np.count_nonzero(np.diff(silent) == 1) >= n_hole - 1
    assert np.abs(audio.samples[:, -RATE:] - expected[:, -RATE:]).max() < 1e-4
    assert read_audio_seconds(path) == pytest.approx(2 + hole_s, abs=1e-3)


@pytest.mark.parametrize("how", [LOSSLESS[0], *LOSSY])
@pytest.mark.parametrize("jitter_s", [0.0, 0.02])
def test_rounded_and_jittering_time_stamps_tear_no_hole(tmp_path, how, jitter_s):
    straight = clip(tmp_path, how, [(0.0, TWO_SECONDS)], 0.0)
    expected = read_audio(Excerpt(straight))
    shifted = tmp_path / f"shifted{straight.suffix}"
    with av.open(str(straight)) as source, av.open(str(shifted), "w") as target:
        streams = {
            each.index: target.add_stream_from_template(each, opaque=True)
            for each in source.streams
        }
        for packet in source.demux():
            if packet.size:
                is_late = (
                    packet.stream.type == "audio" and 1.0 < packet.pts * packet.time_base < 1.5
                )
                late = round(jitter_s / packet.time_base) if is_late else 0
                packet.pts += late
                packet.dts = packet.pts if is_late else packet.dts
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    assert expected.repaired_s == 0
    found = read_audio(Excerpt(shifted))
    assert found.repaired_s == 0
    assert np.array_equal(found.samples, expected.samples)


def test_many_small_holes_do_not_add_up(tmp_path):
    pieces = [(0.23 * n, TWO_SECONDS[:, n * 9600 : (n + 1) * 9600]) for n in range(10)]
    path = clip(tmp_path, LOSSLESS[0], pieces, 0.0)  # 30 ms are missing after every 200 ms
    audio = read_audio(Excerpt(path))
    assert audio.seconds == pytest.approx(2.27, abs=0.05)
    assert audio.repaired_s == pytest.approx(0.27, abs=0.05)


def test_an_overlap_is_cut(tmp_path):
    segments = [(0.0, TWO_SECONDS[:, :RATE]), (0.8, TWO_SECONDS[:, RATE:])]
    audio = read_audio(Excerpt(clip(tmp_path, LOSSLESS[0], segments, 0.0)))
    assert audio.seconds == pytest.approx(1.8, abs=0.05)
    assert audio.repaired_s == pytest.approx(0.2, abs=0.05)
    assert np.abs(audio.samples[:, -RATE // 2 :] - TWO_SECONDS[:, -RATE // 2 :]).max() < 1e-4


def test_time_stamps_that_leap_far_are_refused(tmp_path):
    segments = [(0.0, TWO_SECONDS[:, :RATE]), (101.0, TWO_SECONDS[:, RATE:])]
    with pytest.raises(MediaError, match=r"its time stamps leap by \+100\.000 s after 1\.0\d+ s"):
        read_audio(Excerpt(clip(tmp_path, LOSSLESS[0], segments, None)))


def test_time_stamps_that_go_back_are_refused(tmp_path):
    path = clip(tmp_path, LOSSY[0], [(0.0, TWO_SECONDS)], 0.0)
    path.write_bytes(2 * path.read_bytes())  # two recordings, one after the other
    with pytest.raises(MediaError, match=r"its time stamps leap by -2\.\d+ s after 2\.\d+ s"):
        read_audio(Excerpt(path))


def test_stated_lengths_count_on_the_clock(tmp_path):
    path = clip(tmp_path, LOSSLESS[1], [(1.0, TWO_SECONDS)], 0.0)
    assert probe(path).audio.seconds == pytest.approx(3.0, abs=1e-3)
    assert probe(path).video.seconds == pytest.approx(2.0, abs=1e-3)


def test_muxing_keeps_the_clock(tmp_path):
    path = clip(tmp_path, LOSSLESS[0], [(0.0, TWO_SECONDS)], 0.4)
    mux_audio(path, Audio(TWO_SECONDS[:, :RATE], RATE), tmp_path / "b.mp4")
    frames = read_frames(Excerpt(tmp_path / "b.mp4", 0, 1.0), 25)
    assert [number_of(pixels) for pixels in frames.pixels] == [0] * 10 + list(range(15))
    mux_audio(path, Audio(TWO_SECONDS[:, :RATE], RATE), tmp_path / "c.mp4", start_s=1.0)
    frames = read_frames(Excerpt(tmp_path / "c.mp4", 0, 1.0), 25)
    assert [number_of(pixels) for pixels in frames.pixels] == list(range(15, 40))


@pytest.mark.parametrize(("audio_s", "video_s", "gap_s"), [(0.5, 0.0, 0.5), (0.0, 0.4, -0.4)])
def test_a_description_states_how_far_apart_the_tracks_start(tmp_path, audio_s, video_s, gap_s):
    path = clip(tmp_path, LOSSLESS[0], [(audio_s, TWO_SECONDS)], video_s)
    assert describe_media(path).start_gap_s == pytest.approx(gap_s, abs=1e-3)


def test_a_real_clip_starts_where_its_edit_list_states(shared):
    path = shared / "media" / "vggsound" / "0DCit2EBtjs_000030.mp4"
    assert describe_media(path).start_gap_s == pytest.approx(0.015, abs=1e-3)
    samples = read_audio(Excerpt(path)).samples
    with av.open(str(path)) as container:  # the decoder keeps its first frame to itself
        first = next(container.decode(audio=0))
        n_late = round(first.time * 44_100)
        assert np.array_equal(samples[:, n_late : n_late + 1024], first.to_ndarray())
    assert n_late == 1686
    assert not samples[:, :n_late].any()
    assert read_audio_seconds(path) == pytest.approx(10.0, abs=0.01)
