"""Remarks on media as features, so that they are stored with the scores' features and read again.

They belong to no metric and no judge: every file that a metric reads is described.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from bench.judges.extractor import ClipMedia, Extract, Features, SignalExtractor

#: Raised when a remark changes.
VERSION = "1"


def describe_audio(media: ClipMedia) -> Features:
    """Tracks and start gap of the file (``MediaRemarks``), and facts found while decoding.

    ``peak`` is that of the window, full scale 1, before channels are mixed to mono; ``repaired_s``
    is that of ``Audio``.
    """
    audio = media.window()
    return {
        **_headers(media),
        "peak": np.array(np.abs(audio.samples).max(), dtype=np.float64),
        "repaired_s": np.array(audio.repaired_s, dtype=np.float64),
    }


def describe_video(media: ClipMedia) -> Features:
    """Tracks and start gap of the file; its audio is not decoded."""
    return _headers(media)


def _headers(media: ClipMedia) -> Features:
    from bench.media import describe_media

    excerpt = media.audio or media.video
    if excerpt is None:
        raise ValueError("this clip has neither audio nor video")
    remarks = asdict(describe_media(excerpt.path))
    return {name: np.array(value, dtype=np.float64) for name, value in remarks.items()}


def _open_audio() -> Extract:
    return describe_audio


def _open_video() -> Extract:
    return describe_video


AUDIO_REMARKS = SignalExtractor("audio_remarks", VERSION, open=_open_audio)
VIDEO_REMARKS = SignalExtractor("video_remarks", VERSION, "picture", open=_open_video)
