"""Scenes of the mini world: the exact ground truth of a clip.

The video shows when something happens and roughly what; the timbre is hidden. It is constant over a
clip, so that only reference audio of the same clip determines exactly which object it is. A scene
is a pure function of the name of its split and its index, and is the ground truth of its clip.
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
from bench.synthetic.rhythm import Event, sample_events
from bench.types import FloatArray

#: Raised whenever a scene, its audio or its video changes: clips of two versions do not mix.
WORLD_VERSION = 1
SECONDS = 10.0
FPS = 25

#: Every (action, material) in the order of the indices. Material advances by one per action and per
#: block of ten, so that any 10 neighbours hold every action, and all 6 materials.
CLASSES: tuple[tuple[str, str], ...] = tuple(
    (action, tuple(MATERIALS)[(block + number) % len(MATERIALS)])
    for block in range(len(MATERIALS))
    for number, action in enumerate(ACTIONS)
)


@dataclass(frozen=True)
class Timbre:
    """Hidden parameters of the audio, which the video does not show.

    Coordinates in [0, 1] within the ranges of the material.
    """

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
        """The coordinates in the order of their declaration, ``[9]`` float64 in [0, 1]."""
        return np.array(astuple(self), dtype=np.float64)


@dataclass(frozen=True)
class Look:
    """Nuisance parameters of the video, which the audio does not depend on.

    Coordinates in [0, 1] of hues, camera position, size, light and grain.
    """

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
    """One clip before it is rendered; events are sorted by time, fps is frames per second."""

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
    """Make the scene ``<split>_<index, six digits>``, the same on every machine.

    Indices go through ``CLASSES`` in turn, so that 60 neighbours hold every class once and 10
    neighbours every action. Raises BenchError for an index outside 0 to 999,999.
    """
    if not 0 <= index <= 999_999:
        raise BenchError(
            f"the scene index is {index}, expected 0 to 999,999 (six digits in a name)"
        )
    # Everything is drawn from one generator: a change in the order of the draws below changes every
    # scene, and raises WORLD_VERSION.
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
        events=sample_events(ACTIONS[action], seconds, rng),
        timbre=sample_timbre(rng),
        look=_sample_look(rng),
    )


def sample_timbre(rng: np.random.Generator) -> Timbre:
    """Sample a timbre uniformly over the ranges of its material."""
    return Timbre(*(float(value) for value in rng.uniform(0.0, 1.0, len(fields(Timbre)))))


def label(scene: Scene) -> str:
    """The prompt of a scene in plain words, as in "striking metal with a mallet"."""
    return ACTIONS[scene.action].words.format(scene.material)


def scene_to_truth(scene: Scene) -> dict[str, Any]:
    """Convert the scene to JSON values; ``scene_from_truth`` returns an equal scene."""
    return {**asdict(scene), "events": [asdict(event) for event in scene.events]}


def scene_from_truth(truth: Mapping[str, Any]) -> Scene:
    """Read the scene that ``scene_to_truth`` wrote.

    Raises:
        BenchError: a field is missing or unknown.
    """
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


def _sample_look(rng: np.random.Generator) -> Look:
    names = [field.name for field in fields(Look) if field.name != "is_mirrored"]
    numbers = rng.uniform(0.0, 1.0, len(names)).tolist()
    return Look(**dict(zip(names, numbers, strict=True)), is_mirrored=bool(rng.integers(2)))
