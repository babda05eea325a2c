"""Studies with media, small enough to be served in tests."""

from __future__ import annotations

import hashlib
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress

import numpy as np

from bench.io import write_json
from bench.media import write_video
from bench.study.design import IDENTICAL, TRUE, StudyClip, read_design
from bench.study.media import REFERENCE, SAMPLE, TWIN, media_name
from bench.types import Audio
from tests.conftest import ROOT
from tests.study.designs import make_design, write_study

KEY = bytes(range(32))
SECONDS = 2.0
RATE_HZ = 48_000


def write_served_study(folder, n_clips=4, *, has_video=False, **changes):
    """A study of ``n_clips`` clips of two seconds.

    A video is a square that falls, with a tone of its own; without ``has_video`` it is 1,280 bytes.
    """
    design = make_design(n_clips, **changes)
    clips = tuple(StudyClip(each.name, each.label, SECONDS, 2.0) for each in design.clips)
    study = write_study(folder, make_design(n_clips, **{"clips": clips, **changes}))
    (study / "private").mkdir()
    (study / "media").mkdir()
    (study / "private" / "key").write_text(KEY.hex() + "\n", encoding="ascii")
    described = {}
    for pitch, (clip, source, role) in enumerate(list_videos(read_design(study))):
        name = media_name(KEY, clip, source, role)
        path = study / "media" / f"{name}.mp4"
        if has_video:
            _write_clip(path, 220 + 40 * pitch)
        else:
            path.write_bytes(40 * name.encode("ascii"))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        described[name] = {"clip": clip, "source": source, "role": role, "sha256": digest}
    write_json(study / "private" / "media.json", described)
    return study


def list_videos(design):
    for clip in design.clips:
        yield clip.name, TRUE, REFERENCE
        for system in design.systems:
            yield clip.name, system, SAMPLE
    for check in design.checks:
        yield check.clip, TRUE, REFERENCE
        sides = ("true", "other") if check.kind != IDENTICAL else (check.system,)
        for source in sides:
            yield check.clip, source, SAMPLE
        if check.kind == IDENTICAL:
            yield check.clip, check.system, TWIN


def _write_clip(path, frequency_hz):
    frames = np.full((20, 90, 160, 3), 200, np.uint8)
    for index, frame in enumerate(frames):
        frame[4 * index : 4 * index + 10, 75:85] = (180, 30, 30)
    time_s = np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ
    wave = 0.1 * np.sin(2 * np.pi * frequency_hz * time_s)
    write_video(path, frames, 10, Audio(wave[None].astype(np.float32), RATE_HZ))


@contextmanager
def serving(study, *options, port=0):
    """Serve a study in a process of its own; yield its address and the process."""
    command = [sys.executable, "-m", "bench", "study", "serve", str(study), "--port", str(port)]
    process = subprocess.Popen(
        [*command, *options], cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    try:
        found = re.search(r"http://\S+/", process.stdout.readline())
        yield found.group().rstrip("/"), process
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()
        process.stdout.close()
