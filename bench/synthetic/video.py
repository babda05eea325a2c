"""The silent video of a scene: frame k shows the time k / fps.

Nothing here reads the timbre. Background, light, camera and grain are nuisances from the look. Each
material is one repeating tile, recognisable under every nuisance.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from bench.seeds import stable_seed
from bench.synthetic.animations import ANIMATIONS
from bench.synthetic.canvas import SCENE_SIDE, Canvas, Colour, Plane, ScenePainter, box
from bench.synthetic.scene import Look, Scene
from bench.types import Pixels

#: Width and height of a frame in pixels.
SIDE = 128
TABLE_Y = 108.0
#: Every frame has one of these grain patterns at random, which saves drawing 250 of them.
N_GRAIN_FRAMES = 5

#: Width and height of a tile in texels.
TILE_SIDE = 128
#: Coordinates of the texels in [0, 1), as ``[1, S, 1]`` and ``[S, 1, 1]``.
TILE_X = (np.arange(TILE_SIDE, dtype=np.float32) / TILE_SIDE)[None, :, None]
TILE_Y = TILE_X.swapaxes(0, 1)


def render_frames(scene: Scene) -> Iterator[Pixels]:
    """Yield frames ``[128, 128, 3]`` uint8 of a scene, round(seconds * fps) of them."""
    # The word is part of the seed: another one would change the grain of every clip.
    rng = np.random.default_rng(stable_seed("picture", scene.name))
    look = scene.look
    tile = make_tile(scene.material, look, rng)
    planes = np.ascontiguousarray(tile.transpose(2, 0, 1))
    agent = hsv_to_rgb(look.agent_hue, 0.65, 0.80)
    painter = ScenePainter(scene.name, scene.events, planes, agent)
    draw = ANIMATIONS[scene.action]
    background = _make_background(look)
    grain = rng.normal(scale=0.5 + 2.0 * look.grain, size=(N_GRAIN_FRAMES, SIDE, SIDE))
    grain = grain.astype(np.float32)
    for number in range(round(scene.seconds * scene.fps)):
        canvas = replace(background, pixels=background.pixels.copy())
        draw(painter, canvas, number / scene.fps)
        yield _expose(canvas.pixels, grain[rng.integers(N_GRAIN_FRAMES)], look)


def _make_background(look: Look) -> Canvas:
    """A canvas with wall and table, which is the same in all frames of a clip."""
    shift = 14.0 * (look.shift_x - 0.5), 10.0 * (look.shift_y - 0.5)
    wall = np.array(hsv_to_rgb(look.wall_hue, 0.28, 0.45 + 0.4 * look.wall_value), dtype=np.float32)
    # Lighter at the top, as under a lamp.
    shade = np.linspace(1.08, 0.88, SIDE, dtype=np.float32)[:, None]
    pixels = np.tile(wall[:, None, None], (1, SIDE, SIDE)) * shade
    canvas = Canvas.create(pixels, 0.86 + 0.2 * look.zoom, shift)
    table = box((SCENE_SIDE / 2, TABLE_Y + 40.0), (200.0, 40.0), 0.0)
    canvas.paint(table, hsv_to_rgb(look.wall_hue + 0.45, 0.25, 0.32 + 0.2 * look.wall_value))
    return canvas


def _expose(pixels: Plane, grain: Plane, look: Look) -> Pixels:
    """Apply light and grain to ``pixels [3, H, W]``, in place. Returns ``[H, W, 3]`` uint8."""
    pixels *= np.float32(0.85 + 0.25 * look.light)
    pixels += grain
    # Truncation after adding 0.5 rounds to the nearest value.
    pixels += 0.5
    np.clip(pixels, 0.0, 255.0, out=pixels)
    frame = np.empty((*pixels.shape[1:], 3), dtype=np.uint8)
    # Rounded, mirrored and with colours last again in one pass.
    frame.transpose(2, 0, 1)[...] = pixels[:, :, ::-1] if look.is_mirrored else pixels
    return frame


# --- Materials as textures


def make_tile(material: str, look: Look, rng: np.random.Generator) -> Plane:
    """Make the seamless tile ``[128, 128, 3]`` float32 in 0 to 255 of a material."""
    # A small shift of the hue; pattern and saturation still identify the material.
    hue_shift = look.tint - 0.5
    return np.clip(_TILES[material](hue_shift, rng), 0.0, 255.0).astype(np.float32)


def hsv_to_rgb(hue: float, saturation: float, value: float) -> Colour:
    """RGB in 0 to 255 of a hue, saturation and value in [0, 1]; hues wrap around."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return 255.0 * red, 255.0 * green, 255.0 * blue


