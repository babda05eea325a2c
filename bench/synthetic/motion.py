"""How agents move: the one account of time that both the picture and the sound follow.

All functions are of the events of a scene and a time in seconds; a time between frames is as good
as any. Heights and positions are in [0, 1], 0 being contact or the start of a stroke.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.seeds import stable_seed
from bench.synthetic.rhythm import Event
from bench.types import FloatArray

BLOW_S = 0.16
RECOIL_S = 0.22
STRIDE_S = 0.42
GRAINS_PER_S = 90.0
#: The integral of ``sqrt(u) (1 - u)`` from 0 to 1, and the value of its peak at a third.
STROKE_AREA = 4.0 / 15.0
STROKE_PEAK = (2.0 / 3.0) / 3.0**0.5


class Grains(NamedTuple):
    """Single grains of one sprinkling: landing times ``[G]``, strengths and places in [0, 1]."""

    times_s: FloatArray
    strengths: FloatArray
    places: FloatArray


def last_event(events: Sequence[Event], time_s: float) -> Event | None:
    """The latest event that has begun at ``time_s``, or None before the first."""
    place = bisect_right(events, time_s, key=lambda event: event.time_s)
    return events[place - 1] if place else None


def next_event(events: Sequence[Event], time_s: float) -> Event | None:
    """The first event that has not begun at ``time_s``, or None after the last."""
    place = bisect_right(events, time_s, key=lambda event: event.time_s)
    return events[place] if place < len(events) else None


def seconds_since(events: Sequence[Event], time_s: float) -> float:
    """Time since the latest event, infinite before the first."""
    event = last_event(events, time_s)
    return time_s - event.time_s if event else float("inf")


def lift(events: Sequence[Event], time_s: float) -> float:
    """Height of an agent that strikes: 0 at every event, at most the strength of the next one.

    It recoils fast and slows, waits, and falls ever faster, so that the path has its one sharp
    corner at the contact. Neighbours too near for both share the gap.
    """
    before, after = last_event(events, time_s), next_event(events, time_s)
    height = (after or before or Event(0.0, 1.0, 0.0, 0)).strength
    if before and after:
        share = min(1.0, (after.time_s - before.time_s) / (BLOW_S + RECOIL_S))
    else:
        share = 1.0
    risen = fallen = 1.0
    if before:
        risen = min(1.0, (time_s - before.time_s) / (RECOIL_S * share))
    if after:
        fallen = min(1.0, (after.time_s - time_s) / (BLOW_S * share))
    return height * (1.0 - (1.0 - risen) ** 2) * (1.0 - (1.0 - fallen) ** 2)


def stride(events: Sequence[Event], time_s: float) -> float:
    """Height of a foot: it stays down after its event and is lifted shortly before the next."""
    before, after = last_event(events, time_s), next_event(events, time_s)
    if after is None:
        return 0.0
    stride_s = min(STRIDE_S, after.time_s - before.time_s) if before else STRIDE_S
    done = max(0.0, 1.0 - (after.time_s - time_s) / stride_s)
    rise, fall = min(1.0, done / 0.6), max(0.0, (done - 0.6) / 0.4)
    return after.strength * (1.0 - (1.0 - rise) ** 2) * (1.0 - fall**2)


def swing(events: Sequence[Event], time_s: float) -> float:
    """Place of something shaken, in [-1, 1]: it turns back sharply at every event.

    It leaves the turn fast, comes to rest in the middle, and rushes to the next turn, on the other
    side for events of odd number.
    """
    before, after = last_event(events, time_s), next_event(events, time_s)
    leaving = arriving = 0.0
    if before:
        gone = min(1.0, (time_s - before.time_s) / RECOIL_S)
        leaving = _side(before) * before.strength * (1.0 - gone) ** 2
    if after:
        left = min(1.0, (after.time_s - time_s) / BLOW_S)
        arriving = _side(after) * after.strength * (1.0 - left) ** 2
    return leaving + arriving


def stroke_speed(progress: FloatArray) -> FloatArray:
    """Speed at ``progress`` in [0, 1] of a stroke: it starts at once, peaks at a third at 1.0."""
    inside = np.clip(progress, 0.0, 1.0)
    return np.sqrt(inside) * (1.0 - inside) / STROKE_PEAK


def stroke_place(events: Sequence[Event], time_s: float) -> float:
    """Place in [0, 1] of an agent that goes to and fro: the integral of ``stroke_speed``."""
    event = last_event(events, time_s)
    if event is None:
        following = next_event(events, time_s)
        return float(following.number % 2) if following else 0.0
    progress = min(1.0, (time_s - event.time_s) / event.duration_s)
    done = (progress**1.5 / 1.5 - progress**2.5 / 2.5) / STROKE_AREA
    return float(1.0 - done if event.number % 2 else done)


def grains(name: str, event: Event) -> Grains:
    """The grains of one sprinkling of the clip ``name``; their rate follows ``stroke_speed``.

    The first lands with the event, so that its time is exact.
    """
    rng = np.random.default_rng(stable_seed("grains", name, event.number))
    n_grains = max(4, round(GRAINS_PER_S * event.duration_s))
    grid = np.linspace(0.0, 1.0, 513)
    share = np.cumsum(stroke_speed(grid))
    progress = np.interp(np.sort(rng.uniform(0.0, share[-1], n_grains)), share, grid)
    progress[0] = 0.0
    return Grains(
        event.time_s + progress * event.duration_s,
        event.strength * rng.uniform(0.35, 1.0, n_grains),
        rng.uniform(0.0, 1.0, n_grains),
    )


def _side(event: Event) -> float:
    return -1.0 if event.number % 2 else 1.0
