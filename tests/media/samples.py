"""Small media files of every kind: a tone, and frames that encode their number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition

from bench.types import Pixels, Waveform


def tone(
    seconds: float, rate: int, frequencies_hz: Sequence[float], level: float = 0.5
) -> Waveform:
    """One sine per channel, ``[C, T]``."""
    times_s = np.arange(round(seconds * rate)) / rate
    return np.stack(
        [level * np.sin(2 * np.pi * f * times_s) for f in frequencies_hz], dtype=np.float32
    )


def numbered_frame(number: int, height: int = 48, width: int = 64) -> Pixels:
    """A frame whose eight bits of brightness bars spell ``number``, robust to lossy coding."""
    bits = (number >> np.arange(8)) & 1
    bars = np.repeat(bits * 255, width // 8).astype(np.uint8)
    return np.broadcast_to(bars[None, :, None], (height, width, 3)).copy()


def numbered_frames(n_frames: int, height: int = 48, width: int = 64) -> Iterator[Pixels]:
    return (numbered_frame(number, height, width) for number in range(n_frames))


def number_of(pixels: Pixels) -> int:
    """The number that ``numbered_frame`` wrote."""
    bars = pixels[..., 0].mean(axis=0).reshape(8, -1).mean(axis=1)
    return int(((bars > 127) << np.arange(8)).sum())


def write_audio_file(
    path: Path, samples: Waveform, rate: int, codec: str, layout: str, sample_format: str = "fltp"
) -> None:
    """Encode ``samples [C, T]`` by ``codec`` into the container that the suffix names."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.codec_context.layout = layout
        stream.codec_context.format = sample_format
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), format="fltp", layout=layout
        )
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        converter = av.AudioResampler(sample_format, layout, rate)
        for converted in converter.resample(frame):
            container.mux(stream.encode(converted))
        container.mux(stream.encode(None))


def write_frames(
    path: Path,
    frames: Sequence[Pixels],
    times_s: Sequence[float],
    codec: str = "libx264",
    *,
    rotation_deg: int = 0,
    time_base_hz: int = 1000,
    pixel_format: str = "yuv420p",
    options: Mapping[str, str] | None = None,
) -> None:
    """Encode ``frames``, each at its own time, into the container that the suffix names."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=dict(options or {}))
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pixel_format
        stream.codec_context.time_base = Fraction(
            1, time_base_hz or (25 if codec == "mpeg4" else 1000)
        )
        stream.codec_context.thread_count = 1
        if rotation_deg:
            stream.set_display_rotation(rotation_deg)
        for pixels, time_s in zip(frames, times_s, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.time_base = stream.codec_context.time_base
            frame.pts = round(time_s / frame.time_base)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_clip(
    path: Path,
    segments: Sequence[tuple[float, Waveform]],
    rate: int,
    codec: str,
    sample_format: str,
    *,
    video_start_s: float | None = 0.0,
    video_codec: str = "libx264",
    n_frames: int = 50,
    container: str | None = None,
    is_m2ts: bool = False,
    ticks_hz: int = 1000,
) -> None:
    """Encode ``segments``, each a start and samples ``[C, T]``, beside numbered frames at 25 fps.

    The time between two segments has no packets; without ``video_start_s`` there is no video.
    """
    options = {"mpegts_m2ts_mode": "1"} if is_m2ts else {}
    with av.open(str(path), "w", format=container, options=options) as target:
        packets = []
        if video_start_s is not None:
            packets += _encoded_video(target, video_codec, n_frames, video_start_s, ticks_hz)
        packets += _encoded(target, segments, rate, codec, sample_format)
        for packet in sorted(packets, key=lambda each: (each.dts or 0) * each.time_base):
            target.mux(packet)


def _encoded_video(
    container: OutputContainer, codec: str, n_frames: int, start_s: float, ticks_hz: int
) -> list[Packet]:
    stream = container.add_stream(codec, rate=25)
    stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
    ticks_hz = 25 if codec in ("mpeg2video", "mpeg4", "wmv2") else ticks_hz
    stream.codec_context.time_base = Fraction(1, ticks_hz)
    stream.codec_context.thread_count = 1
    packets = []
    for number, pixels in enumerate(numbered_frames(n_frames)):
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = (
            round((number / 25 + start_s) * ticks_hz),
            Fraction(1, ticks_hz),
        )
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _encoded(
    container: OutputContainer,
    segments: Sequence[tuple[float, Waveform]],
    rate: int,
    codec: str,
    sample_format: str,
) -> list[Packet]:
    layout = "mono" if len(segments[0][1]) == 1 else "stereo"
    stream = container.add_stream(codec, rate=rate)
    stream.codec_context.layout, stream.codec_context.format = layout, sample_format
    stream.codec_context.time_base = Fraction(1, rate)
    stream.codec_context.bit_rate = 128_000
    converter = av.AudioResampler(sample_format, layout, rate)
    packets = []
    for start_s, samples in segments:
        for first in range(0, samples.shape[1], 960):
            block = np.ascontiguousarray(samples[:, first : first + 960])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = round(start_s * rate) + first
            for converted in converter.resample(frame):
                packets += stream.encode(converted)
    return packets + stream.encode(None)


def write_tracks(
    path: Path, audio: list[tuple[int, bool]], video: list[tuple[int, Disposition]] = ()
) -> None:
    """Tracks of audio (channels, default or not) whose level encodes their number, and of video."""
    rate = 48_000
    with av.open(str(path), "w") as container:
        pairs = []
        for size, disposition in video:
            stream = container.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = size, 48, "yuv420p"
            stream.disposition = disposition
            frame = av.VideoFrame.from_ndarray(numbered_frame(len(pairs), 48, size), format="rgb24")
            pairs.append((stream, frame))
        for number, (n_channels, is_default) in enumerate(audio, 1):
            stream = container.add_stream("flac", rate=rate)
            layout = "mono" if n_channels == 1 else "stereo"
            stream.codec_context.layout, stream.codec_context.format = layout, "s16"
            stream.disposition = Disposition.default if is_default else Disposition(0)
            samples = (3000 * number * tone(1.0, rate, (440.0,))).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(
                samples.repeat(n_channels, axis=1), format="s16", layout=layout
            )
            frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
            pairs.append((stream, frame))
        for stream, frame in pairs:
            container.mux([*stream.encode(frame), *stream.encode(None)])
