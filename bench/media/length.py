"""How long a file's sound is."""

from __future__ import annotations

from pathlib import Path

from bench.media.clock import Timeline, no_samples, stated_end_s
from bench.media.container import decoded, open_media
from bench.media.tracks import choose_audio


def audio_seconds(path: Path) -> float:
    """When the audio of ``path`` ends on the file's clock, in seconds.

    As its header states it; where it states none, as it decodes. The video may last longer or less.
    Raises MediaError when the file cannot be read, or has no audio, or none with samples.
    """
    with open_media(path) as container:
        stream = choose_audio(container, path)
        stated_s = stated_end_s(container, stream)
        if stated_s is not None:
            return stated_s
        timeline = Timeline(container, stream, path)
        for frame in decoded(container, stream, path):
            timeline.place(frame)
        if not timeline.sample_rate_hz:
            raise no_samples(path)
        return timeline.end_s
