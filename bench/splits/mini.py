"""The splits of the mini world: procedural clips with known truth (``bench.synthetic``).

``mini`` follows the paper's protocol (0-8 s target, 8-10 s reference of the same clip),
``mini-hits`` that of Greatest Hits (2 s silent targets, each under three conditions from other
clips), ``mini-references`` that of Table 7 (each target under the same five references), and
``mini-conflict`` that of VGGSound-TVC (each target under five prompts, from true to unrelated).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.io import bench_home
from bench.splits.split import (
    BASE_METRICS,
    NETWORK_METRICS,
    REFERENCE_SECONDS,
    TARGET_SECONDS,
    Split,
    expand_prompts,
)
from bench.synthetic.dataset import (
    MANIFEST,
    REFERENCES,
    Row,
    read_manifest,
    reference_path,
    render_reference,
    render_split,
    start_directory,
    write_manifest,
)
from bench.synthetic.protocols import REFERENCE_NAMES, HitsPair, conflict_prompts, hits_pairs
from bench.synthetic.scene import Scene, label, make_scene, scene_to_truth
from bench.types import Clip, Excerpt

if TYPE_CHECKING:
    from bench.engine import Engine

N_CLIPS = 128
N_HITS_TARGETS = 32
N_REFERENCE_TARGETS = 16
N_CONFLICT_TARGETS = 16
PREPARE = "bench data prepare mini"

METRICS = (*NETWORK_METRICS, *BASE_METRICS)
#: Synchformer predicts offsets in windows of 4.8 s, and these targets have 2 s.
HITS_METRICS = tuple(name for name in METRICS if name != "desync")


def mini_directory() -> Path:
    """Return the folder of the clips, ``$BENCH_HOME/data/mini``."""
    return bench_home() / "data" / "mini"


def open_mini() -> Split:
    """Return the held-out clips of the mini world under the paper's protocol."""
    return _split("mini", [_clip(make_scene("mini", index)) for index in range(N_CLIPS)])


def open_mini_hits() -> Split:
    """Return targets of 2 s, each with three conditions from other clips."""
    clips = [clip for pair in hits_pairs(N_HITS_TARGETS) for clip in _hits_clips(pair)]
    return _split("mini-hits", clips, (*HITS_METRICS, "mcd_ref"))


def open_mini_references() -> Split:
    """Return the first clips, each under the same five references; grouped by reference."""
    targets = [_clip(make_scene("mini", index)) for index in range(N_REFERENCE_TARGETS)]
    clips = [_with_reference(target, name) for target in targets for name in REFERENCE_NAMES]
    return _split("mini-references", clips, (*METRICS, "mcd_ref"))


def open_mini_conflict() -> Split:
    """Return the first clips, each under five prompts; grouped by how far they are from true."""
    scenes = [make_scene("mini", index) for index in range(N_CONFLICT_TARGETS)]
    clips = [
        clip for each in scenes for clip in expand_prompts(_clip(each), conflict_prompts(each))
    ]
    return _split("mini-conflict", clips, (*METRICS, "mcd_ref"))


@dataclass(frozen=True)
class Preparation:
    """The clips to render: their number, and their rows of the manifest as they are finished."""

    total: int
    rows: Iterator[Row]


def prepare_mini(n_clips: int, engine: Engine) -> Preparation:
    """Render the first ``n_clips`` clips and the five references into ``mini_directory()``.

    Existing undamaged clips are kept. The manifest is written after the last row.

    Raises:
        BenchError: the number is out of range.
    """
    if not 1 <= n_clips <= N_CLIPS:
        raise BenchError(f"the mini split has 1 to {N_CLIPS} clips, not {n_clips}")
    return Preparation(n_clips, _render(n_clips, engine))


def count_to_render(clips: Iterable[Clip]) -> int:
    """Return how many clips ``prepare_mini`` has to make for these; 0 where all files are here."""
    paths = {each.path for clip in clips for each in (clip.audio, clip.reference) if each}
    if all(path.is_file() for path in paths):
        return 0
    # Every call renders the references, whose names have no number.
    numbers = [
        int(path.stem.rpartition("_")[2]) for path in paths if path.parent.name != REFERENCES
    ]
    return 1 + max(numbers, default=0)


def _render(n_clips: int, engine: Engine) -> Iterator[Row]:
    directory = mini_directory()
    start_directory(directory)
    # Rows of earlier calls are kept: preparing 16 clips after 128 must not forget the other 112.
    earlier = read_manifest(directory) if (directory / MANIFEST).exists() else []
    rows = {row["name"]: row for row in earlier}
    for row in render_split(directory, "mini", n_clips, engine):
        rows[row["name"]] = row
        yield row
    for name in REFERENCE_NAMES:
        rows[name] = render_reference(directory, name)
    write_manifest(directory, rows.values())


def _split(name: str, clips: list[Clip], metrics: tuple[str, ...] = METRICS) -> Split:
    if (mini_directory() / MANIFEST).exists():
        read_manifest(mini_directory())  # refuses clips of another version of the world
    return Split(name, tuple(clips), metrics, is_mini=True, preparation=PREPARE)


def _file(scene_name: str) -> Path:
    return mini_directory() / f"{scene_name}.mp4"


def _clip(scene: Scene) -> Clip:
    target = Excerpt(_file(scene.name), 0.0, TARGET_SECONDS)
    return Clip(
        name=scene.name,
        audio=target,
        seconds=TARGET_SECONDS,
        video=target,
        reference=Excerpt(_file(scene.name), TARGET_SECONDS, REFERENCE_SECONDS),
        prompt=label(scene),
        cluster=scene.name,
        truth=scene_to_truth(scene),
        groups=_groups(scene),
    )


def _groups(scene: Scene) -> dict[str, str]:
    return {"action": scene.action, "material": scene.material}


def _hits_clips(pair: HitsPair) -> list[Clip]:
    """Return the target under each of its conditions."""
    target = pair.target
    scene = make_scene("mini", target.index)
    truth = scene_to_truth(scene)
    window = Excerpt(_file(target.name), target.start_s, target.seconds)
    return [
        Clip(
            name=f"{target.name}_to_{condition.name}",
            audio=window,
            seconds=target.seconds,
            video=window,
            reference=Excerpt(_file(condition.name), condition.start_s, condition.seconds),
            cluster=target.name,
            truth=truth,
            groups=_groups(scene),
        )
        for condition in pair.conditions
    ]


def _with_reference(target: Clip, name: str) -> Clip:
    return replace(
        target,
        name=f"{target.name}_to_{name}",
        reference=Excerpt(reference_path(mini_directory(), name), 0.0, REFERENCE_SECONDS),
        group=name,
    )
