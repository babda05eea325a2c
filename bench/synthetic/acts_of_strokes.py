"""The picture of every stroke: an agent whose visible speed is the loudness of what it does."""

from __future__ import annotations

import numpy as np

from bench.synthetic.draw import Canvas, box, capsule, disc, toothed
from bench.synthetic.motion import grains, last_event, stroke_place, stroke_speed
from bench.synthetic.stage import DARK, GRAIN, STEEL, Draw, Stage, dot

GRAIN_FALL_S = 0.24
GRAIN_LEAP_S = 0.16


def scraping(stage: Stage) -> Draw:
    """A rod is drawn to and fro over a slab."""

    def draw(canvas: Canvas, time_s: float) -> None:
        canvas.paint(box((64.0, 102.0), (56.0, 12.0), 3.0), stage.texture())
        place = stroke_place(stage.events, time_s)
        tip = 18.0 + 82.0 * place, 88.0
        top = tip[0] + 16.0, 34.0
        canvas.paint(capsule(tip, top, 3.0), stage.agent)
        stage.hand(canvas, top[0], top[1] + 6.0, 11.0)
        strength = _speed(stage, time_s)
        if strength > 0.05:
            canvas.paint(
                disc(tip[0], tip[1] + 1.0, 2.0 + 3.0 * strength), (255.0, 240.0, 190.0), 0.7
            )

    return draw


def sawing(stage: Stage) -> Draw:
    """A saw runs to and fro in a block."""

    def draw(canvas: Canvas, time_s: float) -> None:
        canvas.paint(box((64.0, 98.0), (28.0, 26.0), 3.0), stage.texture())
        x = 40.0 + 36.0 * stroke_place(stage.events, time_s)
        canvas.paint(toothed((x, 74.0), (38.0, 12.0), 7.0, 5.0), STEEL)
        canvas.paint(box((x + 38.0, 70.0), (9.0, 15.0), 5.0), stage.agent)
        canvas.paint(box((x + 38.0, 70.0), (3.5, 7.0), 3.0), DARK)

    return draw


def sprinkling(stage: Stage) -> Draw:
    """A jar tips and lets grains fall on a slab; each one lands when it is heard."""
    falls = [grains(stage.scene.name, event) for event in stage.events]
    times_s = np.concatenate([fall.times_s for fall in falls] or [np.zeros(0)])
    places = np.concatenate([fall.places for fall in falls] or [np.zeros(0)])

    def draw(canvas: Canvas, time_s: float) -> None:
        canvas.paint(box((64.0, 104.0), (50.0, 12.0), 3.0), stage.texture())
        tilt = 1.9 * min(1.0, 1.5 * max(_speed(stage, time_s + GRAIN_FALL_S), 0.0))
        near = (times_s - time_s < GRAIN_FALL_S) & (time_s - times_s < GRAIN_LEAP_S)
        for to_go, place in zip(times_s[near] - time_s, places[near], strict=True):
            canvas.paint(dot(*_grain(float(to_go), float(place)), 2.3), GRAIN)
        canvas.paint(box((76.0, 22.0), (9.0, 15.0), 3.0, -tilt), stage.agent)
        stage.hand(canvas, 86.0, 20.0)

    return draw


def _grain(to_go: float, place: float) -> tuple[float, float]:
    """Where a grain is: on its way down, or leaping aside once it has landed."""
    landing = 24.0 + 80.0 * place
    if to_go >= 0.0:
        fallen = 1.0 - to_go / GRAIN_FALL_S
        return 62.0 + (landing - 62.0) * fallen, 34.0 + 56.0 * fallen**2
    leapt = -to_go / GRAIN_LEAP_S
    return landing + 8.0 * (place - 0.5) * leapt, 90.0 - 28.0 * leapt * (1.0 - leapt)


def _speed(stage: Stage, time_s: float) -> float:
    """Speed of the stroke at a time, as loud as it is heard, 0 between strokes."""
    event = last_event(stage.events, time_s)
    if event is None:
        return 0.0
    progress = np.array((time_s - event.time_s) / event.duration_s)
    return event.strength * float(stroke_speed(progress))
