"""Write audio and video: FLAC, WAV, and H.264 with AAC in MP4.

The same input gives the same bytes on one machine: encoders run in one thread, key frames have a
fixed distance, and no time of day is stored. So a content hash tells whether a sample changed.

Every track of a video is a generator of packets in decoding order, so that ``heapq.merge``
interleaves them while none is complete in memory.
"""

from __future__ import annotations

import heapq
import io
import itertools
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import MediaError
from bench.io import atomic_path
from bench.media.clock import find_header_origin_s
from bench.media.container import choose_video, open_media, read_packets, to_url
from bench.types import Audio, Pixels, Waveform

if TYPE_CHECKING:
    from av import Packet
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

    Packets = Iterator[Packet[VideoStream] | Packet[AudioStream]]

#: How far a sample may be beyond full scale and still count as rounding, not as a wrong scale.
PEAK_ROUNDING = 1e-4
#: Containers with edit lists, which tell a player what to decode without showing it.
VIDEO_SUFFIXES = (".mp4", ".mov")

#: Key frames have a fixed distance, so that a decoder can start at any second or two.
H264_OPTIONS = {"preset": "veryfast", "g": "50", "sc_threshold": "0"}
#: With x264's AVX-512 code 1 of 40 files had other bytes (11 of 400 against 0 of 400, at the same
#: speed; the macroblock tree differs), so it keeps to SSE4.2. Only processors with these names get
#: the list: on any other it would turn all vector code off, which is 3 times slower.
X86_OPTIONS = {"x264-params": "asm=MMX2,SSE2,SSSE3,SSE4.2"}
X86_MACHINES = ("x86_64", "amd64", "i386", "i686")
AAC_BITS_PER_SECOND = 192_000


def write_audio(destination: Path, audio: Audio) -> None:
    """Write ``audio`` as ``.flac`` (24 bit) or ``.wav`` (float32), whole or not at all.

    Samples up to 1e-4 beyond full scale count as rounding and are clipped. Raises MediaError for
    another suffix, for no samples, NaN or infinite samples, and for samples further out than that.
    """
    import soundfile
    from scipy.io import wavfile

    samples = _prepare_samples(destination, audio)
    suffix = destination.suffix.lower()
    if suffix not in (".flac", ".wav"):
        raise MediaError(f"cannot write {destination}: {suffix!r} is not .flac or .wav")
    with atomic_path(destination) as temporary:
        if suffix == ".wav":
            # libsndfile stores the time of day in the PEAK chunk of a float file; SciPy does not.
            wavfile.write(temporary, audio.sample_rate_hz, samples.T)
            return
        try:
            soundfile.write(temporary, samples.T, audio.sample_rate_hz, "PCM_24", format="FLAC")
        except soundfile.SoundFileError as error:
            raise MediaError(f"cannot write {destination}: {error}") from error


def write_video(
    destination: Path,
    frames: Iterable[Pixels],
    fps: int,
    audio: Audio | None = None,
    *,
    crf: int = 23,
) -> None:
    """Write ``frames``, each ``[H, W, 3]`` uint8, and ``audio`` as H.264 and AAC, or nothing.

    Frames are taken one by one, so that those of a generator are never all in memory. ``crf`` is
    the quality of x264, from 0 (lossless) to 51. Raises MediaError for no frames, frames of
    changing or odd size, and audio that ``write_audio`` would refuse.
    """
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise MediaError(f"cannot write {destination}: no frames were given")
    with _open_output(destination) as container:
        video_stream = add_video_stream(destination, container, first, fps, crf)
        parts = [encode_video(destination, video_stream, itertools.chain([first], remaining))]
        if audio is not None:
            samples = _prepare_samples(destination, audio)
            audio_stream = add_audio_stream(destination, container, samples, audio.sample_rate_hz)
            parts.append(encode_audio(audio_stream, samples))
        for packet in heapq.merge(*parts, key=get_decoding_time_s):
            container.mux(packet)


