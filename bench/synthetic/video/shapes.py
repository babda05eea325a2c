"""Shapes as signed distance functions, in scene units.

Scene units are independent of the camera: x to the right, y down, 0 to 128. A signed distance gives
anti-aliasing without supersampling, see ``canvas.Canvas.paint``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

#: Width and height of the scene in scene units.
SCENE_SIDE = 128.0

Plane = npt.NDArray[np.floating[Any]]
Colour = tuple[float, float, float]


class Shape(NamedTuple):
    """``bounds`` (left, top, right, bottom) and ``distance(x [1, W], y [H, 1]) -> [H, W]``.

    The distance is negative inside, in scene units.
    """

    bounds: tuple[float, float, float, float]
    distance: Callable[[Plane, Plane], Plane]


class Texture(NamedTuple):
    """A repeating ``tile [S, S, 3]`` of one texel per scene unit with its corner at (x, y)."""

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
