"""Shapes, the canvas that they are painted on, and the painter of what all animations share.

Shapes are signed distance functions in scene units, which are independent of the camera: x to the
right, y down, 0 to 128. A signed distance gives anti-aliasing without supersampling, see
``Canvas.paint``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import cos, exp, sin
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.synthetic.motion import last_event, sample_grains, seconds_since
from bench.synthetic.scene import Event
from bench.types import FloatArray

#: Width and height of the scene in scene units.
SCENE_SIDE = 128.0
#: Darkening of the rim of every shape, and its width in scene units: an outline separates an agent
#: from a background of the same colour.
OUTLINE = 0.4
OUTLINE_WIDTH = 1.6
SINK = 2.5
SINK_S = 0.06
FLASH_S = 0.14

Plane = npt.NDArray[np.floating[Any]]
Colour = tuple[float, float, float]

SPARK: Colour = (255.0, 250.0, 225.0)
DARK: Colour = (52.0, 48.0, 50.0)
SKIN: Colour = (224.0, 172.0, 138.0)
STEEL: Colour = (188.0, 194.0, 202.0)
WATER: Colour = (120.0, 180.0, 235.0)
GRAIN: Colour = (255.0, 244.0, 190.0)


class Shape(NamedTuple):
    """``bounds`` (left, top, right, bottom) and ``distance(x [1, W], y [H, 1]) -> [H, W]``.

    The distance is negative inside, in scene units.
    """

    bounds: tuple[float, float, float, float]
    distance: Callable[[Plane, Plane], Plane]


class Texture(NamedTuple):
    """A repeating ``tile [3, S, S]`` of one texel per scene unit with its corner at (x, y)."""

    tile: Plane
    x: float = 0.0
    y: float = 0.0


def disc(x: float, y: float, radius: float) -> Shape:
    """A filled circle."""
    return Shape(
        (x - radius, y - radius, x + radius, y + radius),
        lambda px, py: np.hypot(px - x, py - y) - radius,
    )


def capsule(start: tuple[float, float], end: tuple[float, float], radius: float) -> Shape:
    """A thick line with round ends."""
    (x, y), (along_x, along_y) = start, (end[0] - start[0], end[1] - start[1])
    # Not 0 where both ends are one point: the projection is 0 / 1e-9 then, and the shape a disc.
    square = max(along_x**2 + along_y**2, 1e-9)

    def distance(px: Plane, py: Plane) -> Plane:
        # The nearest point of the segment: the projection onto its line, clipped to its ends.
        t = np.clip(((px - x) * along_x + (py - y) * along_y) / square, 0.0, 1.0)
        return np.hypot(px - x - t * along_x, py - y - t * along_y) - radius

    low_x, high_x = sorted((x, end[0]))
    low_y, high_y = sorted((y, end[1]))
    return Shape((low_x - radius, low_y - radius, high_x + radius, high_y + radius), distance)


def box(
    centre: tuple[float, float], half: tuple[float, float], rounding: float = 2.0, turn: float = 0.0
) -> Shape:
    """A rectangle with rounded corners: ``half`` width and height, rotated by ``turn`` radians."""
    cosine, sine = float(np.cos(turn)), float(np.sin(turn))

    def distance(px: Plane, py: Plane) -> Plane:
        dx, dy = px - centre[0], py - centre[1]
        qx = np.abs(dx * cosine + dy * sine) - (half[0] - rounding)
        qy = np.abs(dy * cosine - dx * sine) - (half[1] - rounding)
        # In the frame of the box, shrunk by the rounding: distance to the corner or side outside,
        # minus the distance to the nearest side inside; the rounding is added back as an offset.
        outside = np.hypot(np.maximum(qx, 0.0), np.maximum(qy, 0.0))
        return np.asarray(outside + np.minimum(np.maximum(qx, qy), 0.0) - rounding)

    reach_x = abs(half[0] * cosine) + abs(half[1] * sine)
    reach_y = abs(half[0] * sine) + abs(half[1] * cosine)
    left, top = centre[0] - reach_x, centre[1] - reach_y
    return Shape((left, top, left + 2.0 * reach_x, top + 2.0 * reach_y), distance)


def toothed(
    centre: tuple[float, float], half: tuple[float, float], tooth: float, depth: float
) -> Shape:
    """A rectangle whose lower edge is cut into teeth of width ``tooth`` and depth ``depth``."""
    body = box(centre, half, 1.0)

    def distance(px: Plane, py: Plane) -> Plane:
        phase = (px - centre[0]) / tooth
        edge = centre[1] + half[1] - depth * np.abs(2.0 * (phase - np.floor(phase + 0.5)))
        # The intersection of two shapes is the maximum of their distances. The vertical distance to
        # a slanted edge exceeds the true one; 0.7 corrects it for a slope of 45 degrees.
        return np.asarray(np.maximum(body.distance(px, py), 0.7 * (py - edge)))

    return Shape(body.bounds, distance)


@dataclass(frozen=True, eq=False)
class Canvas:
    """``pixels [3, H, W]`` float32 in 0 to 255, with the scene coordinates ``x [W]``, ``y [H]``.

    Colours come first: NumPy's inner loop is then a row of pixels instead of three numbers, which
    renders a video a quarter faster.
    """

    pixels: Plane
    x: Plane
    y: Plane
    zoom: float

    @classmethod
    def create(cls, pixels: Plane, zoom: float, shift: tuple[float, float]) -> Canvas:
        """Make a canvas whose camera magnifies by ``zoom`` and moves the scene by ``shift`` pixels.

        Coordinates are those of pixel centres, hence the 0.5.
        """
        height, width = pixels.shape[1:]
        x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2 - shift[0]) / zoom
        y = (np.arange(height, dtype=np.float32) + 0.5 - height / 2 - shift[1]) / zoom
        x, y = x + SCENE_SIDE / 2, y + SCENE_SIDE / 2
        return cls(pixels, x.astype(np.float32), y.astype(np.float32), zoom)

    @cached_property
    def axes(self) -> tuple[list[float], list[float]]:
        """The coordinates as lists: bisecting one is ten times faster than ``np.searchsorted``."""
        return self.x.tolist(), self.y.tolist()

    def paint(self, shape: Shape, fill: Colour | Texture, opacity: float = 1.0) -> None:
        """Cover a shape with a colour or a texture, in place, darker along its outline.

        Only the bounding box of the shape is computed, which keeps 250 frames cheap.
        """
        (xs, ys), bounds = self.axes, shape.bounds
        left, right = bisect_left(xs, bounds[0] - 1.0), bisect_left(xs, bounds[2] + 1.0)
        top, bottom = bisect_left(ys, bounds[1] - 1.0), bisect_left(ys, bounds[3] + 1.0)
        if left >= right or top >= bottom:
            return
        x, y = self.x[None, left:right], self.y[top:bottom, None]
        distance = shape.distance(x, y)
        # distance * zoom is the distance in pixels from the centre of a pixel to the edge. An edge
        # through the centre covers half of the pixel, one half a pixel away all or none of it. This
        # linear ramp is the anti-aliasing, one sample per pixel.
        coverage = np.clip(0.5 - distance * self.zoom, 0.0, opacity)
        rim = 1.0 - OUTLINE * np.clip(distance / OUTLINE_WIDTH + 1.0, 0.0, 1.0)
        patch = self.pixels[:, top:bottom, left:right]
        # patch + coverage * (fill * rim - patch), in one buffer.
        change = _fill_values(fill, x, y) * rim
        change -= patch
        change *= coverage
        patch += change


def _fill_values(fill: Colour | Texture, x: Plane, y: Plane) -> Plane:
    """Colours ``[3, 1, 1]`` or ``[3, H, W]`` at the coordinates ``x [1, W]`` and ``y [H, 1]``."""
    if not isinstance(fill, Texture):
        return np.array(fill, dtype=np.float32)[:, None, None]
    side = fill.tile.shape[1]
    rows = np.floor(y[:, 0] - fill.y).astype(np.intp) % side
    columns = np.floor(x[0] - fill.x).astype(np.intp) % side
    return np.asarray(fill.tile.take(rows, axis=1).take(columns, axis=2))


@dataclass(frozen=True, eq=False)
class ScenePainter:
    """Paints what all animations share: the object in its material, impact marks and hands.

    ``name`` and ``events`` are those of the scene, ``tile [3, S, S]`` is the texture of the
    material, ``agent`` the colour of whoever acts on it.
    """

    name: str
    events: tuple[Event, ...]
    tile: Plane
    agent: Colour

    @cached_property
    def grains(self) -> tuple[FloatArray, FloatArray]:
        """Landing times in s and positions in [0, 1] of the grains of all events, ``[G]`` each.

        Kept, since sampling them for every frame would cost more than painting them.
        """
        falls = [sample_grains(self.name, event) for event in self.events]
        # A corruption may leave no event, and nothing cannot be concatenated.
        nothing = np.zeros(0)
        return (
            np.concatenate([nothing, *(fall.times_s for fall in falls)]),
            np.concatenate([nothing, *(fall.positions for fall in falls)]),
        )

    def texture(self, x: float = 0.0, y: float = 0.0) -> Texture:
        """The material with its tile at (x, y), so that it moves with the shape it covers."""
        return Texture(self.tile, x, y)

    def paint_slab(
        self, canvas: Canvas, time_s: float, centre: tuple[float, float], half: tuple[float, float]
    ) -> None:
        """Paint a slab of the material that an impact pushes down for a moment."""
        y, event = centre[1], last_event(self.events, time_s)
        if event is not None:
            y += SINK * event.strength * exp(-(time_s - event.time_s) / SINK_S)
        canvas.paint(box((centre[0], y), half, 3.0), self.texture(0.0, y))

    def paint_flash(self, canvas: Canvas, time_s: float, x: float, y: float) -> None:
        """Paint three rays that leave the point of contact for a moment.

        They mark an impact in the frames after it even where the motion is small.
        """
        since = seconds_since(self.events, time_s) / FLASH_S
        event = last_event(self.events, time_s)
        if event is None or since >= 1.0:
            return
        inner, outer = 6.0 + 9.0 * since, 11.0 + 16.0 * since * event.strength
        # Upwards (-pi / 2) and 54 degrees to either side of it.
        for angle in (-2.5, -1.57, -0.64):
            start = x + inner * cos(angle), y + inner * sin(angle)
            end = x + outer * cos(angle), y + outer * sin(angle)
            canvas.paint(capsule(start, end, 1.3), SPARK, 1.0 - since)

    def paint_hand(self, canvas: Canvas, x: float, y: float, radius: float = 8.0) -> None:
        """Paint a fist."""
        canvas.paint(disc(x, y, radius), SKIN)
