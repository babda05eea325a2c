"""Oracles: they know the scene that a clip of the mini world was rendered from, and redo it.

One tells all the truth; the others damage exactly one thing by a known amount, so that a metric can
be asked whether it ranks them as it claims to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from baselines import Family
from baselines.opening import nothing_to_load
from bench.errors import BenchError
from bench.mini.damage import shift_events, with_other_class, with_timbre_at
from bench.mini.sound import render_sound
from bench.mini.world import Scene, scene_from_truth
from bench.system import System
from bench.types import Audio, Clip, Request

SAMPLE_RATE_HZ = 44_100
SCENE_KEYS = {"events", "timbre"}

Damage = Callable[[Scene, int], Scene]


def render(damage: Damage, request: Request) -> Audio:
    """Return the sound of the clip's scene after ``damage(scene, seed)``, over the asked window."""
    clip = _mini_clip(request)
    scene = damage(scene_from_truth(clip.truth), request.seed)
    samples = render_sound(scene, SAMPLE_RATE_HZ)
    start = round(clip.sound.start_s * SAMPLE_RATE_HZ)
    window = samples[start : start + round(request.seconds * SAMPLE_RATE_HZ)]
    return Audio(window[None].astype(np.float32), SAMPLE_RATE_HZ)


def _mini_clip(request: Request) -> Clip:
    if request.clip is None:
        raise BenchError(
            f"the request for clip {request.name!r} lacks the clip, which oracles read"
        )
    if not request.clip.truth.keys() >= SCENE_KEYS:
        raise BenchError(
            f"clip {request.name!r} has no known scene (no 'events' with a 'timbre'): "
            "oracles work on the clips of the mini world"
        )
    return request.clip


def oracle_shift(seconds: str) -> System:
    """Return the oracle whose events come ``seconds`` later; BenchError for what is no number."""
    offset_s = _number("oracle-shift", "seconds", seconds)
    return _oracle(
        f"oracle-shift={offset_s:g}",
        f"The true scene with every event {offset_s:g} s later",
        partial(_shifted, offset_s),
    )


def oracle_timbre(distance: str) -> System:
    """Return the oracle whose timbre is ``distance`` off; BenchError for what is no distance."""
    length = _number("oracle-timbre", "distance", distance)
    if length < 0.0:
        raise BenchError(f"oracle-timbre was given the distance {length:g}, expected at least 0")
    return _oracle(
        f"oracle-timbre={length:g}",
        f"The true scene with a timbre {length:g} from the true one",
        partial(_with_timbre, length),
    )


def _number(name: str, what: str, argument: str) -> float:
    try:
        number = float(argument)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        found = f"got {argument!r}" if argument else "got nothing"
        raise BenchError(
            f"{name} needs a number of {what} after the colon, as in {name}:0.2; {found}"
        )
    return number


def _oracle(name: str, summary: str, damage: Damage) -> System:
    opened = nothing_to_load(partial(render, damage))
    uses = frozenset({"truth"})
    return System(name, summary, uses, opened, sample_rate_hz=SAMPLE_RATE_HZ, is_anchor=True)


def _undamaged(scene: Scene, seed: int) -> Scene:
    return scene


def _shifted(offset_s: float, scene: Scene, seed: int) -> Scene:
    return shift_events(scene, offset_s)


def _with_timbre(distance: float, scene: Scene, seed: int) -> Scene:
    return with_timbre_at(scene, distance, seed)


ORACLE = _oracle(
    "oracle", "The true scene rendered again: the ceiling of the mini world", _undamaged
)
ORACLE_CLASS = _oracle(
    "oracle-class", "The true events on another material: right time, wrong class", with_other_class
)
ORACLE_SHIFT = Family(
    "SECONDS",
    "The true scene with every event so much later: right sound, wrong time",
    frozenset({"truth"}),
    oracle_shift,
)
ORACLE_TIMBRE = Family(
    "DISTANCE",
    "The true scene with a timbre so far from the true one: right time, another object",
    frozenset({"truth"}),
    oracle_timbre,
)
