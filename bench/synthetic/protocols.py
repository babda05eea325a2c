"""Three protocols on mini clips: pairs of hits, references for every video, prompts in conflict.

The first is that of Greatest Hits (Du et al., 2023: 2 s targets, each with three 2 s conditions
from other videos), the second that of the paper's Table 7 (five 2 s references for all), the third
that of VGGSound-TVC (five prompts for each video, from true to unrelated).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import count, islice
from math import log

import numpy as np

from bench.errors import BenchError
from bench.seeds import stable_seed
from bench.synthetic.actions import ACTIONS
from bench.synthetic.materials import MATERIALS
from bench.synthetic.scene import Scene, label, make_scene

HITS_SPLIT = "mini"
REFERENCES_SPLIT = "mini-references"
EXCERPT_S = 2.0
N_CONDITIONS = 3
#: Enough clips to find three conditions of different classes, however few the targets.
SMALLEST_POOL = 8
#: Time from the start of an excerpt to the event it is made for.
LEAD_S = (0.12, 1.2)
REFERENCE_NAMES = ("ref_a", "ref_b", "ref_c", "ref_d", "ref_e")
#: Of a prompt against its video, in rising conflict; names as in the columns of VGGSound-TVC.
CONFLICT_LEVELS = ("L0", "L1-subject", "L1-action", "L2", "L3")


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


def conflict_prompts(scene: Scene) -> dict[str, str]:
    """Return the prompts of a scene by ``CONFLICT_LEVELS``, five different ones.

    L0 is true; L1 states another material, or another action; L2 another material and the action
    whose rhythm is most similar; L3 any other action and material.
    """
    rng = np.random.default_rng(stable_seed("conflict", scene.name))
    materials = rng.permutation([name for name in MATERIALS if name != scene.material]).tolist()
    alike = similar_action(scene.action)
    # Not the action of L2: the last prompt has to contradict its rhythm as well.
    actions = rng.permutation([a for a in ACTIONS if a not in (scene.action, alike)]).tolist()
    prompts = (
        label(scene),
        _words(scene.action, materials[0]),
        _words(actions[0], scene.material),
        _words(alike, materials[1]),
        _words(actions[1], materials[2]),
    )
    return dict(zip(CONFLICT_LEVELS, prompts, strict=True))


@cache
def similar_action(action: str) -> str:
    """Return the other action whose events follow one another most similarly.

    Impacts are compared with impacts and strokes with strokes, by the ratio of their mean
    intervals.
    """
    same_kind = [
        name
        for name, other in ACTIONS.items()
        if name != action and other.is_stroke == ACTIONS[action].is_stroke
    ]
    return min(same_kind, key=lambda name: abs(log(_interval_s(name) / _interval_s(action))))


def _interval_s(action: str) -> float:
    """The mean time from the start of an event to the next one of its group."""
    rhythm = ACTIONS[action].rhythm
    return (sum(rhythm.gap_s) + sum(rhythm.duration_s)) / 2.0


def _words(action: str, material: str) -> str:
    return ACTIONS[action].words.format(material)


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
