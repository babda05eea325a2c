"""Oracles: systems that render the known scene of a mini clip again.

``oracle`` renders the true scene. Each of the others corrupts exactly one property by a known
amount, of the scene before it is rendered or of the audio afterwards, which tests whether a metric
ranks these samples as it claims to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from baselines import nothing_to_load
from bench.errors import BenchError
from bench.plugins import Family
from bench.seeds import stable_seed
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

#: A corruption of a scene (with a seed) before it is rendered, and one of its audio afterwards.
SceneCorruption = Callable[[Scene, int], Scene]
AudioCorruption = Callable[[Waveform, Request], Waveform]


def render(
    corrupt_scene: SceneCorruption, corrupt_audio: AudioCorruption, request: Request
) -> Audio:
    """Render the clip's scene with both corruptions and return the requested window, mono.

    Raises:
        BenchError: the request has no clip, or a clip without a known scene.
    """
    from bench.synthetic.audio import render_audio  # with SciPy, which a list of systems needs not

    clip = _require_mini_clip(request)
    scene = corrupt_scene(scene_from_truth(clip.truth), request.seed)
    # The full scene is rendered and corrupted, then cut: events before the window still ring in it.
    samples = corrupt_audio(render_audio(scene, SAMPLE_RATE_HZ), request)
    start = round((clip.audio.start_s if clip.audio else 0.0) * SAMPLE_RATE_HZ)
    window = samples[start : start + round(request.seconds * SAMPLE_RATE_HZ)]
    return Audio(window[None].astype(np.float32), SAMPLE_RATE_HZ)


def _require_mini_clip(request: Request) -> Clip:
    if request.clip is None:
        raise BenchError(
            f"the request for clip {request.name!r} is without the clip, which oracles read"
        )
    if not request.clip.truth.keys() >= SCENE_KEYS:
        raise BenchError(
            f"clip {request.name!r} has no known scene (no 'events' with a 'timbre'): "
            "oracles work on the clips of the mini world"
        )
    return request.clip


# The corruptions are functions of this module and partials of them: workers unpickle systems, and a
# lambda or a closure cannot be pickled.


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
    """The number after the colon: its name, and the lowest valid value."""

    what: str
    lowest: float = -math.inf


def _family(
    name: str,
    amount: _Amount,
    summary: str,
    corrupt_scene: Callable[..., Scene] = _keep_scene,
    corrupt_audio: Callable[..., Waveform] = _keep_audio,
) -> Family:
    """Return oracles that differ by the number after the colon, the corruption's first argument."""
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
    number = _parse_number(name, amount, argument)
    return _oracle(
        f"{name}={number:g}",
        summary,
        corrupt_scene if corrupt_scene is _keep_scene else partial(corrupt_scene, number),
        corrupt_audio if corrupt_audio is _keep_audio else partial(corrupt_audio, number),
    )


def _parse_number(name: str, amount: _Amount, argument: str) -> float:
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


def _shift(offset_s: float, scene: Scene, seed: int) -> Scene:
    return shift_events(scene, offset_s)


def _change_timbre(distance: float, scene: Scene, seed: int) -> Scene:
    return change_timbre(scene, distance, seed)


def _change_class(share: float, scene: Scene, seed: int) -> Scene:
    # One random number per clip, the same for every share and seed: clips whose class changes at
    # one share change at every larger one, so the curve over shares compares equal clips.
    threshold = np.random.default_rng(stable_seed("class swap", scene.name)).uniform()
    return change_class(scene, seed) if threshold < share else scene


def _add_noise(level_db: float, audio: Waveform, request: Request) -> Waveform:
    return add_noise(audio, level_db, np.random.default_rng(request.seed))


def _low_pass(cutoff_hz: float, audio: Waveform, request: Request) -> Waveform:
    return low_pass(audio, cutoff_hz, SAMPLE_RATE_HZ)


def _apply_gain(gain_db: float, audio: Waveform, request: Request) -> Waveform:
    return apply_gain(audio, gain_db)


def _silence_end(seconds: float, audio: Waveform, request: Request) -> Waveform:
    # ``audio`` is the full scene, of which the request's window is cut afterwards.
    start_s = request.clip.audio.start_s if request.clip and request.clip.audio else 0.0
    return silence_from(audio, start_s + request.seconds - seconds, SAMPLE_RATE_HZ)


def _speed_up(percent: float, audio: Waveform, request: Request) -> Waveform:
    return speed_up(audio, percent, SAMPLE_RATE_HZ)


ORACLE = _oracle("oracle", "The true scene rendered again: the ceiling of the mini world")
ORACLE_SHIFT = _family(
    "oracle-shift",
    _Amount("seconds"),
    "The true scene with every event this much later: right audio, wrong time",
    _shift,
)
ORACLE_TIMBRE = _family(
    "oracle-timbre",
    _Amount("distance", 0.0),
    "The true scene with a timbre at this distance: right time, another object",
    _change_timbre,
)
ORACLE_CLASS = _family(
    "oracle-class",
    _Amount("share", 0.0),
    "The true events, in this share of the clips on another material: right time, wrong class",
    _change_class,
)
ORACLE_NOISE = _family(
    "oracle-noise",
    _Amount("decibels"),
    "The true audio with white noise of this level relative to its own",
    corrupt_audio=_add_noise,
)
ORACLE_LOWPASS = _family(
    "oracle-lowpass",
    _Amount("hertz", 0.0),
    "The true audio without frequencies above this one",
    corrupt_audio=_low_pass,
)
ORACLE_GAIN = _family(
    "oracle-gain",
    _Amount("decibels"),
    "The true audio louder, or quieter, by this gain",
    corrupt_audio=_apply_gain,
)
ORACLE_CUT = _family(
    "oracle-cut",
    _Amount("seconds", 0.0),
    "The true audio with its last seconds silent: too short",
    corrupt_audio=_silence_end,
)
ORACLE_SPEED = _family(
    "oracle-speed",
    _Amount("percent"),
    "The true audio played at a sample rate that is this much too high",
    corrupt_audio=_speed_up,
)
