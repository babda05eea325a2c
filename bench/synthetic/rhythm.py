"""Event times of a scene, irregular by design.

A synchronisation classifier has to distinguish an offset of 0.2 s from one of 0.4 s. In a periodic
clip both can match, so gaps vary within a clip by far more than that. An onset detector has to
separate neighbours, so impacts are at least 0.12 s apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.synthetic.actions import Action, Range, Rhythm

FIRST_S: Range = (0.22, 0.6)
LAST_BEFORE_END_S = 0.2
STRENGTHS: Range = (0.5, 1.0)
#: A stroke of this duration has strength 1; longer ones are slower over the same distance.
FASTEST_STROKE_S = 0.28
#: A ball stops here; shorter flights would put impacts closer than the 0.12 s above.
SMALLEST_BOUNCE_S = 0.14
#: Flight after a bounce of strength 1. Speed at take-off v and time of flight 2 v / g are
#: proportional, so the strength of a bounce is the flight after it over this one.
LONGEST_FLIGHT_S = 0.74


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


def sample_events(action: Action, seconds: float, rng: np.random.Generator) -> tuple[Event, ...]:
    """Sample events of ``action`` in a clip of ``seconds``, sorted by time, at least one."""
    sample_group = (
        _bounces if action.name == "bouncing" else _strokes if action.is_stroke else _hits
    )
    return _fill(action.rhythm, seconds, rng, sample_group)


Group = list[tuple[float, float, float]]
SampleGroup = Callable[[Rhythm, float, np.random.Generator], Group]


def _fill(
    rhythm: Rhythm, seconds: float, rng: np.random.Generator, sample_group: SampleGroup
) -> tuple[Event, ...]:
    """Append groups of (time, strength, duration) up to the end of the clip."""
    found: Group = []
    start_s = float(rng.uniform(*FIRST_S))
    end_s = seconds - LAST_BEFORE_END_S
    while start_s < end_s:
        found += sample_group(rhythm, start_s, rng)
        start_s = found[-1][0] + found[-1][2] + float(rng.uniform(*rhythm.rest_s))
    return tuple(
        Event(time_s, strength, duration_s, number)
        for number, (time_s, strength, duration_s) in enumerate(found)
        if time_s + duration_s <= end_s
    )


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
    restitution = float(rng.uniform(0.66, 0.82))
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
        group.append((start_s, min(1.0, FASTEST_STROKE_S / duration_s), duration_s))
        start_s += duration_s + float(rng.uniform(*rhythm.gap_s))
    return group
