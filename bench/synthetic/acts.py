"""The picture of every impact: an agent that touches its object at the times of the events.

An act is prepared once per clip and returns the function that draws it at a time. Contact is where
``lift`` is zero, exactly at the time of an event.
"""

from __future__ import annotations

from itertools import pairwise
from math import atan2, cos, hypot, sin

from bench.synthetic.draw import STAGE, Canvas, box, capsule, disc
from bench.synthetic.motion import last_event, lift, next_event, seconds_since, stride, swing
from bench.synthetic.rhythm import LONGEST_FLIGHT_S, Event
from bench.synthetic.stage import DARK, SKIN, STEEL, WATER, Draw, Stage, dot

BALL_RADIUS = 9.0
#: Stage units per second squared: the longest flight rises by 60 units.
GRAVITY = 8.0 * 60.0 / LONGEST_FLIGHT_S**2
#: Fast enough at the first contact to have come from above the picture.
ENTRY_SPEED = 480.0
DROP_FALL_S = 0.34
DROP_GROWTH_S = 0.25


def striking(stage: Stage) -> Draw:
    """A mallet turns about a fist and falls on a bar."""
    fist, head, radius = (106.0, 54.0), (58.0, 68.0), 8.0
    length = hypot(head[0] - fist[0], head[1] - fist[1])
    contact_turn = atan2(head[1] - fist[1], head[0] - fist[0])

    def draw(canvas: Canvas, time_s: float) -> None:
        for x in (40.0, 88.0):
            canvas.paint(box((x, 101.0), (5.0, 8.0)), DARK)
        stage.slab(canvas, time_s, (64.0, 86.0), (42.0, 10.0))
        turn = contact_turn + 1.05 * lift(stage.events, time_s)
        tip = fist[0] + length * cos(turn), fist[1] + length * sin(turn)
        canvas.paint(capsule(fist, tip, 2.2), (150.0, 110.0, 70.0))
        canvas.paint(box(tip, (10.0, radius), 4.0, turn - contact_turn), stage.agent)
        stage.hand(canvas, *fist)
        stage.flash(canvas, time_s, head[0], 76.0)

    return draw


def bouncing(stage: Stage) -> Draw:
    """Balls fall on a slab, bounce lower and lower, and leave it over the edge."""
    drops = _drops(stage.events)

    def draw(canvas: Canvas, time_s: float) -> None:
        stage.slab(canvas, time_s, (64.0, 106.0), (48.0, 10.0))
        for events in drops:
            place = _ball(events, time_s)
            if place is not None and place[1] < STAGE + 20.0:
                x, y = place
                canvas.paint(disc(x, y, BALL_RADIUS), stage.agent)
                canvas.paint(disc(x - 2.5, y - 3.0, 2.5), (255.0, 255.0, 255.0), 0.6)
        event = last_event(stage.events, time_s)
        for events in drops:
            if event in events:
                stage.flash(canvas, time_s, _ball_x(events, event.time_s), 96.0)

    return draw


def stepping(stage: Stage) -> Draw:
    """Two legs walk on the spot, left and right in turn."""
    sides = [tuple(e for e in stage.events if e.number % 2 == side) for side in (0, 1)]

    def draw(canvas: Canvas, time_s: float) -> None:
        stage.slab(canvas, time_s, (64.0, 112.0), (60.0, 18.0))
        for x, events in zip((44.0, 82.0), sides, strict=True):
            height = 36.0 * stride(events, time_s)
            ankle = x, 84.0 - height
            knee = x - 4.0 - 0.4 * height, 52.0 - 0.65 * height
            canvas.paint(capsule((x + 4.0, 6.0), knee, 8.0), stage.agent)
            canvas.paint(capsule(knee, ankle, 6.5), stage.agent)
            foot = x - 5.0, 88.5 - height
            canvas.paint(box(foot, (14.0, 5.5), 4.0, -0.014 * height), DARK)
        event = last_event(stage.events, time_s)
        stage.flash(canvas, time_s, 61.0 if event and event.number % 2 else 23.0, 95.0)

    return draw


def dripping(stage: Stage) -> Draw:
    """Drops swell at a tap, fall, and splash on a plate."""
    mouth, surface = 24.0, 90.0

    def draw(canvas: Canvas, time_s: float) -> None:
        stage.slab(canvas, time_s, (64.0, 99.0), (38.0, 9.0))
        for event in stage.events:
            to_go = event.time_s - time_s
            radius = 4.5 + 3.5 * event.strength
            if 0.0 <= to_go < DROP_FALL_S:
                fallen = (1.0 - to_go / DROP_FALL_S) ** 2
                y = mouth + (surface - radius - mouth) * fallen
                canvas.paint(
                    capsule((64.0, y - 2.0 - 8.0 * fallen), (64.0, y), 0.8 * radius), WATER
                )
            elif DROP_FALL_S <= to_go < DROP_FALL_S + DROP_GROWTH_S:
                growth = 1.0 - (to_go - DROP_FALL_S) / DROP_GROWTH_S
                canvas.paint(disc(64.0, mouth, radius * growth), WATER)
        canvas.paint(box((64.0, 8.0), (7.0, 14.0)), STEEL)
        canvas.paint(box((64.0, 20.0), (9.0, 3.0), 1.0), STEEL)
        _splash(stage, canvas, time_s, surface)

    return draw


