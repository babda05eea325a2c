"""What the mini networks are trained on: scenes of a split of their own, as files on disk.

They lie in ``$BENCH_HOME/data/mini-train`` and are rendered, encoded and read as clips for testing
are, H.264 and AAC included. No split for testing holds any of these scenes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from acfoley.train.clips import ClipList, TrainingClip
from bench.engine import Engine
from bench.errors import BenchError
from bench.files import bench_home
from bench.mini.clips import Row, render_clip, start_directory, write_manifest
from bench.mini.world import label, make_scene
from bench.types import Excerpt

SPLIT = "mini-train"
N_CLIPS = 1_800
#: Every picture of the mini world is one of its sound.
SCORE = 1.0


def directory() -> Path:
    """Where the clips lie."""
    return bench_home() / "data" / SPLIT


def render(n_clips: int, engine: Engine) -> Iterator[Row]:
    """Render the first ``n_clips`` clips; those that are there and whole are kept.

    Raises:
        BenchError: a clip could not be rendered.
    """
    folder = directory()
    start_directory(folder)
    rows = []
    for outcome in engine.map(partial(_open_renderer, folder), range(n_clips)):
        if outcome.value is None:
            reason = outcome.failure.message if outcome.failure else "no clip came back"
            raise BenchError(f"clip {outcome.item} of {SPLIT} could not be rendered: {reason}")
        rows.append(outcome.value)
        yield outcome.value
    write_manifest(folder, rows)


def listed(n_clips: int = N_CLIPS) -> ClipList:
    """The first ``n_clips`` clips, whether they are rendered or not."""
    return ClipList(tuple(_clip(index) for index in range(n_clips)))


def _clip(index: int) -> TrainingClip:
    scene = make_scene(SPLIT, index)
    whole = Excerpt(directory() / f"{scene.name}.mp4")
    return TrainingClip(scene.name, whole, whole, label(scene), SCORE)


def _open_renderer(folder: Path) -> partial[Row]:
    return partial(render_clip, folder, SPLIT)
