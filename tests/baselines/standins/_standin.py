"""What the stand-ins share: the length of a video, and noise that a seed decides."""

from __future__ import annotations

import json
import math
import os
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


def has_gpu() -> bool:
    """Return whether a GPU is visible, by the variable that hides them all."""
    return os.environ.get("CUDA_VISIBLE_DEVICES") != ""


def count_frames(video: Path, seconds: float) -> int:
    """Return the frames of 25 per second that MMAudio's reader finds in the first ``seconds``.

    It adds 1/25 s up, whose rounding costs the last frame of a video that has no more.
    """
    return min(round(read_seconds(video) * 25) - 1, round(seconds * 25))


def round_up(seconds: float, rate: int, samples_per_latent: int) -> float:
    """Return the length of audio that whole latents have."""
    return math.ceil(seconds * rate / samples_per_latent) * samples_per_latent / rate


def record_call(**what: object) -> None:
    """Append what a script was given to ``calls.jsonl`` in the checkout, for the tests."""
    with Path("calls.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(what, default=str) + "\n")


def write_flac(path: Path, rate: int, seconds: float, seed: object) -> None:
    """Write noise as FLAC."""
    import soundfile

    temporary = path.with_suffix(".wav")
    write_wav(temporary, rate, seconds, seed)
    samples, _ = soundfile.read(temporary)
    soundfile.write(path, samples, rate)
    temporary.unlink()


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


def read_video_track(video: Path) -> tuple[int, int, int, float]:
    """Return width, height, number of frames and frame rate of an .mp4 file."""
    tracks = video.read_bytes().split(b"trak")[1:]
    track = next(each for each in tracks if b"vide" in each)
    size, times, count = (track.index(name) + 4 for name in (b"tkhd", b"mdhd", b"stsz"))
    width, height = struct.unpack(">II", track[size + 76 : size + 84])
    timescale, duration = struct.unpack(">II", track[times + 12 : times + 20])
    (n_frames,) = struct.unpack(">I", track[count + 8 : count + 12])
    return width >> 16, height >> 16, n_frames, n_frames * timescale / duration


def is_listed(name: str, path: str) -> bool:
    """Return whether a test has listed a name in a file of the checkout, for a quirk."""
    return Path(path).is_file() and name in Path(path).read_text().split()
