"""Animations: one per action, an agent that touches its object at the times of the events.

An animation paints one frame, of a scene and a time, on a canvas with the background. Agents that
make impacts touch their object exactly at the time of an event; the visible speed of a stroke is
the loudness of its audio. All coordinates are in scene units.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import atan2, cos, hypot, sin

import numpy as np

from bench.synthetic.canvas import (
    DARK,
    GRAIN,
    SCENE_SIDE,
    SKIN,
    STEEL,
    WATER,
    Canvas,
    ScenePainter,
    box,
    capsule,
    disc,
    toothed,
)
from bench.synthetic.motion import (
    foot_height,
    last_event,
    next_event,
    seconds_since,
    striker_height,
    stroke_position,
    stroke_speed,
    swing_position,
)
from bench.synthetic.scene import LONGEST_FLIGHT_S, Event

BALL_RADIUS = 9.0
#: In scene units per second squared. A flight of duration T rises by g T^2 / 8, so that the longest
#: one rises by 60 units.
GRAVITY = 8.0 * 60.0 / LONGEST_FLIGHT_S**2
#: Speed at the first contact: high enough for the ball to come from above the frame.
ENTRY_SPEED = 480.0
DROP_FALL_S = 0.34
DROP_GROWTH_S = 0.25
GRAIN_FALL_S = 0.24
GRAIN_LEAP_S = 0.16


def striking(painter: ScenePainter, canvas: Canvas, time_s: float) -> None:
    """A mallet rotates about a fist and falls on a bar."""
    fist, head, radius = (106.0, 54.0), (58.0, 68.0), 8.0
    length = hypot(head[0] - fist[0], head[1] - fist[1])
    contact_turn = atan2(head[1] - fist[1], head[0] - fist[0])
    for x in (40.0, 88.0):
        canvas.paint(box((x, 101.0), (5.0, 8.0)), DARK)
    painter.paint_slab(canvas, time_s, (64.0, 86.0), (42.0, 10.0))
    # The mallet is raised by up to 60 degrees from its position at contact.
    turn = contact_turn + 1.05 * striker_height(painter.events, time_s)
    tip = fist[0] + length * cos(turn), fist[1] + length * sin(turn)
    canvas.paint(capsule(fist, tip, 2.2), (150.0, 110.0, 70.0))
    canvas.paint(box(tip, (10.0, radius), 4.0, turn - contact_turn), painter.agent)
    painter.paint_hand(canvas, *fist)
    painter.paint_flash(canvas, time_s, head[0], 76.0)


def bouncing(painter: ScenePainter, canvas: Canvas, time_s: float) -> None:
    """Balls fall on a slab, bounce lower and lower, and leave it over the edge."""
    balls = _group_by_ball(painter.events)
    painter.paint_slab(canvas, time_s, (64.0, 106.0), (48.0, 10.0))
    for events in balls:
        centre = _find_ball(events, time_s)
        if centre is not None and centre[1] < SCENE_SIDE + 20.0:
            x, y = centre
            canvas.paint(disc(x, y, BALL_RADIUS), painter.agent)
            canvas.paint(disc(x - 2.5, y - 3.0, 2.5), (255.0, 255.0, 255.0), 0.6)
    event = last_event(painter.events, time_s)
    for events in balls:
        if event in events:
            painter.paint_flash(canvas, time_s, _find_ball_x(events, event.time_s), 96.0)


def stepping(painter: ScenePainter, canvas: Canvas, time_s: float) -> None:
    """Two legs walk on the spot, left and right in turn."""
    sides = [tuple(e for e in painter.events if e.number % 2 == side) for side in (0, 1)]
    painter.paint_slab(canvas, time_s, (64.0, 112.0), (60.0, 18.0))
    for x, events in zip((44.0, 82.0), sides, strict=True):
        height = 36.0 * foot_height(events, time_s)
        # Hip and knee are above the ankle; the knee rises by less, so that the leg bends.
        ankle = x, 84.0 - height
        knee = x - 4.0 - 0.4 * height, 52.0 - 0.65 * height
        canvas.paint(capsule((x + 4.0, 6.0), knee, 8.0), painter.agent)
        canvas.paint(capsule(knee, ankle, 6.5), painter.agent)
        foot = x - 5.0, 88.5 - height
        canvas.paint(box(foot, (14.0, 5.5), 4.0, -0.014 * height), DARK)
    event = last_event(painter.events, time_s)
    painter.paint_flash(canvas, time_s, 61.0 if event and event.number % 2 else 23.0, 95.0)


def dripping(painter: ScenePainter, canvas: Canvas, time_s: float) -> None:
    """Drops swell at a tap, fall, and splash on a plate."""
    mouth, surface = 24.0, 90.0
    painter.paint_slab(canvas, time_s, (64.0, 99.0), (38.0, 9.0))
    for event in painter.events:
        remaining_s = event.time_s - time_s
        radius = 4.5 + 3.5 * event.strength
        # A drop grows at the tap first; then it falls with constant acceleration, and
        # stretches as it gains speed.
        if 0.0 <= remaining_s < DROP_FALL_S:
            fallen = (1.0 - remaining_s / DROP_FALL_S) ** 2
            y = mouth + (surface - radius - mouth) * fallen
            canvas.paint(capsule((64.0, y - 2.0 - 8.0 * fallen), (64.0, y), 0.8 * radius), WATER)
        elif DROP_FALL_S <= remaining_s < DROP_FALL_S + DROP_GROWTH_S:
            growth = 1.0 - (remaining_s - DROP_FALL_S) / DROP_GROWTH_S
            canvas.paint(disc(64.0, mouth, radius * growth), WATER)
    canvas.paint(box((64.0, 8.0), (7.0, 14.0)), STEEL)
    canvas.paint(box((64.0, 20.0), (9.0, 3.0), 1.0), STEEL)
    _paint_splash(painter, canvas, time_s, surface)


def tapping(painter: ScenePainter, canvas: Canvas, time_s: float) -> None:
    """Four fingers of a hand, one after the other, on a table top."""
    # The number of an event selects the finger, so that a shifted event keeps its finger.
    fingers = [tuple(e for e in painter.events if e.number % 4 == finger) for finger in range(4)]
    painter.paint_slab(canvas, time_s, (64.0, 105.0), (56.0, 13.0))
    canvas.paint(capsule((104.0, 50.0), (136.0, 42.0), 15.0), painter.agent)
    for finger, events in enumerate(fingers):
        height = 26.0 * striker_height(events, time_s) if events else 14.0
        tip = 28.0 + 17.0 * finger, 86.5 - height
        joint = tip[0] + 16.0 - 2.0 * finger, 58.0 - 0.45 * height
        canvas.paint(capsule((98.0, 52.0), joint, 6.5), SKIN)
        canvas.paint(capsule(joint, tip, 5.5), SKIN)
    painter.paint_hand(canvas, 98.0, 52.0, 14.0)
    event = last_event(painter.events, time_s)
    painter.paint_flash(canvas, time_s, 28.0 + 17.0 * (event.number % 4 if event else 0), 92.0)


def shaking(painter: ScenePainter, canvas: Canvas, time_s: float) -> None:
    """A rattle swings about a fist and reverses where its beads strike."""
    fist, length = (64.0, 112.0), 58.0
    turn = 0.85 * swing_position(painter.events, time_s)
    x, y = fist[0] + length * sin(turn), fist[1] - length * cos(turn)
    canvas.paint(capsule(fist, (x, y), 3.5), (150.0, 110.0, 70.0))
    canvas.paint(box((x, y), (19.0, 24.0), 12.0, turn), painter.texture(x, y))
    canvas.paint(box((x, y), (19.0, 3.5), 2.0, turn), painter.agent)
    painter.paint_hand(canvas, fist[0], fist[1] - 6.0, 10.0)
    event = last_event(painter.events, time_s)
    side = -1.0 if event and event.number % 2 else 1.0
    painter.paint_flash(canvas, time_s, 64.0 + 50.0 * side, 46.0)


def clapping(painter: ScenePainter, canvas: Canvas, time_s: float) -> None:
    """Two blocks in two fists meet in the middle."""
    gap = 26.0 * striker_height(painter.events, time_s)
    for side in (-1.0, 1.0):
        x = 64.0 + side * (12.0 + gap)
        arm = (x + side * 18.0, 70.0), (x + side * 80.0, 92.0)
        canvas.paint(capsule(*arm, 8.0), painter.agent)
        painter.paint_hand(canvas, x + side * 12.0, 68.0, 10.0)
        canvas.paint(box((x, 66.0), (12.0, 24.0), 3.0), painter.texture(x, 0.0))
    painter.paint_flash(canvas, time_s, 64.0, 42.0)


def scraping(painter: ScenePainter, canvas: Canvas, time_s: float) -> None:
    """A rod is pulled to and fro over a slab."""
    canvas.paint(box((64.0, 102.0), (56.0, 12.0), 3.0), painter.texture())
    tip = 18.0 + 82.0 * stroke_position(painter.events, time_s), 88.0
    top = tip[0] + 16.0, 34.0
    canvas.paint(capsule(tip, top, 3.0), painter.agent)
    painter.paint_hand(canvas, top[0], top[1] + 6.0, 11.0)
    strength = _find_speed(painter, time_s)
    if strength > 0.05:
        canvas.paint(disc(tip[0], tip[1] + 1.0, 2.0 + 3.0 * strength), (255.0, 240.0, 190.0), 0.7)


def sawing(painter: ScenePainter, canvas: Canvas, time_s: float) -> None:
    """A saw runs to and fro in a block."""
    canvas.paint(box((64.0, 98.0), (28.0, 26.0), 3.0), painter.texture())
    x = 40.0 + 36.0 * stroke_position(painter.events, time_s)
    canvas.paint(toothed((x, 74.0), (38.0, 12.0), 7.0, 5.0), STEEL)
    canvas.paint(box((x + 38.0, 70.0), (9.0, 15.0), 5.0), painter.agent)
    canvas.paint(box((x + 38.0, 70.0), (3.5, 7.0), 3.0), DARK)


def sprinkling(painter: ScenePainter, canvas: Canvas, time_s: float) -> None:
    """A jar tips and lets grains fall on a slab; each one lands at its time in the audio."""
    times_s, positions = painter.grains
    canvas.paint(box((64.0, 104.0), (50.0, 12.0), 3.0), painter.texture())
    # Grains land GRAIN_FALL_S after they leave the jar, so the jar is ahead of the audio.
    tilt = 1.9 * min(1.0, 1.5 * max(_find_speed(painter, time_s + GRAIN_FALL_S), 0.0))
    near = (times_s - time_s < GRAIN_FALL_S) & (time_s - times_s < GRAIN_LEAP_S)
    for remaining_s, position in zip(times_s[near] - time_s, positions[near], strict=True):
        x, y = _find_grain(float(remaining_s), float(position))
        canvas.paint(disc(x, y, 2.3), GRAIN)
    canvas.paint(box((76.0, 22.0), (9.0, 15.0), 3.0, -tilt), painter.agent)
    painter.paint_hand(canvas, 86.0, 20.0)


def _group_by_ball(events: tuple[Event, ...]) -> list[tuple[Event, ...]]:
    """Group the events by ball: one follows another where the flight of the first ends.

    A flight that does not end at the next event, within 1 ms, is that of a ball that leaves the
    slab.
    """
    starts = [0]
    for number, (before, after) in enumerate(pairwise(events), start=1):
        flight_s = before.strength * LONGEST_FLIGHT_S
        if abs(after.time_s - before.time_s - flight_s) > 1e-3:
            starts.append(number)
    return [events[a:b] for a, b in pairwise([*starts, len(events)])] if events else []


def _find_ball(events: tuple[Event, ...], time_s: float) -> tuple[float, float] | None:
    """Centre (x, y) of a ball, or None before it enters the frame.

    Between impacts the height is the parabola ``g t (T - t) / 2`` of a flight of duration T.
    """
    remaining_s = events[0].time_s - time_s
    if remaining_s > 0.5:
        return None
    x, y = _find_ball_x(events, time_s), 96.0 - BALL_RADIUS
    before, after = last_event(events, time_s), next_event(events, time_s)
    if before is None:
        return x, y - remaining_s * (ENTRY_SPEED - 0.5 * GRAVITY * remaining_s)
    since = time_s - before.time_s
    flight_s = after.time_s - before.time_s if after else before.strength * LONGEST_FLIGHT_S
    return x, y - 0.5 * GRAVITY * since * (flight_s - since)


def _find_ball_x(events: tuple[Event, ...], time_s: float) -> float:
    """The x coordinate of a ball: constant speed, past the edge of the slab in its last flight."""
    last = events[-1]
    speed = 60.0 / (last.time_s - events[0].time_s + 0.6)
    edge_s = last.time_s + 0.5 * last.strength * LONGEST_FLIGHT_S
    return 114.0 + speed * (time_s - edge_s)


def _paint_splash(painter: ScenePainter, canvas: Canvas, time_s: float, surface: float) -> None:
    """Paint droplets that leap aside and a ring that widens."""
    event = last_event(painter.events, time_s)
    since = seconds_since(painter.events, time_s) / 0.26
    if event is None or since >= 1.0:
        return
    for reach in (-24.0, -11.0, 11.0, 24.0):
        x = 64.0 + reach * since * (0.5 + 0.5 * event.strength)
        y = surface - 60.0 * event.strength * since * (1.0 - since)
        canvas.paint(disc(x, y, 3.4 * (1.0 - 0.6 * since)), WATER)
    ripple = box((64.0, surface + 2.0), (4.0 + 30.0 * since, 2.4), 1.0)
    canvas.paint(ripple, WATER, 1.0 - since)


def _find_grain(remaining_s: float, position: float) -> tuple[float, float]:
    """Position (x, y) of a grain: falling, or leaping aside once it has landed."""
    landing = 24.0 + 80.0 * position
    if remaining_s >= 0.0:
        fallen = 1.0 - remaining_s / GRAIN_FALL_S
        return 62.0 + (landing - 62.0) * fallen, 34.0 + 56.0 * fallen**2
    leapt = -remaining_s / GRAIN_LEAP_S
    return landing + 8.0 * (position - 0.5) * leapt, 90.0 - 28.0 * leapt * (1.0 - leapt)


def _find_speed(painter: ScenePainter, time_s: float) -> float:
    """Speed of the stroke at a time, as in the audio; 0 between strokes."""
    event = last_event(painter.events, time_s)
    if event is None:
        return 0.0
    progress = np.array((time_s - event.time_s) / event.duration_s)
    return event.strength * float(stroke_speed(progress))


#: By the name of the action.
ANIMATIONS: dict[str, Callable[[ScenePainter, Canvas, float], None]] = {
    animation.__name__: animation
    for animation in (
        striking,
        bouncing,
        stepping,
        dripping,
        tapping,
        shaking,
        clapping,
        scraping,
        sawing,
        sprinkling,
    )
}
