"""Opening a media file and decoding one of its streams; every way to fail is a MediaError.

What a file is, its content decides, never its name. Only formats that hold clips are considered:
ffmpeg also knows playlists and scripts, which would make it read other files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, overload

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
#: Longest window that is read, a guard against headers that promise days of sound.
MAX_SECONDS = 3600.0


@contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """Yield ``path`` opened for reading, recognised by content; close it after.

    Raises MediaError when the file is missing, empty or not a media file, and for whatever else
    ffmpeg finds wrong with it inside the block.
    """
    import av

    _check_file(path)
    av.logging.set_level(None)  # what ffmpeg has to say arrives as an exception, not on stderr
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        container = av.open(as_url(path), "r", options=options, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError(f"cannot read {path}: it is not a media file, or damaged") from error
    with container:
        yield container


def as_url(path: Path) -> str:
    """``path`` so that ffmpeg takes it for a file, even ``a:b.wav`` or ``concat:x``."""
    return f"file:{path}"


@overload
def decoded(container: InputContainer, stream: AudioStream, path: Path) -> Iterator[AudioFrame]: ...
@overload
def decoded(container: InputContainer, stream: VideoStream, path: Path) -> Iterator[VideoFrame]: ...
def decoded(
    container: InputContainer, stream: AnyStream, path: Path
) -> Iterator[AudioFrame | VideoFrame]:
    """Yield the frames of ``stream`` in order of presentation.

    Where the data are damaged the whole is refused with the time of the damage: concealed errors
    would be judged as if they were sound or picture.
    """
    import av

    time_s = 0.0
    for packet in packets(container, stream, path):
        if not packet.size and packet.dts is not None:
            continue  # the frame before is shown on, as Theora and AVI say it; decoders refuse it
        try:
            frames = stream.decode(packet)
        except (av.error.FFmpegError, ValueError) as error:
            raise damage(stream, path, time_s, error) from error
        for frame in frames:
            if frame.is_corrupt:
                raise damage(stream, path, time_s, "a frame with errors")
            time_s = time_s if frame.time is None else frame.time
            yield frame


def packets(
    container: InputContainer, stream: AnyStream, path: Path
) -> Iterator[Packet[AnyStream]]:
    """Yield the packets of ``stream`` in the order of the file, the empty last one included."""
    import av

    time_s = 0.0
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                raise damage(stream, path, time_s, "incomplete data")
            time_s = time_s if packet.pts is None else float(packet.pts * packet.time_base)
            yield packet
    except (av.error.FFmpegError, ValueError) as error:
        raise damage(stream, path, time_s, error) from error


def damage(
    stream: AudioStream | VideoStream, path: Path, time_s: float, reason: object
) -> MediaError:
    """The refusal of a stream whose data are damaged near ``time_s``."""
    reason = getattr(reason, "strerror", None) or reason
    return MediaError(
        f"cannot read {path}: its {stream.type} is damaged near {time_s:.1f} s ({reason})"
    )


def check_window(excerpt: Excerpt) -> None:
    """Refuse a window that cannot be: before the start, empty, longer than an hour, or NaN."""
    seconds = MAX_SECONDS if excerpt.seconds is None else excerpt.seconds
    if not (0 <= excerpt.start_s < float("inf") and 0 < seconds <= MAX_SECONDS):
        raise MediaError(
            f"cannot read {seconds:g} s from {excerpt.start_s:g} s of {excerpt.path}: a window "
            f"starts at 0 s or later and lasts up to {MAX_SECONDS:g} s"
        )


def _check_file(path: Path) -> None:
    try:
        n_bytes = path.stat().st_size
    except OSError as error:
        raise MediaError(f"cannot read {path}: {error.strerror}") from error
    if not path.is_file():
        raise MediaError(f"cannot read {path}: it is not a file")
    if n_bytes == 0:
        raise MediaError(f"cannot read {path}: the file is empty")
