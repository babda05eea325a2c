"""Read damaged media and report, in a separate process, so that a crash does not end the tests.

    python fuzz_worker.py <folder> <first seed> <end seed> [real clip ...]

Prints the recipe of each file before it is read (the last one printed is the one that crashed or
hung), and at the end one JSON line of counts.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import psutil

from bench.errors import MediaError
from bench.media import mux_audio, probe, read_audio, read_frames, write_audio, write_video
from bench.types import Audio, Excerpt
from tests.media.samples import numbered_frames, tone, write_audio_file

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]


def make_sources(folder: Path) -> list[Path]:
    """One small valid file of every kind."""
    rate = 48_000
    samples = tone(1.0, rate, (440.0, 660.0))
    names = ("a.mp4", "a.wav", "a.flac", "a.mp3", "a.opus", "a.webm", "a.aiff")
    paths = [folder / name for name in names]
    write_video(paths[0], numbered_frames(25), 25, Audio(samples, rate))
    write_audio(paths[1], Audio(samples, rate))
    write_audio(paths[2], Audio(samples, rate))
    write_audio_file(paths[3], samples, rate, "libmp3lame", "stereo")
    write_audio_file(paths[4], samples, rate, "libopus", "stereo", "flt")
    write_audio_file(paths[5], samples, rate, "libopus", "stereo", "flt")
    write_audio_file(paths[6], samples, rate, "pcm_s16be", "stereo", "s16")
    return paths


def damaged(content: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """``content`` with one kind of damage, and its name."""
    data: Bytes = np.frombuffer(content, dtype=np.uint8).copy()
    kind = ("flips", "header", "cut", "zeros", "noise")[rng.integers(5)]
    start = int(rng.integers(len(data)))
    end = start + int(rng.integers(1, 2000))
    if kind == "cut":
        return kind, content[:start]
    if kind in ("zeros", "noise"):
        noise = rng.integers(0, 256, len(data[start:end]), dtype=np.uint8)
        data[start:end] = 0 if kind == "zeros" else noise
    else:
        reach = min(len(data), 400) if kind == "header" else len(data)
        where = rng.integers(0, reach, rng.integers(1, 20))
        data[where] = rng.integers(0, 256, len(where), dtype=np.uint8)
    return kind, data.tobytes()


def read_everything(path: Path, folder: Path, outcomes: Counter[str]) -> None:
    """Read ``path`` in every way; anything but a result or a MediaError ends the process."""
    window = Excerpt(path, 0.25, 0.5)
    audio = Audio(tone(0.5, 16_000, (440.0,)), 16_000)
    attempts = {
        "probe": lambda: probe(path),
        "audio": lambda: read_audio(Excerpt(path)),
        "audio window": lambda: read_audio(window, mono=True, shortfall_s=0.1),
        "frames": lambda: read_frames(Excerpt(path), 25, short_side=32),
        "frames window": lambda: read_frames(window, 10),
        "mux": lambda: mux_audio(path, audio, folder / "muxed.mp4", start_s=0.1),
    }
    for name, attempt in attempts.items():
        try:
            attempt()
        except MediaError:
            outcomes[f"{name} refused"] += 1
        else:
            outcomes[f"{name} read"] += 1


def main(folder: Path, seeds: range, clips: list[Path]) -> None:
    """Read one damaged file per seed."""
    process = psutil.Process()
    sources = make_sources(folder) + clips
    outcomes: Counter[str] = Counter()
    for source in sources:
        read_everything(source, folder, outcomes)
    outcomes.clear()
    memory_before, files_before = process.memory_info().rss, process.num_fds()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        source = sources[seed % len(sources)]
        kind, content = damaged(source.read_bytes(), rng)
        print(f"seed {seed}: {kind} in {source.name}", flush=True)
        path = folder / f"damaged{source.suffix}"
        path.write_bytes(content)
        read_everything(path, folder, outcomes)
    growth_mb = (process.memory_info().rss - memory_before) / 2**20
    files = process.num_fds() - files_before
    print(json.dumps({"outcomes": outcomes, "growth_mb": growth_mb, "open_files": files}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), range(int(sys.argv[2]), int(sys.argv[3])), [*map(Path, sys.argv[4:])])
