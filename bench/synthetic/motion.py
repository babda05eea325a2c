"""Motion of agents: the one time axis that both video and audio follow.

All functions take the events of a scene and a time in seconds, which need not be that of a frame.
Heights and positions are in [0, 1]; 0 is contact, or the start of a stroke.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.seeds import stable_seed
from bench.synthetic.scene import Event
from bench.types import FloatArray

#: Durations of the approach to an impact and of the recoil from it: 4 and 5.5 frames at 25 fps,
#: enough to see an impact coming.
APPROACH_S = 0.16
RECOIL_S = 0.22
STRIDE_S = 0.42
GRAINS_PER_S = 90.0
#: The integral of ``sqrt(u) (1 - u)`` from 0 to 1, and the value of its peak at a third.
STROKE_AREA = 4.0 / 15.0
STROKE_PEAK = (2.0 / 3.0) / 3.0**0.5


class Grains(NamedTuple):
    """G grains: landing times in s, strengths in (0, 1], positions in [0, 1], each ``[G]``."""

    times_s: FloatArray
    strengths: FloatArray
    positions: FloatArray


def last_event(events: Sequence[Event], time_s: float) -> Event | None:
    """The latest event that has begun at ``time_s``, or None before the first."""
    index = bisect_right(events, time_s, key=lambda event: event.time_s)
    return events[index - 1] if index else None


def next_event(events: Sequence[Event], time_s: float) -> Event | None:
    """The first event that has not begun at ``time_s``, or None after the last."""
    index = bisect_right(events, time_s, key=lambda event: event.time_s)
    return events[index] if index < len(events) else None


def seconds_since(events: Sequence[Event], time_s: float) -> float:
    """Time since the latest event, infinite before the first."""
    event = last_event(events, time_s)
    return time_s - event.time_s if event else float("inf")


def striker_height(events: Sequence[Event], time_s: float) -> float:
    """Height of an agent that strikes: 0 at every event, at most the strength of the next one.

    ``h (1 - (1 - r)^2) (1 - (1 - a)^2)`` with r the part of the recoil that is done and a the part
    of the approach still to come. The agent leaves contact fast and slows down, waits, and
    accelerates to the next contact: the path has one sharp corner, at the contact, which is what a
    synchronisation network can find. Events that are closer than recoil and approach together
    compress both in proportion.
    """
    before, after = last_event(events, time_s), next_event(events, time_s)
    height = (after or before or Event(0.0, 1.0, 0.0, 0)).strength
    if before and after:
        share = min(1.0, (after.time_s - before.time_s) / (APPROACH_S + RECOIL_S))
    else:
        share = 1.0
    risen = fallen = 1.0
    if before:
        risen = min(1.0, (time_s - before.time_s) / (RECOIL_S * share))
    if after:
        fallen = min(1.0, (after.time_s - time_s) / (APPROACH_S * share))
    return height * (1.0 - (1.0 - risen) ** 2) * (1.0 - (1.0 - fallen) ** 2)


def foot_height(events: Sequence[Event], time_s: float) -> float:
    """Height of a foot: it stays down after its event and is lifted shortly before the next."""
    before, after = last_event(events, time_s), next_event(events, time_s)
    if after is None:
        return 0.0
    stride_s = min(STRIDE_S, after.time_s - before.time_s) if before else STRIDE_S
    done = max(0.0, 1.0 - (after.time_s - time_s) / stride_s)
    rise, fall = min(1.0, done / 0.6), max(0.0, (done - 0.6) / 0.4)
    return after.strength * (1.0 - (1.0 - rise) ** 2) * (1.0 - fall**2)


def swing_position(events: Sequence[Event], time_s: float) -> float:
    """Position of something shaken, in [-1, 1]: it reverses abruptly at every event.

    Fast away from the reversal, at rest in the middle, and accelerating to the next reversal, which
    is on the other side for events of odd number.
    """
    before, after = last_event(events, time_s), next_event(events, time_s)
    leaving = arriving = 0.0
    if before:
        gone = min(1.0, (time_s - before.time_s) / RECOIL_S)
        leaving = _side(before) * before.strength * (1.0 - gone) ** 2
    if after:
        left = min(1.0, (after.time_s - time_s) / APPROACH_S)
        arriving = _side(after) * after.strength * (1.0 - left) ** 2
    return leaving + arriving


def stroke_speed(progress: FloatArray) -> FloatArray:
    """Speed at ``progress`` u in [0, 1] of a stroke: ``sqrt(u) (1 - u)``, scaled to a peak of 1.

    The square root has an infinite slope at 0: a stroke starts abruptly, which gives it an onset.
    The peak is at a third.
    """
    inside = np.clip(progress, 0.0, 1.0)
    return np.sqrt(inside) * (1.0 - inside) / STROKE_PEAK


def stroke_position(events: Sequence[Event], time_s: float) -> float:
    """Position in [0, 1] of an agent that goes to and fro: the integral of ``stroke_speed``.

    The integral of ``sqrt(u) (1 - u)`` is ``u^1.5 / 1.5 - u^2.5 / 2.5``. Events of odd number run
    backwards.
    """
    event = last_event(events, time_s)
    if event is None:
        following = next_event(events, time_s)
        return float(following.number % 2) if following else 0.0
    progress = min(1.0, (time_s - event.time_s) / event.duration_s)
    done = (progress**1.5 / 1.5 - progress**2.5 / 2.5) / STROKE_AREA
    return float(1.0 - done if event.number % 2 else done)


def sample_grains(name: str, event: Event) -> Grains:
    """Sample the grains of one sprinkling of the clip ``name``.

    Their rate follows ``stroke_speed``. The first lands at the time of the event, so that the onset
    is exact.
    """
    rng = np.random.default_rng(stable_seed("grains", name, event.number))
    n_grains = max(4, round(GRAINS_PER_S * event.duration_s))
    # Uniform numbers through the inverse of the cumulative rate have the density of the rate.
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
