"""The canvas that shapes are painted on, and the painter of what all animations share."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, exp, sin

import numpy as np

from bench.synthetic.motion import last_event, seconds_since
from bench.synthetic.rhythm import Event
from bench.synthetic.scene import Scene
from bench.synthetic.video.shapes import (
    SCENE_SIDE,
    Colour,
    Plane,
    Shape,
    Texture,
    box,
    capsule,
    disc,
)

#: Darkening of the rim of every shape, and its width in scene units: an outline separates an agent
#: from a background of the same colour.
OUTLINE = 0.4
OUTLINE_WIDTH = 1.6
SINK = 2.5
SINK_S = 0.06
FLASH_S = 0.14
SPARK: Colour = (255.0, 250.0, 225.0)
DARK: Colour = (52.0, 48.0, 50.0)
SKIN: Colour = (224.0, 172.0, 138.0)
STEEL: Colour = (188.0, 194.0, 202.0)
WATER: Colour = (120.0, 180.0, 235.0)
GRAIN: Colour = (255.0, 244.0, 190.0)


@dataclass(frozen=True, eq=False)
class Canvas:
    """``pixels [H, W, 3]`` float32 in 0 to 255, with the scene coordinates ``x [W]``, ``y [H]``."""

    pixels: Plane
    x: Plane
    y: Plane
    zoom: float

    @classmethod
    def create(cls, pixels: Plane, zoom: float, shift: tuple[float, float]) -> Canvas:
        """Make a canvas whose camera magnifies by ``zoom`` and moves the scene by ``shift`` pixels.

        Coordinates are those of pixel centres, hence the 0.5.
        """
        height, width = pixels.shape[:2]
        x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2 - shift[0]) / zoom
        y = (np.arange(height, dtype=np.float32) + 0.5 - height / 2 - shift[1]) / zoom
        x, y = x + SCENE_SIDE / 2, y + SCENE_SIDE / 2
        return cls(pixels, x.astype(np.float32), y.astype(np.float32), zoom)

    def paint(self, shape: Shape, fill: Colour | Texture, opacity: float = 1.0) -> None:
        """Cover a shape with a colour or a texture, in place, darker along its outline.

        Only the bounding box of the shape is computed, which keeps 250 frames cheap.
        """
        left, right = np.searchsorted(self.x, (shape.bounds[0] - 1.0, shape.bounds[2] + 1.0))
        top, bottom = np.searchsorted(self.y, (shape.bounds[1] - 1.0, shape.bounds[3] + 1.0))
        if left >= right or top >= bottom:
            return
        x, y = self.x[None, left:right], self.y[top:bottom, None]
        distance = shape.distance(x, y)
        # distance * zoom is the distance in pixels from the centre of a pixel to the edge. An edge
        # through the centre covers half of the pixel, one half a pixel away all or none of it. This
        # linear ramp is the anti-aliasing, one sample per pixel.
        coverage = np.clip(0.5 - distance * self.zoom, 0.0, opacity)
        rim = 1.0 - OUTLINE * np.clip(distance / OUTLINE_WIDTH + 1.0, 0.0, 1.0)
        patch = self.pixels[top:bottom, left:right]
        patch += coverage[..., None] * (_fill_values(fill, x, y) * rim[..., None] - patch)


@dataclass(frozen=True, eq=False)
class ScenePainter:
    """Paints what all animations share: the object in its material, impact marks and hands.

    ``tile`` is the texture of the material, ``agent`` the colour of whoever acts on it.
    """

    scene: Scene
    tile: Plane
    agent: Colour

    @property
    def events(self) -> tuple[Event, ...]:
        """The events of the scene."""
        return self.scene.events

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
        for angle in (-2.5, -1.57, -0.64):
            start = x + inner * cos(angle), y + inner * sin(angle)
            end = x + outer * cos(angle), y + outer * sin(angle)
            canvas.paint(capsule(start, end, 1.3), SPARK, 1.0 - since)

    def paint_hand(self, canvas: Canvas, x: float, y: float, radius: float = 8.0) -> None:
        """Paint a fist."""
        canvas.paint(disc(x, y, radius), SKIN)


def dot(x: float, y: float, radius: float) -> Shape:
    """A disc of at least 0.8 scene units, which a pixel still shows."""
    return disc(x, y, max(radius, 0.8))


def _fill_values(fill: Colour | Texture, x: Plane, y: Plane) -> Plane:
    """Colours ``[3]`` or ``[H, W, 3]`` at the coordinates ``x [1, W]`` and ``y [H, 1]``."""
    if not isinstance(fill, Texture):
        return np.array(fill, dtype=np.float32)
    side = fill.tile.shape[0]
    rows = np.floor(y[:, 0] - fill.y).astype(np.intp) % side
    columns = np.floor(x[0] - fill.x).astype(np.intp) % side
    return np.asarray(fill.tile[rows[:, None], columns[None, :]])
