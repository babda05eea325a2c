"""A small training set: one second of target, four channels, encoders that need no weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from acfoley.params import CLAP_REFERENCE, FlowParams, ReferenceParams
from acfoley.train.clips import ClipList, CropLayout, TrainingClip
from acfoley.train.features import Array, Encoding, Source
from acfoley.train.precompute import ShardOptions, precompute
from acfoley.train.recipe import Recipe, Schedule, Stage
from bench.seeds import stable_seed
from bench.types import Excerpt

LAYOUT = CropLayout(1.0, 1.0)
D = 4
PARAMS = FlowParams(
    width=8,
    n_heads=2,
    n_joint_blocks=1,
    n_fused_blocks=1,
    version=1,
    reference=ReferenceParams("vae", D, "average", "concatenate"),
    latent_width=D,
    clip_width=6,
    sync_width=5,
    text_width=3,
)
CLAP_PARAMS = FlowParams(8, 2, 1, 1, 1, CLAP_REFERENCE, D, 6, 5, 3)
N_CROPS = 3
AUDIO_ONLY = "wav"


def random_values(source: Source, column: str, *shape: int) -> Array:
    """Values of a clip, the same on every call."""
    rng = np.random.default_rng(stable_seed(source.clip.name, column))
    return rng.standard_normal(shape).astype(np.float32)


def target(source: Source) -> dict[str, Array]:
    mean = random_values(source, "target", 44, D) * 2 + 1
    return {"target.mean": mean, "target.std": np.full((44, D), 0.1, np.float32)}


def references(source: Source) -> dict[str, Array]:
    found = {}
    for name, shape in (("inside", (N_CROPS, 7, D)), ("after", (7, D))):
        found[f"{name}.mean"] = random_values(source, name, *shape)
        found[f"{name}.std"] = np.full(shape, 0.1, np.float32)
    return found


def video_column(name: str, *shape: int):
    def column(source: Source) -> dict[str, Array] | None:
        return None if source.clip.video is None else {name: random_values(source, name, *shape)}

    return column


def text(source: Source) -> dict[str, Array] | None:
    return {"text": random_values(source, "text", 77, 3)} if source.clip.prompt else None


def empty_text() -> Array:
    return np.linspace(-1, 1, 77 * 3, dtype=np.float32).reshape(77, 3)


COLUMNS = {
    "target": target,
    "references": references,
    "video": video_column("video", 8, 6),
    "sync": video_column("sync", 16, 5),
    "text": text,
}
ENCODING = Encoding("random-1", COLUMNS, empty_text)


def clip(name: str, score: float | None = 0.5) -> TrainingClip:
    """A clip of that name; one called ``wav...`` has no video and no prompt."""
    excerpt = Excerpt(Path("nowhere.mp4"))
    if name.startswith(AUDIO_ONLY):
        return TrainingClip(name, excerpt)
    return TrainingClip(name, excerpt, excerpt, "a word", score)


def make_list(*names: str) -> ClipList:
    return ClipList(tuple(clip(name) for name in names))


NAMES = tuple(f"clip{n}" for n in range(6)) + ("wav0", "wav1")


def write_features(folder: Path, *names: str, shard_clips: int = 3) -> Path:
    """Features of clips, in shards."""
    writing = ShardOptions(shard_clips=shard_clips, dtype="float32")
    precompute(make_list(*(names or NAMES)), ENCODING, folder, LAYOUT, writing)
    return folder


RECIPE = Recipe(
    PARAMS,
    (Stage("overlap", 4, "inside"), Stage("non-overlap", 4, "after")),
    Schedule(1e-2, 2, (3,)),
    batch_size=4,
    bfloat16=False,
    video_repeats=2,
    snapshot_every=3,
    seed=7,
)
