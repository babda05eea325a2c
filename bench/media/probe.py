"""What is in a media file, without reading all of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.media.clock import stated_end_s
from bench.media.container import open_media
from bench.media.tracks import audio_tracks, choose_audio, choose_video, video_tracks

if TYPE_CHECKING:
    from av.container import InputContainer

MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class VideoStream:
    """The picture of a file as it is stored, before it is turned upright: size in pixels, mean fps.

    ``seconds`` is when it ends on the file's clock. That and ``n_frames`` are None where the header
    does not state them.
    """

    codec: str
    width: int
    height: int
    fps: float
    n_frames: int | None
    seconds: float | None


@dataclass(frozen=True)
class AudioStream:
    """The sound of a file as it is stored, before any mixing down.

    ``seconds`` is when it ends on the file's clock, whatever the video lasts; None where the header
    does not state it.
    """

    codec: str
    sample_rate_hz: int
    channels: int
    seconds: float | None


@dataclass(frozen=True)
class MediaInfo:
    """A file: its container by content, the length of all of it, and the tracks that are read.

    ``seconds`` is that of the longest stream as ffmpeg sees it, None where it cannot tell.
    """

    container: str
    seconds: float | None
    video: VideoStream | None
    audio: AudioStream | None


def probe(path: Path) -> MediaInfo:
    """Return what the header of ``path`` says; nothing is decoded.

    Raises MediaError when the file is missing, empty, damaged or no media.
    """
    with open_media(path) as container:
        return MediaInfo(
            container=container.format.name,
            seconds=None if container.duration is None else container.duration / MICROSECONDS,
            video=_video(container, path) if video_tracks(container) else None,
            audio=_audio(container, path) if audio_tracks(container) else None,
        )


def _video(container: InputContainer, path: Path) -> VideoStream:
    stream = choose_video(container, path)
    return VideoStream(
        codec=stream.codec_context.name,
        width=stream.width,
        height=stream.height,
        fps=float(stream.average_rate or 0),
        n_frames=stream.frames or None,
        seconds=stated_end_s(container, stream),
    )


def _audio(container: InputContainer, path: Path) -> AudioStream:
    stream = choose_audio(container, path)
    context = stream.codec_context
    return AudioStream(
        codec=context.name,
        sample_rate_hz=context.sample_rate,
        channels=len(context.layout.channels),
        seconds=stated_end_s(container, stream),
    )
