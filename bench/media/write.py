"""Write audio and video: FLAC, WAV, and H.264 with AAC in MP4.

The same input gives the same bytes on one machine: encoders run in one thread, key frames have a
fixed distance, and no time of day is stored. So a content hash tells whether a sample changed.
"""

from __future__ import annotations

import heapq
import io
import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import MediaError
from bench.io import atomic_path
from bench.media.clock import find_header_origin_s
from bench.media.container import open_media, read_packets, to_url
from bench.media.mux import (
    add_audio_stream,
    add_video_stream,
    copy_video,
    encode_audio,
    encode_video,
    get_decoding_time_s,
)
from bench.media.tracks import choose_video
from bench.types import Audio, Pixels, Waveform

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

#: How far a sample may be beyond full scale and still count as rounding, not as a wrong scale.
PEAK_ROUNDING = 1e-4
#: Containers with edit lists, which tell a player what to decode without showing it.
VIDEO_SUFFIXES = (".mp4", ".mov")


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
    destination: Path, frames: Iterable[Pixels], fps: int, audio: Audio | None = None
) -> None:
    """Write ``frames``, each ``[H, W, 3]`` uint8, and ``audio`` as H.264 and AAC, or nothing.

    Frames are taken one by one, so that those of a generator are never all in memory. Raises
    MediaError for no frames, frames of changing or odd size, and audio that ``write_audio`` would
    refuse.
    """
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise MediaError(f"cannot write {destination}: no frames were given")
    with _open_output(destination) as container:
        video_stream = add_video_stream(destination, container, first, fps)
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
