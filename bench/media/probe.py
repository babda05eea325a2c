"""What is in a media file, without decoding it: its tracks, and remarks for a result's notes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.media.clock import Timeline, make_no_samples_error, read_end_s, read_start_s
from bench.media.container import (
    choose_audio,
    choose_video,
    decode_frames,
    list_audio_tracks,
    list_video_tracks,
    open_media,
)

if TYPE_CHECKING:
    from av.container import InputContainer

MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class VideoStream:
    """The video track of a file as it is stored, before rotation: size in pixels, mean fps.

    ``seconds`` is when it ends on the file's clock. It and ``n_frames`` are None where the header
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
    """The audio track of a file as it is stored, before any mixing down.

    ``seconds`` is when it ends on the file's clock, however long the video is; None where the
    header does not state it.
    """

    codec: str
    sample_rate_hz: int
    channels: int
    seconds: float | None


@dataclass(frozen=True)
class MediaInfo:
    """A file: its container by content, its length, and the tracks that are read.

    ``seconds`` is that of the longest stream by ffmpeg's estimate, None where it has none.
    """

    container: str
    seconds: float | None
    video: VideoStream | None
    audio: AudioStream | None


def probe(path: Path) -> MediaInfo:
    """Return what the header of ``path`` states; nothing is decoded.

    Raises MediaError when the file is missing, empty, damaged or not a media file.
    """
    with open_media(path) as container:
        return MediaInfo(
            container=container.format.name,
            seconds=None if container.duration is None else container.duration / MICROSECONDS,
            video=_probe_video(container, path) if list_video_tracks(container) else None,
            audio=_probe_audio(container, path) if list_audio_tracks(container) else None,
        )


@dataclass(frozen=True)
class MediaRemarks:
    """How many tracks of each kind a file has, and how far apart the chosen ones start.

    ``start_gap_s`` is positive where the audio starts after the video, and 0 where the file is
    missing one of them or its header states no start.
    """

    n_audio_tracks: int
    n_video_tracks: int
    start_gap_s: float


def describe_media(path: Path) -> MediaRemarks:
    """Return what the headers of ``path`` state; nothing is decoded.

    Raises MediaError when the file is missing, empty, damaged or not a media file.
    """
    with open_media(path) as container:
        audio, video = list_audio_tracks(container), list_video_tracks(container)
        audio_s = read_start_s(audio[0]) if audio else None
        video_s = read_start_s(video[0]) if video else None
        gap_s = 0.0 if audio_s is None or video_s is None else float(audio_s - video_s)
        return MediaRemarks(len(audio), len(video), gap_s)


def read_audio_seconds(path: Path) -> float:
    """Return when the audio of ``path`` ends on the file's clock, in seconds.

    From the header where it states the length, by decoding all of it otherwise. The video may be
    longer or shorter. Raises MediaError when the file cannot be read, has no audio, or has an audio
    track without samples.
    """
    with open_media(path) as container:
        stream = choose_audio(container, path)
        stated_s = read_end_s(container, stream)
        if stated_s is not None:
            return stated_s
        # A recording that was cut off, or a raw stream, states no length.
        timeline = Timeline(container, stream, path)
        for frame in decode_frames(container, stream, path):
            timeline.advance(frame)
        if not timeline.sample_rate_hz:
            raise make_no_samples_error(path)
        return timeline.end_s


def _probe_video(container: InputContainer, path: Path) -> VideoStream:
    stream = choose_video(container, path)
    return VideoStream(
        codec=stream.codec_context.name,
        width=stream.width,
        height=stream.height,
        fps=float(stream.average_rate or 0),
        n_frames=stream.frames or None,
        seconds=read_end_s(container, stream),
    )


def _probe_audio(container: InputContainer, path: Path) -> AudioStream:
    stream = choose_audio(container, path)
    context = stream.codec_context
    return AudioStream(
        codec=context.name,
        sample_rate_hz=context.sample_rate,
        channels=len(context.layout.channels),
        seconds=read_end_s(container, stream),
    )
