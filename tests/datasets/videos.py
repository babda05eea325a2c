"""Small real videos, written in milliseconds."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

RATE_HZ = 16_000


def write_mp4(path: Path, seconds: float, *, is_silent=False, is_still=False, has_audio=True):
    """Write a small real video."""
    rng = np.random.default_rng(len(path.stem) + int(10 * seconds))
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=5, options={"preset": "ultrafast"})
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", rate=RATE_HZ) if has_audio else None
        # Coarse, as real frames are: what a codec makes of pure noise changes with every frame.
        coarse = rng.integers(0, 255, (4, 4, 3), dtype=np.uint8)
        still = coarse.repeat(8, axis=0).repeat(8, axis=1)
        for number in range(round(5 * seconds)):
            pixels = still if is_still else np.roll(still, 3 * number, axis=1)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(video.encode())
        if audio is None:
            return
        noise = rng.normal(0, 0.1, (1, round(RATE_HZ * seconds))).astype(np.float32)
        samples = np.zeros_like(noise) if is_silent else noise
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate = RATE_HZ
        frame.pts = 0
        container.mux(audio.encode(frame))
        container.mux(audio.encode())
