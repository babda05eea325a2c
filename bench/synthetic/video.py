"""The silent picture of a scene: frame k shows the time k / fps.

Nothing here reads the timbre. Background, light, camera and grain are nuisance from the look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from bench.seeds import stable_seed
from bench.synthetic import acts, acts_of_strokes
from bench.synthetic.draw import STAGE, Canvas, Plane, box
from bench.synthetic.stage import Draw, Stage
from bench.synthetic.texture import colour, material_tile
from bench.synthetic.world import Look, Scene
from bench.types import Pixels

SIDE = 128
TABLE_Y = 108.0
N_GRAIN_FRAMES = 5

ACTS: dict[str, Callable[[Stage], Draw]] = {
    act.__name__: act
    for act in (
        acts.striking,
        acts.bouncing,
        acts.stepping,
        acts.dripping,
        acts.tapping,
        acts.shaking,
        acts.clapping,
        acts_of_strokes.scraping,
        acts_of_strokes.sawing,
        acts_of_strokes.sprinkling,
    )
}


def render_frames(scene: Scene) -> Iterator[Pixels]:
    """Frames ``[128, 128, 3]`` uint8 of a scene, round(seconds * fps) of them."""
    rng = np.random.default_rng(stable_seed("picture", scene.name))
    look = scene.look
    tile = material_tile(scene.material, look, rng)
    draw = ACTS[scene.action](Stage(scene, tile, colour(look.agent_hue, 0.65, 0.80)))
    backdrop = _backdrop(look)
    grain = rng.normal(scale=0.5 + 2.0 * look.grain, size=(N_GRAIN_FRAMES, SIDE, SIDE, 1))
    grain = grain.astype(np.float32)
    for frame in range(round(scene.seconds * scene.fps)):
        canvas = Canvas(backdrop.pixels.copy(), backdrop.x, backdrop.y, backdrop.zoom)
        draw(canvas, frame / scene.fps)
        yield _expose(canvas.pixels, grain[rng.integers(N_GRAIN_FRAMES)], look)


def _backdrop(look: Look) -> Canvas:
    """Wall and table before anything stands on them."""
    shift = 14.0 * (look.shift_x - 0.5), 10.0 * (look.shift_y - 0.5)
    wall = np.array(colour(look.wall_hue, 0.28, 0.45 + 0.4 * look.wall_value), dtype=np.float32)
    pixels = np.tile(wall, (SIDE, SIDE, 1))
    pixels *= np.linspace(1.08, 0.88, SIDE, dtype=np.float32)[:, None, None]
    canvas = Canvas.of(pixels, 0.86 + 0.2 * look.zoom, shift)
    table = box((STAGE / 2, TABLE_Y + 40.0), (200.0, 40.0), 0.0)
    canvas.paint(table, colour(look.wall_hue + 0.45, 0.25, 0.32 + 0.2 * look.wall_value))
    return canvas


def _expose(pixels: Plane, grain: Plane, look: Look) -> Pixels:
    """The light of the scene and the grain of the camera, in 8 bit."""
    exposed = pixels * np.float32(0.85 + 0.25 * look.light) + grain
    frame = np.clip(exposed + 0.5, 0.0, 255.0).astype(np.uint8)
    return np.ascontiguousarray(frame[:, ::-1]) if look.is_mirrored else frame
