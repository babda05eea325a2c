"""Facts about a file that the notes of a result report: its tracks and how they start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.media.clock import read_start_s
from bench.media.container import open_media
from bench.media.tracks import list_audio_tracks, list_video_tracks


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
