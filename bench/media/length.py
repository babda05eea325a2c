"""How long a file's sound is."""

from __future__ import annotations

from pathlib import Path

from bench.media.container import decoded, first_audio, open_media
from bench.media.probe import probe


def sound_seconds(path: Path) -> float:
    """The length of the sound as its header states it; where it states none, as it decodes.

    The picture may last longer or less. Raises MediaError when the file cannot be read, or has no
    sound.
    """
    audio = probe(path).audio
    if audio is not None and audio.seconds is not None:
        return audio.seconds
    with open_media(path) as container:
        frames = decoded(container, first_audio(container, path), path)
        return sum(frame.samples / frame.sample_rate for frame in frames)
