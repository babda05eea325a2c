"""What a user should know about a file: what was chosen in it, and what is unusual."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.media.clock import stated_start_s
from bench.media.container import open_media
from bench.media.tracks import audio_tracks, video_tracks


@dataclass(frozen=True)
class MediaRemarks:
    """How many tracks a file offers of each kind, and how far apart the chosen ones start.

    ``start_gap_s`` is positive where the audio starts after the video, and 0 where the file lacks
    one of them or its header states no start.
    """

    n_audio_tracks: int
    n_video_tracks: int
    start_gap_s: float


def describe_media(path: Path) -> MediaRemarks:
    """Return what the headers of ``path`` say; nothing is decoded.

    Raises MediaError when the file is missing, empty, damaged or no media.
    """
    with open_media(path) as container:
        audio, video = audio_tracks(container), video_tracks(container)
        audio_s = stated_start_s(audio[0]) if audio else None
        video_s = stated_start_s(video[0]) if video else None
        gap_s = 0.0 if audio_s is None or video_s is None else float(audio_s - video_s)
        return MediaRemarks(len(audio), len(video), gap_s)
