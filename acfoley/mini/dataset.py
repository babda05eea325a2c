"""The training clips of the mini networks: scenes of a split of their own, as files on disk.

They are in ``$BENCH_HOME/data/mini-train`` and are rendered, encoded and read as clips for testing
are, H.264 and AAC included. No split for testing holds any of these scenes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from acfoley.train.clips import ClipList, TrainingClip
from bench.engine import Engine
from bench.io import bench_home
from bench.synthetic.dataset import Row, render_split, start_directory, write_manifest
from bench.synthetic.scene import label, make_scene
from bench.types import Excerpt

SPLIT = "mini-train"
N_CLIPS = 1_800
#: Audio and video of the mini world always match.
SCORE = 1.0


def directory() -> Path:
    """Return the folder of the clips."""
    return bench_home() / "data" / SPLIT


def render(n_clips: int, engine: Engine) -> Iterator[Row]:
    """Render the first ``n_clips`` clips; those that are there and complete are kept.

    Raises:
        BenchError: a clip could not be rendered.
    """
    folder, rows = directory(), []
    start_directory(folder)
    for row in render_split(folder, SPLIT, n_clips, engine):
        rows.append(row)
        yield row
    write_manifest(folder, rows)


def listed(n_clips: int = N_CLIPS) -> ClipList:
    """List the first ``n_clips`` clips, whether they are rendered or not."""
    clips, folder = [], directory()
    for index in range(n_clips):
        scene = make_scene(SPLIT, index)
        excerpt = Excerpt(folder / f"{scene.name}.mp4")  # audio and video are in one file
        clips.append(TrainingClip(scene.name, excerpt, excerpt, label(scene), SCORE))
    return ClipList(tuple(clips))
