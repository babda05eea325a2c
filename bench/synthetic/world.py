"""The mini world: scenes whose truth is known to the last number.

A picture shows when something happens and roughly what; the timbre is hidden. It holds for a whole
clip, so that only a sound of the same clip tells exactly which object is heard. A scene is a pure
function of the name of its split and its index, and is the truth of its clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, fields
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.io import require_safe_name
from bench.seeds import stable_seed
from bench.synthetic.actions import ACTIONS
from bench.synthetic.materials import MATERIALS
from bench.synthetic.rhythm import Event, draw_events
from bench.types import FloatArray

#: Raised whenever a scene, its sound or its picture changes: clips of two versions do not mix.
WORLD_VERSION = 1
SECONDS = 10.0
FPS = 25

#: Every (action, material), in the order in which indices go through them.
CLASSES: tuple[tuple[str, str], ...] = tuple(
    (action, tuple(MATERIALS)[(block + number) % len(MATERIALS)])
    for block in range(len(MATERIALS))
    for number, action in enumerate(ACTIONS)
)


@dataclass(frozen=True)
class Timbre:
    """What is heard and not seen: coordinates in [0, 1] within the ranges of the material."""

    pitch: float
    inharmonicity: float
    sustain: float
    damping: float
    brightness: float
    noise: float
    position: float
    room_size: float
    room_wetness: float

    def vector(self) -> FloatArray:
        """The coordinates in the order of their declaration, ``[K]`` float64 in [0, 1]."""
        return np.array(astuple(self), dtype=np.float64)


@dataclass(frozen=True)
class Look:
    """What is seen and not heard: coordinates in [0, 1] of hues, place, size, light and grain."""

    wall_hue: float
    wall_value: float
    agent_hue: float
    tint: float
    shift_x: float
    shift_y: float
    zoom: float
    light: float
    grain: float
    is_mirrored: bool


@dataclass(frozen=True)
class Scene:
    """One clip before it is rendered; events are in order of time."""

    name: str
    split: str
    index: int
    seconds: float
    fps: int
    action: str
    material: str
    events: tuple[Event, ...]
    timbre: Timbre
    look: Look


def make_scene(split: str, index: int, seconds: float = SECONDS) -> Scene:
    """The scene ``<split>_<index, six digits>``, the same on every machine.

    Indices go through ``CLASSES`` in turn, so that 60 neighbours hold every class once and 10
    neighbours every action. Raises BenchError for an index outside 0 to 999,999.
    """
    if not 0 <= index <= 999_999:
        raise BenchError(
            f"the scene index is {index}, expected 0 to 999,999 (six digits in a name)"
        )
    rng = np.random.default_rng(stable_seed("mini scene", split, index))
    action, material = CLASSES[index % len(CLASSES)]
    return Scene(
        name=f"{require_safe_name(split)}_{index:06d}",
        split=split,
        index=index,
        seconds=seconds,
        fps=FPS,
        action=action,
        material=material,
        events=draw_events(ACTIONS[action], seconds, rng),
        timbre=draw_timbre(rng),
        look=_draw_look(rng),
    )


def draw_timbre(rng: np.random.Generator) -> Timbre:
    """A timbre spread evenly over the ranges of its material."""
    return Timbre(*(float(value) for value in rng.uniform(0.0, 1.0, len(fields(Timbre)))))


def label(scene: Scene) -> str:
    """The prompt of a scene in plain words, as in "striking metal with a mallet"."""
    return ACTIONS[scene.action].words.format(scene.material)


def scene_to_truth(scene: Scene) -> dict[str, Any]:
    """The scene as JSON values; ``scene_from_truth`` gives back an equal scene."""
    return {**asdict(scene), "events": [asdict(event) for event in scene.events]}


def scene_from_truth(truth: Mapping[str, Any]) -> Scene:
    """The scene that ``scene_to_truth`` wrote; BenchError where a field is missing or unknown."""
    try:
        return Scene(
            **{
                **truth,
                "events": tuple(Event(**event) for event in truth["events"]),
                "timbre": Timbre(**truth["timbre"]),
                "look": Look(**truth["look"]),
            }
        )
    except (KeyError, TypeError) as error:
        raise BenchError(
            f"the truth of {truth.get('name', 'a mini clip')!r} is not a scene of world version "
            f"{WORLD_VERSION} ({error}): run `bench data prepare mini`"
        ) from error


def _draw_look(rng: np.random.Generator) -> Look:
    names = [field.name for field in fields(Look) if field.name != "is_mirrored"]
    numbers = rng.uniform(0.0, 1.0, len(names)).tolist()
    return Look(**dict(zip(names, numbers, strict=True)), is_mirrored=bool(rng.integers(2)))
