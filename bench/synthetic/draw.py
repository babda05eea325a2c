"""Anti-aliased drawing on arrays: a shape is a signed distance, a stroke of paint its coverage.

Places are in stage units: x to the right, y down, 0 to 128, whatever the camera does. Only the
bounding box of a shape is touched, which is what makes 250 frames cheap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

STAGE = 128.0
OUTLINE = 0.4
OUTLINE_WIDTH = 1.6

Plane = npt.NDArray[np.floating[Any]]
Colour = tuple[float, float, float]


class Shape(NamedTuple):
    """``bounds`` (left, top, right, bottom) and ``distance(x [1, W], y [H, 1]) -> [H, W]``.

    The distance is negative inside and in stage units.
    """

    bounds: tuple[float, float, float, float]
    distance: Callable[[Plane, Plane], Plane]


class Texture(NamedTuple):
    """A repeating ``tile [S, S, 3]`` of one texel per stage unit, whose corner lies at (x, y)."""

    tile: Plane
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True, eq=False)
class Canvas:
    """``pixels [H, W, 3]`` float32 in 0 to 255, and the stage places of its columns and rows."""

    pixels: Plane
    x: Plane
    y: Plane
    zoom: float

    @classmethod
    def of(cls, pixels: Plane, zoom: float, shift: tuple[float, float]) -> Canvas:
        """A canvas whose camera magnifies by ``zoom`` and moves the stage by ``shift`` pixels."""
        height, width = pixels.shape[:2]
        x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2 - shift[0]) / zoom + STAGE / 2
        y = (np.arange(height, dtype=np.float32) + 0.5 - height / 2 - shift[1]) / zoom + STAGE / 2
        return cls(pixels, x.astype(np.float32), y.astype(np.float32), zoom)

    def paint(self, shape: Shape, fill: Colour | Texture, opacity: float = 1.0) -> None:
        """Cover a shape with a colour or a texture, darker along its outline."""
        left, right = np.searchsorted(self.x, (shape.bounds[0] - 1.0, shape.bounds[2] + 1.0))
        top, bottom = np.searchsorted(self.y, (shape.bounds[1] - 1.0, shape.bounds[3] + 1.0))
        if left >= right or top >= bottom:
            return
        x, y = self.x[None, left:right], self.y[top:bottom, None]
        distance = shape.distance(x, y)
        coverage = np.clip(0.5 - distance * self.zoom, 0.0, opacity)
        rim = 1.0 - OUTLINE * np.clip(distance / OUTLINE_WIDTH + 1.0, 0.0, 1.0)
        patch = self.pixels[top:bottom, left:right]
        patch += coverage[..., None] * (_fill(fill, x, y) * rim[..., None] - patch)


def _fill(fill: Colour | Texture, x: Plane, y: Plane) -> Plane:
    if not isinstance(fill, Texture):
        return np.array(fill, dtype=np.float32)
    size = fill.tile.shape[0]
    rows = np.floor(y[:, 0] - fill.y).astype(np.intp) % size
    columns = np.floor(x[0] - fill.x).astype(np.intp) % size
    return np.asarray(fill.tile[rows[:, None], columns[None, :]])


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
        place = np.clip(((px - x) * along_x + (py - y) * along_y) / square, 0.0, 1.0)
        return np.hypot(px - x - place * along_x, py - y - place * along_y) - radius

    low_x, high_x = sorted((x, end[0]))
    low_y, high_y = sorted((y, end[1]))
    return Shape((low_x - radius, low_y - radius, high_x + radius, high_y + radius), distance)


def box(
    centre: tuple[float, float], half: tuple[float, float], rounding: float = 2.0, turn: float = 0.0
) -> Shape:
    """A rectangle of half width and half height with rounded corners, turned by radians."""
    cosine, sine = float(np.cos(turn)), float(np.sin(turn))

    def distance(px: Plane, py: Plane) -> Plane:
        dx, dy = px - centre[0], py - centre[1]
        qx = np.abs(dx * cosine + dy * sine) - (half[0] - rounding)
        qy = np.abs(dy * cosine - dx * sine) - (half[1] - rounding)
        outside = np.hypot(np.maximum(qx, 0.0), np.maximum(qy, 0.0))
        return np.asarray(outside + np.minimum(np.maximum(qx, qy), 0.0) - rounding)

    reach_x = abs(half[0] * cosine) + abs(half[1] * sine)
    reach_y = abs(half[0] * sine) + abs(half[1] * cosine)
    left, top = centre[0] - reach_x, centre[1] - reach_y
    return Shape((left, top, left + 2.0 * reach_x, top + 2.0 * reach_y), distance)


def toothed(
    centre: tuple[float, float], half: tuple[float, float], tooth: float, depth: float
) -> Shape:
    """A rectangle whose lower edge is cut into teeth that move with it."""
    body = box(centre, half, 1.0)

    def distance(px: Plane, py: Plane) -> Plane:
        phase = (px - centre[0]) / tooth
        edge = centre[1] + half[1] - depth * np.abs(2.0 * (phase - np.floor(phase + 0.5)))
        return np.asarray(np.maximum(body.distance(px, py), 0.7 * (py - edge)))

    return Shape(body.bounds, distance)
