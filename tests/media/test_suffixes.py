"""The readers open every suffix of the lists."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from bench.media import probe, read_audio, read_frames
from bench.types import AUDIO_SUFFIXES, VIDEO_SUFFIXES, Excerpt
from tests.media.samples import tone, write_clip

RATE = 44_100
#: What is usual inside: the muxer, the audio codec with its sample format, and the video codec.
WAYS = {
    ".wav": ("wav", "pcm_s16le", "s16", None),
    ".flac": ("flac", "flac", "s16", None),
    ".mp3": ("mp3", "libmp3lame", "fltp", None),
    ".ogg": ("ogg", "flac", "s16", None),
    ".opus": ("ogg", "libopus", "flt", None),
    ".m4a": ("ipod", "aac", "fltp", None),
    ".aac": ("adts", "aac", "fltp", None),
    ".aiff": ("aiff", "pcm_s16be", "s16", None),
    ".aif": ("aiff", "pcm_s16be", "s16", None),
    ".caf": ("caf", "pcm_s16be", "s16", None),
    ".w64": ("w64", "pcm_s16le", "s16", None),
    ".au": ("au", "pcm_s16be", "s16", None),
    ".wma": ("asf", "wmav2", "fltp", None),
    ".mp4": ("mp4", "aac", "fltp", "libx264"),
    ".m4v": ("mp4", "aac", "fltp", "libx264"),
    ".f4v": ("f4v", "aac", "fltp", "libx264"),
    ".mov": ("mov", "pcm_s16le", "s16", "libx264"),
    ".qt": ("mov", "pcm_s16le", "s16", "libx264"),
    ".3gp": ("3gp", "aac", "fltp", "libx264"),
    ".3g2": ("3g2", "aac", "fltp", "libx264"),
    ".mkv": ("matroska", "flac", "s16", "libx264"),
    ".webm": ("webm", "libopus", "flt", "libvpx"),
    ".ogv": ("ogg", "libopus", "flt", "libvpx"),
    ".avi": ("avi", "libmp3lame", "fltp", "mpeg4"),
    ".flv": ("flv", "aac", "fltp", "libx264"),
    ".mpg": ("mpeg", "mp2", "s16", "mpeg2video"),
    ".mpeg": ("mpeg", "mp2", "s16", "mpeg2video"),
    ".mpe": ("mpeg", "mp2", "s16", "mpeg2video"),
    ".vob": ("vob", "mp2", "s16", "mpeg2video"),
    ".ts": ("mpegts", "aac", "fltp", "libx264"),
    ".mts": ("mpegts", "ac3", "fltp", "libx264"),
    ".m2ts": ("mpegts", "ac3", "fltp", "libx264"),
    ".wmv": ("asf", "wmav2", "fltp", "wmv2"),
    ".asf": ("asf", "wmav2", "fltp", "mpeg4"),
}


def test_every_listed_suffix_is_tried():
    assert WAYS.keys() == AUDIO_SUFFIXES | VIDEO_SUFFIXES


@pytest.mark.parametrize("suffix", sorted(WAYS))
def test_a_file_of_every_listed_suffix_opens(tmp_path: Path, suffix: str) -> None:
    container, codec, sample_format, video_codec = WAYS[suffix]
    rate = 48_000 if codec == "libopus" else RATE
    path = tmp_path / f"a{suffix}"
    write_clip(
        path,
        [(0.0, tone(1.0, rate, (440.0,)))],
        rate,
        codec,
        sample_format,
        video_start_s=None if video_codec is None else 0.0,
        video_codec=video_codec or "",
        n_frames=25,
        container=container,
        is_m2ts=suffix in (".mts", ".m2ts"),
    )
    audio = read_audio(Excerpt(path, 0.0, 0.9))
    assert np.sqrt(np.mean(audio.samples**2)) == pytest.approx(0.5 / 2**0.5, abs=0.05)
    assert audio.repaired_s == 0
    assert (probe(path).video is None) == (video_codec is None)
    if video_codec is not None:
        assert len(read_frames(Excerpt(path, 0.0, 0.9), 25).pixels) == 22


def test_demuxers_that_are_asked_for_are_in_this_build():
    from bench.media.container import FORMATS

    known = {name for each in av.formats_available for name in each.split(",")}
    assert set(FORMATS.split(",")) <= known
