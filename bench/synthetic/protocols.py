"""Two protocols on mini clips: pairs of hits, and references that are used for every video.

The first is that of Greatest Hits (Du et al., 2023: 2 s targets, each with three 2 s conditions
from other videos), the second that of the paper's Table 7 (five 2 s references for all).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, islice

import numpy as np

from bench.errors import BenchError
from bench.seeds import stable_seed
from bench.synthetic.actions import ACTIONS
from bench.synthetic.scene import Scene, make_scene

HITS_SPLIT = "mini"
REFERENCES_SPLIT = "mini-references"
EXCERPT_S = 2.0
N_CONDITIONS = 3
#: Enough clips to find three conditions of different classes, however few the targets.
SMALLEST_POOL = 8
#: Time from the start of an excerpt to the event it is made for.
LEAD_S = (0.12, 1.2)
REFERENCE_NAMES = ("ref_a", "ref_b", "ref_c", "ref_d", "ref_e")


@dataclass(frozen=True)
class HitsExcerpt:
    """Two seconds of the clip ``name`` with an event; ``start_s`` is the time of a frame."""

    name: str
    index: int
    start_s: float
    seconds: float = EXCERPT_S


@dataclass(frozen=True)
class HitsPair:
    """A target, and the conditions whose timbre it is to take, one after the other."""

    target: HitsExcerpt
    conditions: tuple[HitsExcerpt, ...]


def hits_indices(n_targets: int) -> list[int]:
    """Indices of the clips of split ``mini`` that ``hits_pairs`` uses: the first with impacts.

    Raises:
        BenchError: fewer than one target.
    """
    if n_targets < 1:
        raise BenchError(f"the number of targets is {n_targets}, expected 1 or more")
    impacts = (
        index for index in count() if not ACTIONS[make_scene(HITS_SPLIT, index).action].is_stroke
    )
    return list(islice(impacts, max(n_targets, SMALLEST_POOL)))


def hits_pairs(n_targets: int) -> list[HitsPair]:
    """Make ``n_targets`` pairs: targets of different clips, each with three fixed conditions.

    The conditions come from other clips, and target and conditions are of four different classes:
    no two share both action and material.
    """
    scenes = [make_scene(HITS_SPLIT, index) for index in hits_indices(n_targets)]
    return [_pair(target, scenes) for target in scenes[:n_targets]]


def reference_scenes() -> dict[str, Scene]:
    """Five scenes of 2 s under the names ``ref_a`` to ``ref_e``; no two share a material."""
    return {
        name: make_scene(REFERENCES_SPLIT, index, seconds=EXCERPT_S)
        for index, name in enumerate(REFERENCE_NAMES)
    }


def _pair(target: Scene, scenes: list[Scene]) -> HitsPair:
    rng = np.random.default_rng(stable_seed("hits", target.name))
    chosen = [target]
    # In a random order, so that targets do not all get the conditions of the first clips.
    for number in rng.permutation(len(scenes)):
        scene = scenes[number]
        if all((scene.action, scene.material) != (one.action, one.material) for one in chosen):
            chosen.append(scene)
        if len(chosen) > N_CONDITIONS:
            break
    excerpts = [_excerpt(scene, rng) for scene in chosen]
    return HitsPair(excerpts[0], tuple(excerpts[1:]))


def _excerpt(scene: Scene, rng: np.random.Generator) -> HitsExcerpt:
    """Two seconds of the scene around an event drawn by ``rng``, rounded down to a frame."""
    event = scene.events[int(rng.integers(len(scene.events)))]
    start_s = event.time_s - float(rng.uniform(*LEAD_S))
    # Inside the clip, and at a frame: otherwise audio and video would start up to 40 ms apart.
    start_s = min(max(start_s, 0.0), scene.seconds - EXCERPT_S)
    return HitsExcerpt(scene.name, scene.index, int(start_s * scene.fps) / scene.fps)