def mux_audio(video: Path, audio: Audio, destination: Path, *, start_s: float = 0.0) -> None:
    """Write the video of ``video`` with ``audio`` as its only audio track, without re-encoding.

    The audio starts at ``start_s`` of the clock of ``video``. The video ends with it, to within the
    few frames that a codec stores out of order. Raises MediaError when ``video`` has no video track
    or ends before ``start_s``, and for audio that ``write_audio`` would refuse.
    """
    samples = _prepare_samples(destination, audio)
    with open_media(video) as source, _open_output(destination) as container:
        original = choose_video(source, video)
        video_stream = _add_copied_stream(original, container, video)
        audio_stream = add_audio_stream(destination, container, samples, audio.sample_rate_hz)
        first_s = find_header_origin_s(source, original) + Fraction(start_s)
        copied = copy_video(
            read_packets(source, original, video), original, video_stream, first_s, audio.seconds
        )
        first = next(copied, None)
        if first is None:
            raise MediaError(f"cannot take the video of {video}: it ends before {start_s:g} s")
        parts = (itertools.chain([first], copied), encode_audio(audio_stream, samples))
        for packet in heapq.merge(*parts, key=get_decoding_time_s):
            container.mux(packet)


def check_muxing(video: Path, destination: Path) -> None:
    """Raise MediaError, before any audio is generated, where ``mux_audio`` would.

    That is when ``video`` has no video track, and for a suffix or a codec that cannot be written:
    only writing a header, here to memory, shows what a container accepts.
    """
    import av

    _check_suffix(destination)
    with open_media(video) as source:
        original = choose_video(source, video)
        memory = av.open(io.BytesIO(), "w", format=destination.suffix.lower().removeprefix("."))
        try:
            _add_copied_stream(original, memory, video)
            memory.start_encoding()
            memory.close()
        except av.error.FFmpegError as error:
            raise _make_codec_error(original, memory, video, error) from error


def _add_copied_stream(
    original: VideoStream, container: OutputContainer, video: Path
) -> VideoStream:
    """Add a stream that takes the packets of ``original`` as they are."""
    try:
        stream = container.add_stream_from_template(original, opaque=True)
    except ValueError as error:
        raise _make_codec_error(original, container, video, error) from error
    codec, tag = original.codec_context.name, original.codec_context.codec_tag
    if codec == "hevc" and tag != "hev1":
        # Apple's players show no video under ffmpeg's own choice, hev1.
        stream.codec_context.codec_tag = "hvc1"
    elif codec == "prores":
        stream.codec_context.codec_tag = tag  # it identifies one of six qualities
    return stream


def _make_codec_error(
    original: VideoStream, container: OutputContainer, video: Path, error: Exception
) -> MediaError:
    return MediaError(
        f"cannot put the video of {video} into a .{container.format.name} file, which does not "
        f"hold {original.codec_context.name} ({error}); write the audio alone, to .wav or .flac, "
        "or convert the video to H.264 first"
    )


@contextmanager
def _open_output(destination: Path) -> Iterator[OutputContainer]:
    import av

    _check_suffix(destination)
    av.logging.set_level(None)
    with atomic_path(destination) as temporary:
        try:
            with av.open(to_url(temporary), "w") as container:
                yield container
        except av.error.FFmpegError as error:
            raise MediaError(f"cannot write {destination}: {error.strerror or error}") from error


def _check_suffix(destination: Path) -> None:
    if destination.suffix.lower() not in VIDEO_SUFFIXES:
        expected = " or ".join(VIDEO_SUFFIXES)
        raise MediaError(f"cannot write {destination}: a video is {expected}")


def _prepare_samples(destination: Path, audio: Audio) -> Waveform:
    """Return the samples to write, in [-1, 1]."""
    samples = audio.samples
    if not samples.size:
        raise MediaError(f"cannot write {destination}: the audio has no samples")
    if not np.isfinite(samples).all():
        raise MediaError(f"cannot write {destination}: the audio has samples that are not finite")
    peak = float(np.abs(samples).max())
    if peak > 1 + PEAK_ROUNDING:
        raise MediaError(
            f"cannot write {destination}: the peak is {peak:.4g}, full scale is 1; "
            "scale or limit the audio first"
        )
    # What is left is rounding, which each codec would treat in its own manner.
    return samples.clip(-1, 1)


def add_video_stream(
    destination: Path, container: OutputContainer, frame: Pixels, fps: int, crf: int = 23
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
    is_x86 = platform.machine().lower() in X86_MACHINES
    options = {"crf": str(crf)} | H264_OPTIONS | (X86_OPTIONS if is_x86 else {})
    stream = container.add_stream("libx264", rate=fps, options=options)
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
