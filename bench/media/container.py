"""Open a media file, choose its tracks, and decode them; every failure is a MediaError.

The format is recognised from the content of a file, never from its name. Only formats that hold
clips are enabled: ffmpeg also implements playlists and scripts, which would make it open other
files and addresses.

Which tracks are read is decided by the rule of the ffmpeg program: the track that is flagged as the
default comes first; among several of those, or none, the audio track with the most channels and the
video track with the most pixels; then the first. Covers and thumbnails are still images, not video.
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
MAX_SIDE = 8192


@contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """Yield ``path`` opened for reading, recognised by content; close it after the block.

    Raises MediaError when the file is missing, empty or not a media file. Whatever ffmpeg raises
    inside the block is left to the functions below, which know the stream and the time.
    """
    import av

    # ffmpeg reports all three as "not found" or "invalid data", which names no remedy.
    try:
        n_bytes = file_size(path)
    except OSError as error:
        raise MediaError(f"cannot read {path}: {error.strerror}") from error
    if not is_file(path):
        raise MediaError(f"cannot read {path}: it is not a file")
    if n_bytes == 0:
        raise MediaError(f"cannot read {path}: the file is empty")
    av.logging.set_level(None)  # ffmpeg also prints each error; we report the exception instead
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        source = to_url(path) if parse_member(path) is None else open_binary(path)
        container = av.open(source, "r", options=options, metadata_errors="replace")
    except PermissionError as error:  # of ffmpeg too, whose other errors say less than ours
        raise MediaError(f"cannot read {path}: {error.strerror}") from error
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError(f"cannot read {path}: it is not a media file, or damaged") from error
    except OSError as error:
        raise MediaError(f"cannot read {path}: {error.strerror}") from error
    with container:
        yield container


def to_url(path: Path) -> str:
    """Return ``path`` in a form that ffmpeg reads as a file, even ``a:b.wav`` or ``concat:x``."""
    return f"file:{path}"


def list_audio_tracks(container: InputContainer) -> list[AudioStream]:
    """Return all audio tracks of ``container``, the one to read first."""
    return sorted(container.streams.audio, key=_rank, reverse=True)


def list_video_tracks(container: InputContainer) -> list[VideoStream]:
    """Return all video tracks of ``container`` but covers and thumbnails, the one to read first."""
    from av.stream import Disposition

    no_video = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [each for each in container.streams.video if not each.disposition & no_video]
    return sorted(streams, key=_rank, reverse=True)


def choose_audio(container: InputContainer, path: Path) -> AudioStream:
    """Return the audio track to read, ready to decode. Raises MediaError where there is none."""
    tracks = list_audio_tracks(container)
    if not tracks:
        raise MediaError(f"cannot read the audio of {path}: it has no audio stream")
    _prepare(tracks[0], path)
    return tracks[0]


def choose_video(container: InputContainer, path: Path) -> VideoStream:
    """Return the video track to read, ready to decode.

    Raises MediaError where there is none, or one with a side of more than 8,192 pixels.
    """
    tracks = list_video_tracks(container)
    if not tracks:
        raise MediaError(f"cannot read the video of {path}: it has no video stream")
    stream = tracks[0]
    _prepare(stream, path)
    if not (0 < stream.width <= MAX_SIDE and 0 < stream.height <= MAX_SIDE):
        size = f"{stream.width} x {stream.height}"
        raise MediaError(f"cannot read the video of {path}: {size} pixels, at most {MAX_SIDE}")
    return stream


def _rank(stream: AudioStream | VideoStream) -> tuple[bool, bool, int]:
    import av
    from av.stream import Disposition

    # A codec that ffmpeg does not know ranks last, before the default flag: phones store a second
    # track in a codec of their own beside one that everything can read.
    context, size = stream.codec_context, 0
    if context is not None and isinstance(stream, av.AudioStream):
        size = stream.codec_context.channels
    elif context is not None:
        size = stream.width * stream.height
    return context is not None, bool(stream.disposition & Disposition.default), size


def _prepare(stream: AudioStream | VideoStream, path: Path) -> None:
    if stream.codec_context is None:
        raise MediaError(f"cannot read the {stream.type} of {path}: its codec is unknown")
    # Workers already share the cores clip by clip; threads of the decoder would only compete, and
    # frame threading delays the error of a damaged packet to a later frame.
    stream.codec_context.thread_count = 1


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
