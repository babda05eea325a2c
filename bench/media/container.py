"""Open a media file and decode one of its streams; every failure is a MediaError.

The format is recognised from the content of a file, never from its name. Only formats that hold
clips are enabled: ffmpeg also implements playlists and scripts, which would make it open other
files and addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, overload

from bench.archives import file_size, is_file, open_binary, parse_member
from bench.errors import MediaError
from bench.types import Excerpt

if TYPE_CHECKING:
    from av import Packet
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

AnyStream = TypeVar("AnyStream", "AudioStream", "VideoStream")

FORMATS = (
    "aac,ac3,aiff,amr,asf,au,avi,caf,flac,flv,matroska,mov,mp3,mp4,mpeg,mpegts,ogg,w64,wav,webm"
)
#: Longest window in seconds, a guard against headers that promise days of audio.
MAX_SECONDS = 3600.0


@contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """Yield ``path`` opened for reading, recognised by content; close it after the block.

    Raises MediaError when the file is missing, empty or not a media file. Whatever ffmpeg raises
    inside the block is left to the functions below, which know the stream and the time.
    """
    import av

    _check_file(path)
    av.logging.set_level(None)  # ffmpeg also prints each error; we report the exception instead
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    source = to_url(path) if parse_member(path) is None else open_binary(path)
    try:
        container = av.open(source, "r", options=options, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError(f"cannot read {path}: it is not a media file, or damaged") from error
    with container:
        yield container


def to_url(path: Path) -> str:
    """Return ``path`` in a form that ffmpeg reads as a file, even ``a:b.wav`` or ``concat:x``."""
    return f"file:{path}"


@overload
def decode_frames(
    container: InputContainer, stream: AudioStream, path: Path
) -> Iterator[AudioFrame]: ...
@overload
def decode_frames(
    container: InputContainer, stream: VideoStream, path: Path
) -> Iterator[VideoFrame]: ...
def decode_frames(
    container: InputContainer, stream: AnyStream, path: Path
) -> Iterator[AudioFrame | VideoFrame]:
    """Yield the frames of ``stream`` in order of presentation.

    Raises MediaError with the time of the damage when the data are damaged. Decoders would conceal
    the error and return a frame, which a metric would then score as if it were the clip.
    """
    import av

    time_s = 0.0
    for packet in read_packets(container, stream, path):
        # Theora and AVI store "repeat the previous frame" as an empty packet with a time stamp.
        # Frames are held until the next one starts, so it carries nothing, and decoders refuse it.
        if not packet.size and packet.dts is not None:
            continue
        try:
            frames = stream.decode(packet)
        except (av.error.FFmpegError, ValueError) as error:
            raise make_damage_error(stream, path, time_s, error) from error
        for frame in frames:
            if frame.is_corrupt:
                raise make_damage_error(stream, path, time_s, "a frame with errors")
            time_s = time_s if frame.time is None else frame.time
            yield frame


def read_packets(
    container: InputContainer, stream: AnyStream, path: Path
) -> Iterator[Packet[AnyStream]]:
    """Yield the packets of ``stream`` in file order, with the empty one that flushes the decoder.

    Raises MediaError when the data are damaged or incomplete.
    """
    import av

    time_s = 0.0
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                raise make_damage_error(stream, path, time_s, "incomplete data")
            time_s = time_s if packet.pts is None else float(packet.pts * packet.time_base)
            yield packet
    except (av.error.FFmpegError, ValueError) as error:
        raise make_damage_error(stream, path, time_s, error) from error


def make_damage_error(
    stream: AudioStream | VideoStream, path: Path, time_s: float, reason: object
) -> MediaError:
    """Return the error for a stream whose data are damaged near ``time_s``."""
    reason = getattr(reason, "strerror", None) or reason
    return MediaError(
        f"cannot read {path}: its {stream.type} is damaged near {time_s:.1f} s ({reason})"
    )


def check_window(excerpt: Excerpt) -> None:
    """Raise MediaError for a window that is empty, NaN, longer than an hour, or starts before 0."""
    seconds = MAX_SECONDS if excerpt.seconds is None else excerpt.seconds
    if not (0 <= excerpt.start_s < float("inf") and 0 < seconds <= MAX_SECONDS):
        raise MediaError(
            f"cannot read {seconds:g} s from {excerpt.start_s:g} s of {excerpt.path}: a window "
            f"starts at 0 s or later and lasts up to {MAX_SECONDS:g} s"
        )


def _check_file(path: Path) -> None:
    # ffmpeg reports all three as "not found" or "invalid data", which names no remedy.
    try:
        n_bytes = file_size(path)
    except OSError as error:
        raise MediaError(f"cannot read {path}: {error.strerror}") from error
    if not is_file(path):
        raise MediaError(f"cannot read {path}: it is not a file")
    if n_bytes == 0:
        raise MediaError(f"cannot read {path}: the file is empty")