def tapping(stage: Stage) -> Draw:
    """Four fingers of a hand, one after the other, on a table top."""
    fingers = [tuple(e for e in stage.events if e.number % 4 == finger) for finger in range(4)]

    def draw(canvas: Canvas, time_s: float) -> None:
        stage.slab(canvas, time_s, (64.0, 105.0), (56.0, 13.0))
        canvas.paint(capsule((104.0, 50.0), (136.0, 42.0), 15.0), stage.agent)
        for finger, events in enumerate(fingers):
            height = 26.0 * lift(events, time_s) if events else 14.0
            tip = 28.0 + 17.0 * finger, 86.5 - height
            joint = tip[0] + 16.0 - 2.0 * finger, 58.0 - 0.45 * height
            canvas.paint(capsule((98.0, 52.0), joint, 6.5), SKIN)
            canvas.paint(capsule(joint, tip, 5.5), SKIN)
        stage.hand(canvas, 98.0, 52.0, 14.0)
        event = last_event(stage.events, time_s)
        stage.flash(canvas, time_s, 28.0 + 17.0 * (event.number % 4 if event else 0), 92.0)

    return draw


def shaking(stage: Stage) -> Draw:
    """A rattle swings about a fist and turns back where its beads strike."""
    fist, length = (64.0, 112.0), 58.0

    def draw(canvas: Canvas, time_s: float) -> None:
        turn = 0.85 * swing(stage.events, time_s)
        x, y = fist[0] + length * sin(turn), fist[1] - length * cos(turn)
        canvas.paint(capsule(fist, (x, y), 3.5), (150.0, 110.0, 70.0))
        canvas.paint(box((x, y), (19.0, 24.0), 12.0, turn), stage.texture(x, y))
        canvas.paint(box((x, y), (19.0, 3.5), 2.0, turn), stage.agent)
        stage.hand(canvas, fist[0], fist[1] - 6.0, 10.0)
        event = last_event(stage.events, time_s)
        side = -1.0 if event and event.number % 2 else 1.0
        stage.flash(canvas, time_s, 64.0 + 50.0 * side, 46.0)

    return draw


def clapping(stage: Stage) -> Draw:
    """Two blocks in two fists meet in the middle."""

    def draw(canvas: Canvas, time_s: float) -> None:
        apart = 26.0 * lift(stage.events, time_s)
        for side in (-1.0, 1.0):
            x = 64.0 + side * (12.0 + apart)
            arm = (x + side * 18.0, 70.0), (x + side * 80.0, 92.0)
            canvas.paint(capsule(*arm, 8.0), stage.agent)
            stage.hand(canvas, x + side * 12.0, 68.0, 10.0)
            canvas.paint(box((x, 66.0), (12.0, 24.0), 3.0), stage.texture(x, 0.0))
        stage.flash(canvas, time_s, 64.0, 42.0)

    return draw


def _drops(events: tuple[Event, ...]) -> list[tuple[Event, ...]]:
    """Events of the same ball: each falls where the flight of the one before it ends."""
    starts = [0]
    for number, (before, after) in enumerate(pairwise(events), start=1):
        flight_s = before.strength * LONGEST_FLIGHT_S
        if abs(after.time_s - before.time_s - flight_s) > 1e-3:
            starts.append(number)
    return [events[a:b] for a, b in pairwise([*starts, len(events)])] if events else []


def _ball(events: tuple[Event, ...], time_s: float) -> tuple[float, float] | None:
    """Centre of the ball of one drop, or None before it enters the picture."""
    to_go = events[0].time_s - time_s
    if to_go > 0.5:
        return None
    x, y = _ball_x(events, time_s), 96.0 - BALL_RADIUS
    before, after = last_event(events, time_s), next_event(events, time_s)
    if before is None:
        return x, y - to_go * (ENTRY_SPEED - 0.5 * GRAVITY * to_go)
    since = time_s - before.time_s
    flight_s = after.time_s - before.time_s if after else before.strength * LONGEST_FLIGHT_S
    return x, y - 0.5 * GRAVITY * since * (flight_s - since)


def _ball_x(events: tuple[Event, ...], time_s: float) -> float:
    """The ball drifts evenly and passes the edge of the slab in its last flight."""
    last = events[-1]
    speed = 60.0 / (last.time_s - events[0].time_s + 0.6)
    edge_s = last.time_s + 0.5 * last.strength * LONGEST_FLIGHT_S
    return 114.0 + speed * (time_s - edge_s)


def _splash(stage: Stage, canvas: Canvas, time_s: float, surface: float) -> None:
    """Droplets that leap aside and a ring that widens."""
    event = last_event(stage.events, time_s)
    since = seconds_since(stage.events, time_s) / 0.26
    if event is None or since >= 1.0:
        return
    for reach in (-24.0, -11.0, 11.0, 24.0):
        x = 64.0 + reach * since * (0.5 + 0.5 * event.strength)
        y = surface - 60.0 * event.strength * since * (1.0 - since)
        canvas.paint(dot(x, y, 3.4 * (1.0 - 0.6 * since)), WATER)
    ripple = box((64.0, surface + 2.0), (4.0 + 30.0 * since, 2.4), 1.0)
    canvas.paint(ripple, WATER, 1.0 - since)
