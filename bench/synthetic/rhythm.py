"""When things happen: the events of a scene, irregular by design.

A synchronisation classifier must tell an offset of 0.2 s from one of 0.4 s, so gaps vary within a
clip by far more than that; an onset detector must part neighbours, so impacts keep 0.12 s apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.synthetic.actions import Action, Range, Rhythm

FIRST_S: Range = (0.22, 0.6)
LAST_BEFORE_END_S = 0.2
STRENGTHS: Range = (0.5, 1.0)
FASTEST_STROKE_S = 0.28
SMALLEST_BOUNCE_S = 0.14
#: The flight that follows a bounce of strength 1; flights are as long as the bounce was strong.
LONGEST_FLIGHT_S = 0.74


@dataclass(frozen=True)
class Event:
    """One contact: ``strength`` in (0, 1], ``duration_s`` 0 for an impact.

    ``number`` counts the events of the untouched clip; it chooses the hand, the direction and the
    grain of the noise, and so stays with the event when the event is moved.
    """

    time_s: float
    strength: float
    duration_s: float
    number: int


def draw_events(action: Action, seconds: float, rng: np.random.Generator) -> tuple[Event, ...]:
    """Events of ``action`` in a clip of ``seconds``, in order of time, at least one."""
    draw_group = _bounces if action.name == "bouncing" else _strokes if action.is_stroke else _hits
    return _fill(action.rhythm, seconds, rng, draw_group)


Group = list[tuple[float, float, float]]
DrawGroup = Callable[[Rhythm, float, np.random.Generator], Group]


def _fill(
    rhythm: Rhythm, seconds: float, rng: np.random.Generator, draw_group: DrawGroup
) -> tuple[Event, ...]:
    """Groups (time, strength, duration) one after the other, up to the end of the clip."""
    found: Group = []
    start_s = float(rng.uniform(*FIRST_S))
    end_s = seconds - LAST_BEFORE_END_S
    while start_s < end_s:
        found += draw_group(rhythm, start_s, rng)
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
    """A dropped ball: every interval and every speed is the last one times the restitution."""
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
