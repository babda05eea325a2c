"""Scenes of the mini world: the exact ground truth of a clip, irregular event times included.

The video shows when something happens and roughly what; the timbre is hidden. It is constant over a
clip, so that only reference audio of the same clip determines exactly which object it is. A scene
is a pure function of the name of its split and its index, and is the ground truth of its clip.

Event times are irregular by design. A synchronisation classifier has to distinguish an offset of
0.2 s from one of 0.4 s. In a periodic clip both can match, so gaps vary within a clip by far more
than that. An onset detector has to separate neighbours, so impacts are at least 0.12 s apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.io import require_safe_name
from bench.seeds import stable_seed
from bench.synthetic.actions import ACTIONS, Action, Range, Rhythm
from bench.synthetic.materials import MATERIALS
from bench.types import FloatArray

#: Raised whenever a scene, its audio or its video changes: clips of two versions do not mix.
WORLD_VERSION = 1
SECONDS = 10.0
FPS = 25

FIRST_EVENT_S: Range = (0.22, 0.6)
LAST_BEFORE_END_S = 0.2
STRENGTHS: Range = (0.5, 1.0)
#: A stroke of this duration has strength 1; longer ones are slower over the same distance.
FASTEST_STROKE_S = 0.28
RESTITUTION: Range = (0.66, 0.82)
#: A ball stops here; shorter flights would put impacts closer than the 0.12 s above.
SMALLEST_BOUNCE_S = 0.14
#: Flight after a bounce of strength 1. Speed at take-off v and time of flight 2 v / g are
#: proportional, so the strength of a bounce is the flight after it over this one.
LONGEST_FLIGHT_S = 0.74

#: Every (action, material) in the order of the indices. Material advances by one per action and per
#: block of ten, so that any 10 neighbours hold every action, and all 6 materials.
CLASSES: tuple[tuple[str, str], ...] = tuple(
    (action, tuple(MATERIALS)[(block + number) % len(MATERIALS)])
    for block in range(len(MATERIALS))
    for number, action in enumerate(ACTIONS)
)


@dataclass(frozen=True)
class Event:
    """One contact: ``strength`` in (0, 1], ``duration_s`` 0 for an impact.

    ``number`` counts the events of the original clip. It selects the hand, the direction and the
    seed of the noise, and so stays with the event when a corruption moves it.
    """

    time_s: float
    strength: float
    duration_s: float
    number: int


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
    events, timbre = sample_events(ACTIONS[action], seconds, rng), sample_timbre(rng)
    names = [field.name for field in fields(Look) if field.name != "is_mirrored"]
    numbers = rng.uniform(0.0, 1.0, len(names)).tolist()
    look = Look(**dict(zip(names, numbers, strict=True)), is_mirrored=bool(rng.integers(2)))
    return Scene(
        name=f"{require_safe_name(split)}_{index:06d}",
        split=split,
        index=index,
        seconds=seconds,
        fps=FPS,
        action=action,
        material=material,
        events=events,
        timbre=timbre,
        look=look,
    )


def sample_timbre(rng: np.random.Generator) -> Timbre:
    """Sample a timbre uniformly over the ranges of its material."""
    return Timbre(*(float(value) for value in rng.uniform(0.0, 1.0, len(fields(Timbre)))))


def label(scene: Scene) -> str:
    """The prompt of a scene in plain words, as in "striking metal with a mallet"."""
    return ACTIONS[scene.action].words.format(scene.material)


def scene_to_truth(scene: Scene) -> dict[str, Any]:
    """Convert the scene to JSON values; ``scene_from_truth`` returns an equal scene."""
    # Not asdict, which copies every number by itself: a run of the mini split converts 128 scenes
    # before it starts. The values here are numbers and strings.
    return {
        **vars(scene),
        "events": [dict(vars(event)) for event in scene.events],
        "timbre": dict(vars(scene.timbre)),
        "look": dict(vars(scene.look)),
    }


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


# --- Event times


def sample_events(action: Action, seconds: float, rng: np.random.Generator) -> tuple[Event, ...]:
    """Sample events of ``action`` in a clip of ``seconds``, sorted by time, at least one.

    Groups of short gaps, with longer rests between them, up to the end of the clip.
    """
    sample_group = (
        _bounces if action.name == "bouncing" else _strokes if action.is_stroke else _hits
    )
    found: Group = []
    start_s = float(rng.uniform(*FIRST_EVENT_S))
    end_s = seconds - LAST_BEFORE_END_S
    while start_s < end_s:
        found += sample_group(action.rhythm, start_s, rng)
        start_s = found[-1][0] + found[-1][2] + float(rng.uniform(*action.rhythm.rest_s))
    # The last group may exceed the clip; numbers are consecutive all the same, since times rise.
    return tuple(
        Event(time_s, strength, duration_s, number)
        for number, (time_s, strength, duration_s) in enumerate(found)
        if time_s + duration_s <= end_s
    )


#: Time, strength and duration of each event of a group.
Group = list[tuple[float, float, float]]


def _hits(rhythm: Rhythm, start_s: float, rng: np.random.Generator) -> Group:
    n_events = int(rng.integers(rhythm.group[0], rhythm.group[1] + 1))
    gaps_s = rng.uniform(*rhythm.gap_s, n_events - 1)
    times_s = start_s + np.concatenate([[0.0], np.cumsum(gaps_s)])
    strengths = rng.uniform(*STRENGTHS, n_events)
    return [(float(t), float(s), 0.0) for t, s in zip(times_s, strengths, strict=True)]


def _bounces(rhythm: Rhythm, start_s: float, rng: np.random.Generator) -> Group:
    """A dropped ball: each impact keeps the share ``restitution`` of the speed.

    So the flight times, which are proportional to the speed, form a geometric series.
    """
    restitution = float(rng.uniform(*RESTITUTION))
    n_events = int(rng.integers(rhythm.group[0], rhythm.group[1] + 1))
    flight_s = float(rng.uniform(*rhythm.gap_s))
    strength = flight_s / LONGEST_FLIGHT_S
    group: Group = []
    while len(group) < n_events and flight_s > SMALLEST_BOUNCE_S:
        group.append((start_s, strength, 0.0))
        start_s += flight_s
        flight_s *= restitution
        strength *= restitution
    return group


def _strokes(rhythm: Rhythm, start_s: float, rng: np.random.Generator) -> Group:
    group: Group = []
    for _ in range(int(rng.integers(rhythm.group[0], rhythm.group[1] + 1))):
        duration_s = float(rng.uniform(*rhythm.duration_s))
        # A stroke covers one distance whatever its duration, so that its speed falls with it.
        group.append((start_s, min(1.0, FASTEST_STROKE_S / duration_s), duration_s))
        start_s += duration_s + float(rng.uniform(*rhythm.gap_s))
    return group
