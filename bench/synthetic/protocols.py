"""Two protocols on mini clips: pairs of hits, and references that serve for every video.

The first is that of Greatest Hits (Du et al., 2023: 2 s targets, each with three 2 s conditions
from other videos), the second that of the paper's Table 7 (five 2 s sounds for all).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, islice

import numpy as np

from bench.errors import BenchError
from bench.seeds import stable_seed
from bench.synthetic.actions import ACTIONS
from bench.synthetic.world import Scene, make_scene

HITS_SPLIT = "mini"
REFERENCES_SPLIT = "mini-references"
EXCERPT_S = 2.0
N_CONDITIONS = 3
#: Enough clips for conditions of classes that differ, however few targets are asked for.
SMALLEST_POOL = 8
#: The event that an excerpt is made for lies this long after its start.
LEAD_S = (0.12, 1.2)
REFERENCE_NAMES = ("ref_a", "ref_b", "ref_c", "ref_d", "ref_e")


@dataclass(frozen=True)
class HitsExcerpt:
    """Two seconds of the mini clip ``name`` from ``start_s``, a whole frame; an event is inside."""

    name: str
    index: int
    start_s: float
    seconds: float = EXCERPT_S


@dataclass(frozen=True)
class HitsPair:
    """A target and the conditions whose timbre it shall be given, one after the other."""

    target: HitsExcerpt
    conditions: tuple[HitsExcerpt, ...]


def hits_indices(n_targets: int) -> list[int]:
    """Indices of the clips of split ``mini`` that ``hits_pairs`` uses: the first with impacts.

    Raises BenchError for fewer than one target.
    """
    if n_targets < 1:
        raise BenchError(f"the number of targets is {n_targets}, expected 1 or more")
    impacts = (index for index in count() if not _is_stroke(make_scene(HITS_SPLIT, index)))
    return list(islice(impacts, max(n_targets, SMALLEST_POOL)))


def hits_pairs(n_targets: int) -> list[HitsPair]:
    """``n_targets`` targets of different clips, each with three conditions, always the same.

    The conditions of a target come from other clips and have four classes with it: no two of them
    share both action and material.
    """
    scenes = [make_scene(HITS_SPLIT, index) for index in hits_indices(n_targets)]
    return [_pair(target, scenes) for target in scenes[:n_targets]]


def reference_scenes() -> dict[str, Scene]:
    """Five scenes of 2 s under the names ``ref_a`` to ``ref_e``; no two share a material."""
    return {
        name: make_scene(REFERENCES_SPLIT, index, seconds=EXCERPT_S)
        for index, name in enumerate(REFERENCE_NAMES)
    }


def _is_stroke(scene: Scene) -> bool:
    return ACTIONS[scene.action].is_stroke


def _pair(target: Scene, scenes: list[Scene]) -> HitsPair:
    rng = np.random.default_rng(stable_seed("hits", target.name))
    chosen = [target]
    for number in rng.permutation(len(scenes)):
        scene = scenes[number]
        if all((scene.action, scene.material) != (one.action, one.material) for one in chosen):
            chosen.append(scene)
        if len(chosen) > N_CONDITIONS:
            break
    excerpts = [_excerpt(scene, rng) for scene in chosen]
    return HitsPair(excerpts[0], tuple(excerpts[1:]))


def _excerpt(scene: Scene, rng: np.random.Generator) -> HitsExcerpt:
    """A stretch of the scene that holds an event drawn by ``rng``."""
    event = scene.events[int(rng.integers(len(scene.events)))]
    start_s = event.time_s - float(rng.uniform(*LEAD_S))
    start_s = min(max(start_s, 0.0), scene.seconds - EXCERPT_S)
    return HitsExcerpt(scene.name, scene.index, int(start_s * scene.fps) / scene.fps)
