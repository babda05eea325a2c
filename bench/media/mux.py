"""Streams of an MP4 file that is being written: H.264 and AAC from arrays, or copied packets.

Every source is a generator of packets in decoding order, so that ``heapq.merge`` interleaves video
and audio while neither is complete in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import MediaError
from bench.types import Pixels, Waveform

if TYPE_CHECKING:
    from av import Packet
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

    Packets = Iterator[Packet[VideoStream] | Packet[AudioStream]]

#: Key frames have a fixed distance, and x264 keeps to SSE4.2: with its AVX-512 code 1 of 40 files
#: had other bytes (11 of 400 against 0 of 400, at the same speed; the macroblock tree differs).
#: Processors of another kind have none of these names: there x264 runs its C code, 3 times slower.
H264_OPTIONS = {
    "crf": "23",
    "preset": "veryfast",
    "g": "50",
    "sc_threshold": "0",
    "x264-params": "asm=MMX2,SSE2,SSSE3,SSE4.2",
}
AAC_BITS_PER_SECOND = 192_000


def add_video_stream(
    destination: Path, container: OutputContainer, frame: Pixels, fps: int
) -> VideoStream:
    """Add an H.264 stream for frames like ``frame [H, W, 3]``.

    Raises MediaError unless frames are uint8 ``[H, W, 3]`` of even size: each chroma sample of
    yuv420p covers 2 x 2 pixels.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
        found = f"{frame.dtype} {list(frame.shape)}"
        raise MediaError(f"cannot write {destination}: frames must be uint8 [H, W, 3], got {found}")
    height, width = frame.shape[:2]
    if height % 2 or width % 2 or fps < 1:
        raise MediaError(
            f"cannot write {destination}: H.264 needs an even height and width and at least 1 fps, "
            f"got {height} x {width} at {fps} fps"
        )
    stream = container.add_stream("libx264", rate=fps, options=H264_OPTIONS)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.codec_context.time_base = Fraction(1, fps)
    # x264 divides its work by the number of threads, so that its bytes depend on the machine.
    stream.codec_context.thread_count = 1
    return stream


def encode_video(destination: Path, stream: VideoStream, frames: Iterable[Pixels]) -> Packets:
    """Yield the packets of ``frames``. Raises MediaError for a frame of another size or type."""
    import av

    expected = (stream.height, stream.width, 3)
    for index, pixels in enumerate(frames):
        if pixels.shape != expected or pixels.dtype != np.uint8:
            raise MediaError(
                f"cannot write {destination}: frame {index} is {pixels.dtype} "
                f"{list(pixels.shape)}, the first is uint8 {list(expected)}"
            )
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = index, stream.codec_context.time_base
        yield from stream.encode(frame)
    yield from stream.encode(None)


def add_audio_stream(
    destination: Path, container: OutputContainer, samples: Waveform, sample_rate_hz: int
) -> AudioStream:
    """Add an AAC stream for ``samples [C, T]``.

    Raises MediaError for more than two channels, or a rate that AAC does not have.
    """
    import av

    n_channels, rates = samples.shape[0], sorted(av.Codec("aac", "w").audio_rates or ())
    if n_channels > 2 or sample_rate_hz not in rates:
        raise MediaError(
            f"cannot write {destination}: the audio of a video has one or two channels and a rate "
            f"of {rates} Hz, got {n_channels} channels at {sample_rate_hz} Hz"
        )
    stream = container.add_stream("aac", rate=sample_rate_hz)
    stream.codec_context.layout = "mono" if n_channels == 1 else "stereo"
    stream.codec_context.bit_rate = AAC_BITS_PER_SECOND
    stream.codec_context.time_base = Fraction(1, sample_rate_hz)
    stream.codec_context.thread_count = 1
    return stream


def encode_audio(stream: AudioStream, samples: Waveform) -> Packets:
    """Yield the packets of ``samples [C, T]``, encoded second by second."""
    import av

    # The encoder copies each frame, and one for a long clip would double its memory.
    layout, rate = stream.codec_context.layout.name, stream.codec_context.sample_rate
    for start in range(0, samples.shape[1], rate):
        second = np.ascontiguousarray(samples[:, start : start + rate])
        frame = av.AudioFrame.from_ndarray(second, format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), start
        yield from stream.encode(frame)
    yield from stream.encode(None)


def copy_video(
    packets: Iterable[Packet[VideoStream]],
    original: VideoStream,
    stream: VideoStream,
    start_s: Fraction,
    seconds: float,
) -> Packets:
    """Yield the ``packets`` of ``original`` for ``stream``, shifted so that ``start_s`` becomes 0.

    ``start_s`` is in the time of ``original``; ``seconds`` is the length to copy. A frame can only
    be decoded after the frames it is predicted from, so copying starts at the key frame before
    ``start_s``. Those earlier frames keep negative times, which the muxer turns into an edit list:
    players decode them and do not show them.
    """
    time_base = original.time_base or Fraction(1, 90_000)
    start = round(start_s / time_base)
    end = start + round(seconds / time_base)
    frame_duration = round(1 / original.average_rate / time_base) if original.average_rate else 0
    for packet in _skip_to_keyframe(packets, start):
        if packet.dts is not None:  # Matroska omits it at the start, and the muxer fills it in
            if packet.dts >= end:
                return
            packet.dts -= start
        packet.pts = (packet.pts or 0) - start
        packet.duration = packet.duration or frame_duration
        packet.stream = stream
        yield packet


def _skip_to_keyframe(
    packets: Iterable[Packet[VideoStream]], start: int
) -> Iterator[Packet[VideoStream]]:
    """Yield the packets from the last key frame at or before ``start``.

    Packets are read and dropped instead of a seek, which may end anywhere in formats without an
    index.
    """
    group: list[Packet[VideoStream]] = []
    for packet in packets:
        if not packet.size or packet.pts is None:
            continue  # the empty packet that flushes a decoder
        if packet.is_keyframe and packet.pts <= start:
            group.clear()
        group.append(packet)
        if packet.pts >= start:
            yield from group
            group.clear()


def get_decoding_time_s(packet: Packet[VideoStream] | Packet[AudioStream]) -> Fraction:
    """Return when the decoder needs ``packet``: the order of packets in a file."""
    stamp = packet.dts if packet.dts is not None else packet.pts
    return (stamp or 0) * packet.time_base
