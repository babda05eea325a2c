"""How long a file's sound is."""

from __future__ import annotations

from pathlib import Path

from bench.media.audio import read_audio
from bench.media.probe import probe
from bench.types import Excerpt


def sound_seconds(path: Path) -> float:
    """The length that the header states; where it states none, that of the decoded sound.

    Raises:
        MediaError: the file cannot be read, or has no sound.
    """
    stated = probe(path).seconds
    return read_audio(Excerpt(path)).seconds if stated is None else stated
