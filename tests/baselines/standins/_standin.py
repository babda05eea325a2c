"""What the stand-ins share: the length of a video, and noise that a seed decides."""

from __future__ import annotations

import random
import struct
import wave
from pathlib import Path


def read_seconds(video: Path) -> float:
    """Return the length of an .mp4 file by its movie header."""
    data = video.read_bytes()
    at = data.index(b"mvhd") + 4
    timescale, duration = struct.unpack(">II", data[at + 12 : at + 20])
    return duration / timescale


def has_audio_track(video: Path) -> bool:
    """Return whether an .mp4 file has an audio track, by its handlers."""
    return b"soun" in video.read_bytes()


def write_wav(
    path: Path, rate: int, seconds: float, seed: object, *, channels: int = 1, peak: float = 0.5
) -> None:
    """Write noise of 16 bit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scale = int(peak * 32_767)
    numbers = random.Random(repr(seed))  # noqa: S311 - noise
    block = [numbers.randint(-scale, scale) for _ in range(1_000 * channels)]
    n_values = round(rate * seconds) * channels
    samples = (block * (n_values // len(block) + 1))[:n_values]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack(f"<{n_values}h", *samples))
