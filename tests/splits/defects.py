"""A copy of VGGSound with a clip of each kind of defect."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import soundfile

from bench.datasets.vggsound import prepare
from bench.engine import InlineEngine
from tests.datasets.videos import RATE_HZ, write_mp4

#: Clips of the official list; the first two can be used.
HERE = ("glLQrEijrKg_000300", "6jiO0tPLK7U_000090")
BAD = {
    "-1pRmoJIGQc_000010": "too short",
    "-Qowmc0P9ic_000034": "no audio",
    "0nib7bMm8BA_000015": "no video",
    "1aDnyPubxdY_000118": "damaged",
    "3JYjNHFJfO4_000363": "several files",
    "53UdZyM9MyE_000252": "no video",
    "54bz5yqN2IA_000004": "not in your copy",
}


def prepare_defects(folder: Path) -> None:
    """Write the copy to ``folder``, and prepare it."""
    folder.mkdir()
    names = list(BAD)
    write_mp4(folder / f"{HERE[0]}.mp4", 10.2)
    shutil.copy(folder / f"{HERE[0]}.mp4", folder / f"{HERE[1]}.mp4")
    write_mp4(folder / f"{names[0]}.mp4", 3)
    write_mp4(folder / f"{names[1]}.mp4", 10, has_audio=False)
    noise = np.random.default_rng(0).normal(0, 0.1, 10 * RATE_HZ)
    soundfile.write(folder / "sound.wav", noise, RATE_HZ)
    (folder / "sound.wav").rename(folder / f"{names[2]}.mp4")
    (folder / f"{names[3]}.mp4").write_bytes(b"no video at all")
    for number in "12":
        (folder / number).mkdir()
        shutil.copy(folder / f"{HERE[0]}.mp4", folder / number / f"{names[4]}.mp4")
    soundfile.write(folder / f"{names[5]}.wav", noise, RATE_HZ)
    prepare(folder, InlineEngine(), lambda stage, done, total: None)
