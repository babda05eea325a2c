"""What is in a media file, without reading all of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import MediaError
from bench.media.container import decoded, first_audio, first_video, open_media, video_streams

if TYPE_CHECKING:
    from av.container import InputContainer

MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class VideoStream:
    """The picture of a file: size in pixels as shown, upright; mean frames per second.

    ``n_frames`` is None where the header does not count them; ``rotation_deg`` is the counter-
    clockwise turn that brings the stored picture upright.
    """

    codec: str
    width: int
    height: int
    fps: float
    n_frames: int | None
    rotation_deg: int


@dataclass(frozen=True)
class AudioStream:
    """The sound of a file as it is stored, before any mixing down."""

    codec: str
    sample_rate_hz: int
    channels: int


@dataclass(frozen=True)
class MediaInfo:
    """A file: its container by content, its length if stated, and its first streams if any."""

    container: str
    seconds: float | None
    video: VideoStream | None
    audio: AudioStream | None


def probe(path: Path) -> MediaInfo:
    """Return what ``path`` holds; MediaError when it is missing, empty, damaged or no media."""
    with open_media(path) as container:
        return MediaInfo(
            container=container.format.name,
            seconds=None if container.duration is None else container.duration / MICROSECONDS,
            video=_video(container, path) if video_streams(container) else None,
            audio=_audio(container, path) if container.streams.audio else None,
        )


def _video(container: InputContainer, path: Path) -> VideoStream:
    stream = first_video(container, path)
    # Only a decoded frame knows how it is to be turned.
    frame = next(decoded(container, stream, path), None)
    if frame is None:
        raise MediaError(f"cannot read the picture of {path}: it has no frames")
    is_turned = round(frame.rotation / 90) % 2 == 1
    width, height = (frame.height, frame.width) if is_turned else (frame.width, frame.height)
    fps = float(stream.average_rate or 0)
    codec = stream.codec_context.name
    return VideoStream(codec, width, height, fps, stream.frames or None, frame.rotation)


def _audio(container: InputContainer, path: Path) -> AudioStream:
    context = first_audio(container, path).codec_context
    return AudioStream(context.name, context.sample_rate, len(context.layout.channels))
