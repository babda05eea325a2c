"""The silent video of a scene: frame k shows the time k / fps.

Nothing here reads the timbre. Background, light, camera and grain are nuisances from the look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from bench.seeds import stable_seed
from bench.synthetic.scene import Look, Scene
from bench.synthetic.video import animations
from bench.synthetic.video.animations import DrawFrame
from bench.synthetic.video.canvas import Canvas, ScenePainter
from bench.synthetic.video.shapes import SCENE_SIDE, Plane, box
from bench.synthetic.video.textures import hsv_to_rgb, make_tile
from bench.types import Pixels

#: Width and height of a frame in pixels.
SIDE = 128
TABLE_Y = 108.0
#: Every frame has one of these grain patterns at random, which saves drawing 250 of them.
N_GRAIN_FRAMES = 5

ANIMATIONS: dict[str, Callable[[ScenePainter], DrawFrame]] = {
    animation.__name__: animation
    for animation in (
        animations.striking,
        animations.bouncing,
        animations.stepping,
        animations.dripping,
        animations.tapping,
        animations.shaking,
        animations.clapping,
        animations.scraping,
        animations.sawing,
        animations.sprinkling,
    )
}


def render_frames(scene: Scene) -> Iterator[Pixels]:
    """Yield frames ``[128, 128, 3]`` uint8 of a scene, round(seconds * fps) of them."""
    # The word is part of the seed: another one would change the grain of every clip.
    rng = np.random.default_rng(stable_seed("picture", scene.name))
    look = scene.look
    tile = make_tile(scene.material, look, rng)
    painter = ScenePainter(scene, tile, hsv_to_rgb(look.agent_hue, 0.65, 0.80))
    draw = ANIMATIONS[scene.action](painter)
    background = _background(look)
    grain = rng.normal(scale=0.5 + 2.0 * look.grain, size=(N_GRAIN_FRAMES, SIDE, SIDE, 1))
    grain = grain.astype(np.float32)
    for frame in range(round(scene.seconds * scene.fps)):
        canvas = Canvas(background.pixels.copy(), background.x, background.y, background.zoom)
        draw(canvas, frame / scene.fps)
        yield _expose(canvas.pixels, grain[rng.integers(N_GRAIN_FRAMES)], look)


def _background(look: Look) -> Canvas:
    """A canvas with wall and table, which is the same in all frames of a clip."""
    shift = 14.0 * (look.shift_x - 0.5), 10.0 * (look.shift_y - 0.5)
    wall = np.array(hsv_to_rgb(look.wall_hue, 0.28, 0.45 + 0.4 * look.wall_value), dtype=np.float32)
    pixels = np.tile(wall, (SIDE, SIDE, 1))
    pixels *= np.linspace(1.08, 0.88, SIDE, dtype=np.float32)[:, None, None]
    canvas = Canvas.create(pixels, 0.86 + 0.2 * look.zoom, shift)
    table = box((SCENE_SIDE / 2, TABLE_Y + 40.0), (200.0, 40.0), 0.0)
    canvas.paint(table, hsv_to_rgb(look.wall_hue + 0.45, 0.25, 0.32 + 0.2 * look.wall_value))
    return canvas


def _expose(pixels: Plane, grain: Plane, look: Look) -> Pixels:
    """Apply the light of the scene and the grain of the camera, and quantise to 8 bit."""
    exposed = pixels * np.float32(0.85 + 0.25 * look.light) + grain
    # Truncation after adding 0.5 rounds to the nearest value.
    frame = np.clip(exposed + 0.5, 0.0, 255.0).astype(np.uint8)
    return np.ascontiguousarray(frame[:, ::-1]) if look.is_mirrored else frame
