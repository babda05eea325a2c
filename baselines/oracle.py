"""Oracles: they know the scene that a clip of the mini world was rendered from, and redo it.

One tells all the truth; the others damage exactly one thing by a known amount, the scene before it
is rendered or the sound afterwards, so that a metric can be asked whether it ranks them as it
claims to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from baselines.opening import nothing_to_load
from bench.errors import BenchError
from bench.plugins import Family
from bench.seeds import stable_seed
from bench.synthetic.audio import render_audio
from bench.synthetic.corruptions import (
    add_noise,
    apply_gain,
    change_class,
    change_timbre,
    low_pass,
    shift_events,
    silence_from,
    speed_up,
)
from bench.synthetic.scene import Scene, scene_from_truth
from bench.system import System
from bench.types import Audio, Clip, Request, Waveform

SAMPLE_RATE_HZ = 44_100
SCENE_KEYS = {"events", "timbre"}
USES = frozenset({"truth"})

#: What is done to a scene before it is rendered, and to its sound afterwards.
SceneCorruption = Callable[[Scene, int], Scene]
AudioCorruption = Callable[[Waveform, Request], Waveform]


def render(
    corrupt_scene: SceneCorruption, corrupt_audio: AudioCorruption, request: Request
) -> Audio:
    """Return the sound of the clip's scene, damaged and spoiled, over the asked window."""
    clip = _mini_clip(request)
    scene = corrupt_scene(scene_from_truth(clip.truth), request.seed)
    samples = corrupt_audio(render_audio(scene, SAMPLE_RATE_HZ), request)
    start = round(clip.audio.start_s * SAMPLE_RATE_HZ)
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


def _keep_scene(scene: Scene, seed: int) -> Scene:
    return scene


def _keep_audio(audio: Waveform, request: Request) -> Waveform:
    return audio


def _oracle(
    name: str,
    summary: str,
    corrupt_scene: SceneCorruption = _keep_scene,
    corrupt_audio: AudioCorruption = _keep_audio,
) -> System:
    opened = nothing_to_load(partial(render, corrupt_scene, corrupt_audio))
    return System(
        name,
        summary,
        USES,
        opened,
        sample_rate_hz=SAMPLE_RATE_HZ,
        is_anchor=True,
        code=("baselines.oracle", "bench.synthetic"),
        uses_device=False,
    )


class _Amount(NamedTuple):
    """The number after the colon: what it counts, and the lowest that makes sense."""

    what: str
    lowest: float = -math.inf


def _family(
    name: str,
    amount: _Amount,
    summary: str,
    corrupt_scene: Callable[..., Scene] = _keep_scene,
    corrupt_audio: Callable[..., Waveform] = _keep_audio,
) -> Family:
    """Oracles that differ by the number after the colon, the first argument of what they do."""
    make = partial(_make, name, amount, summary, corrupt_scene, corrupt_audio)
    return Family(summary, USES, make)


def _make(
    name: str,
    amount: _Amount,
    summary: str,
    corrupt_scene: Callable[..., Scene],
    corrupt_audio: Callable[..., Waveform],
    argument: str,
) -> System:
    number = _number(name, amount, argument)
    return _oracle(
        f"{name}={number:g}",
        summary,
        corrupt_scene if corrupt_scene is _keep_scene else partial(corrupt_scene, number),
        corrupt_audio if corrupt_audio is _keep_audio else partial(corrupt_audio, number),
    )


def _number(name: str, amount: _Amount, argument: str) -> float:
    try:
        number = float(argument)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        found = f"got {argument!r}" if argument else "got nothing"
        raise BenchError(
            f"{name} needs a number of {amount.what} after the colon, as in {name}:0.2; {found}"
        )
    if number < amount.lowest:
        raise BenchError(
            f"{name} was given the {amount.what} {number:g}, expected at least {amount.lowest:g}"
        )
    return number


def _shifted(offset_s: float, scene: Scene, seed: int) -> Scene:
    return shift_events(scene, offset_s)


def _with_timbre(distance: float, scene: Scene, seed: int) -> Scene:
    return change_timbre(scene, distance, seed)


def _with_class(share: float, scene: Scene, seed: int) -> Scene:
    """Clips that are swapped at one share are swapped at every larger one."""
    place = np.random.default_rng(stable_seed("class swap", scene.name)).uniform()
    return change_class(scene, seed) if place < share else scene


def _with_noise(level_db: float, audio: Waveform, request: Request) -> Waveform:
    return add_noise(audio, level_db, np.random.default_rng(request.seed))


def _low_passed(cutoff_hz: float, audio: Waveform, request: Request) -> Waveform:
    return low_pass(audio, cutoff_hz, SAMPLE_RATE_HZ)


def _at_level(gain_db: float, audio: Waveform, request: Request) -> Waveform:
    return apply_gain(audio, gain_db)


def _cut(seconds: float, audio: Waveform, request: Request) -> Waveform:
    start_s = request.clip.audio.start_s if request.clip else 0.0
    return silence_from(audio, start_s + request.seconds - seconds, SAMPLE_RATE_HZ)


def _faster(percent: float, audio: Waveform, request: Request) -> Waveform:
    return speed_up(audio, percent, SAMPLE_RATE_HZ)


ORACLE = _oracle("oracle", "The true scene rendered again: the ceiling of the mini world")
ORACLE_SHIFT = _family(
    "oracle-shift",
    _Amount("seconds"),
    "The true scene with every event so much later: right sound, wrong time",
    _shifted,
)
ORACLE_TIMBRE = _family(
    "oracle-timbre",
    _Amount("distance", 0.0),
    "The true scene with a timbre so far from the true one: right time, another object",
    _with_timbre,
)
ORACLE_CLASS = _family(
    "oracle-class",
    _Amount("share", 0.0),
    "The true events, in this share of the clips on another material: right time, wrong class",
    _with_class,
)
ORACLE_NOISE = _family(
    "oracle-noise",
    _Amount("decibels"),
    "The true sound under white noise of this level relative to its own",
    corrupt_audio=_with_noise,
)
ORACLE_LOWPASS = _family(
    "oracle-lowpass",
    _Amount("hertz", 0.0),
    "The true sound without what lies above this frequency",
    corrupt_audio=_low_passed,
)
ORACLE_GAIN = _family(
    "oracle-gain",
    _Amount("decibels"),
    "The true sound so much louder, or quieter",
    corrupt_audio=_at_level,
)
ORACLE_CUT = _family(
    "oracle-cut",
    _Amount("seconds", 0.0),
    "The true sound with its last seconds silent: too short",
    corrupt_audio=_cut,
)
ORACLE_SPEED = _family(
    "oracle-speed",
    _Amount("percent"),
    "The true sound played at a sample rate that is so much too high",
    corrupt_audio=_faster,
)
