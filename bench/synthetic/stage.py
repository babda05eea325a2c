"""What every act has: a scene, the look of its material, and the marks that contact leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, exp, sin

from bench.synthetic.draw import Canvas, Colour, Plane, Shape, Texture, box, capsule, disc
from bench.synthetic.motion import last_event, seconds_since
from bench.synthetic.rhythm import Event
from bench.synthetic.world import Scene

SINK = 2.5
SINK_S = 0.06
FLASH_S = 0.14
SPARK: Colour = (255.0, 250.0, 225.0)
DARK: Colour = (52.0, 48.0, 50.0)
SKIN: Colour = (224.0, 172.0, 138.0)
STEEL: Colour = (188.0, 194.0, 202.0)
WATER: Colour = (120.0, 180.0, 235.0)
GRAIN: Colour = (255.0, 244.0, 190.0)

Draw = Callable[[Canvas, float], None]


@dataclass(frozen=True, eq=False)
class Stage:
    """What an act draws with: the scene, the tile of its material, the colour of its agent."""

    scene: Scene
    tile: Plane
    agent: Colour

    @property
    def events(self) -> tuple[Event, ...]:
        """The events of the scene."""
        return self.scene.events

    def texture(self, x: float = 0.0, y: float = 0.0) -> Texture:
        """The material, its tile moved to (x, y) so that it travels with what it covers."""
        return Texture(self.tile, x, y)

    def sink(self, time_s: float) -> float:
        """How far a blow has pushed the object down, in stage units."""
        event = last_event(self.events, time_s)
        if event is None:
            return 0.0
        return SINK * event.strength * exp(-(time_s - event.time_s) / SINK_S)

    def slab(
        self, canvas: Canvas, time_s: float, centre: tuple[float, float], half: tuple[float, float]
    ) -> None:
        """A slab of the material that gives way under a blow."""
        y = centre[1] + self.sink(time_s)
        canvas.paint(box((centre[0], y), half, 3.0), self.texture(0.0, y))

    def flash(self, canvas: Canvas, time_s: float, x: float, y: float) -> None:
        """Three rays that leave the place of a contact for a moment."""
        since = seconds_since(self.events, time_s) / FLASH_S
        event = last_event(self.events, time_s)
        if event is None or since >= 1.0:
            return
        for turn in (-2.5, -1.57, -0.64):
            inner, outer = 6.0 + 9.0 * since, 11.0 + 16.0 * since * event.strength
            ray = capsule(_polar(x, y, turn, inner), _polar(x, y, turn, outer), 1.3)
            canvas.paint(ray, SPARK, 1.0 - since)

    def hand(self, canvas: Canvas, x: float, y: float, radius: float = 8.0) -> None:
        """A fist."""
        canvas.paint(disc(x, y, radius), SKIN)


def dot(x: float, y: float, radius: float) -> Shape:
    """A small disc, no smaller than a pixel shows."""
    return disc(x, y, max(radius, 0.8))


def _polar(x: float, y: float, turn: float, distance: float) -> tuple[float, float]:
    return x + distance * cos(turn), y + distance * sin(turn)
