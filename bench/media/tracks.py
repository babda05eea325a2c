"""Which of a file's tracks are read, by the rule of the ffmpeg program.

The track that is flagged as the default comes first; among several of those, or none, the audio
track with the most channels and the video track with the most pixels; then the first. Covers and
thumbnails are still images, not video.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import MediaError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.video.stream import VideoStream

MAX_SIDE = 8192


def list_audio_tracks(container: InputContainer) -> list[AudioStream]:
    """Return all audio tracks of ``container``, the one to read first."""
    return sorted(container.streams.audio, key=_rank_audio, reverse=True)


def list_video_tracks(container: InputContainer) -> list[VideoStream]:
    """Return all video tracks of ``container`` but covers and thumbnails, the one to read first."""
    from av.stream import Disposition

    no_video = Disposition.attached_pic | Disposition.timed_thumbnails
    streams = [each for each in container.streams.video if not each.disposition & no_video]
    return sorted(streams, key=_rank_video, reverse=True)


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


def _rank_audio(stream: AudioStream) -> tuple[bool, bool, int]:
    # A codec that ffmpeg does not know ranks last, before the default flag: phones store a second
    # track in a codec of their own beside one that everything can read.
    context = stream.codec_context
    n_channels = 0 if context is None else context.channels
    return context is not None, _is_default(stream), n_channels


def _rank_video(stream: VideoStream) -> tuple[bool, bool, int]:
    context = stream.codec_context
    n_pixels = 0 if context is None else stream.width * stream.height
    return context is not None, _is_default(stream), n_pixels


def _is_default(stream: AudioStream | VideoStream) -> bool:
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.default)


def _prepare(stream: AudioStream | VideoStream, path: Path) -> None:
    if stream.codec_context is None:
        raise MediaError(f"cannot read the {stream.type} of {path}: its codec is unknown")
    # Workers already share the cores clip by clip; threads of the decoder would only compete, and
    # frame threading delays the error of a damaged packet to a later frame.
    stream.codec_context.thread_count = 1