def _make_noise(rng: np.random.Generator, blur: tuple[float, float]) -> Plane:
    """Smooth noise ``[128, 128, 1]`` of unit variance, blurred along (y, x)."""
    from scipy import ndimage

    white = rng.normal(size=(TILE_SIDE, TILE_SIDE))
    # The blur wraps around, so that the tile has no seam.
    smooth = ndimage.gaussian_filter(white, blur, mode="wrap")
    return np.asarray(smooth / smooth.std(), dtype=np.float32)[..., None]


def _metal(hue_shift: float, rng: np.random.Generator) -> Plane:
    """Brushed along x, with diagonal gleams."""
    gleam = 34.0 * np.sin(2.0 * np.pi * (3.0 * TILE_X + 3.0 * TILE_Y)) ** 8
    base = np.array(hsv_to_rgb(0.58 + 0.05 * hue_shift, 0.10, 0.66))
    return np.asarray(base + 12.0 * _make_noise(rng, (0.0, 9.0)) + 2.0 * gleam)


def _wood(hue_shift: float, rng: np.random.Generator) -> Plane:
    """Rings cut along the grain."""
    warp = 0.35 * _make_noise(rng, (6.0, 24.0))
    rings = np.sin(2.0 * np.pi * (14.0 * TILE_Y + warp))
    base = np.array(hsv_to_rgb(0.08 + 0.02 * hue_shift, 0.62, 0.62))
    return np.asarray(base + 26.0 * rings + 6.0 * _make_noise(rng, (0.3, 6.0)))


def _glass(hue_shift: float, rng: np.random.Generator) -> Plane:
    """Pale and clear, with hard white reflections."""
    phase = np.mod(4.0 * (TILE_X - TILE_Y), 1.0)
    streak = (phase < 0.16) | (np.abs(phase - 0.3) < 0.04)
    base = np.array(hsv_to_rgb(0.50 + 0.06 * hue_shift, 0.28, 0.80))
    return np.asarray(base + 45.0 * streak + 2.0 * _make_noise(rng, (8.0, 8.0)))


def _plastic(hue_shift: float, rng: np.random.Generator) -> Plane:
    """One loud, even colour with a soft gloss."""
    gloss = 60.0 * np.exp(-(((TILE_Y - 0.955) / 0.012) ** 2))
    base = np.array(hsv_to_rgb(0.97 + 0.10 * hue_shift, 0.85, 0.86))
    return np.asarray(base + gloss + 3.0 * _make_noise(rng, (10.0, 10.0)))


def _stone(hue_shift: float, rng: np.random.Generator) -> Plane:
    """Grey with dark and light specks."""
    specks = _make_noise(rng, (0.8, 0.8))
    base = np.array(hsv_to_rgb(0.10 + 0.1 * hue_shift, 0.06, 0.56))
    marks = 50.0 * (specks > 1.2) - 55.0 * (specks < -1.0)
    return np.asarray(base + marks + 9.0 * _make_noise(rng, (5.0, 5.0)))


def _rubber(hue_shift: float, rng: np.random.Generator) -> Plane:
    """Near black, with a raised lattice."""
    falling = np.mod(16.0 * (TILE_X + TILE_Y), 1.0) < 0.3
    rising = np.mod(16.0 * (TILE_X - TILE_Y), 1.0) < 0.3
    base = np.array(hsv_to_rgb(0.65 + 0.1 * hue_shift, 0.15, 0.15))
    return np.asarray(base + 30.0 * (falling | rising) + 2.0 * _make_noise(rng, (2.0, 2.0)))


_TILES: dict[str, Callable[[float, np.random.Generator], Plane]] = {
    "metal": _metal,
    "wood": _wood,
    "glass": _glass,
    "plastic": _plastic,
    "stone": _stone,
    "rubber": _rubber,
}
