"""Textures: one repeating tile per material, recognisable under every nuisance of the look."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from bench.synthetic.scene import Look
from bench.synthetic.video.shapes import Colour, Plane

SIZE = 128


def make_tile(material: str, look: Look, rng: np.random.Generator) -> Plane:
    """Make the seamless tile ``[128, 128, 3]`` float32 in 0 to 255 of a material."""
    # A small shift of the hue; pattern and saturation still identify the material.
    hue_shift = look.tint - 0.5
    return np.clip(_TILES[material](hue_shift, rng), 0.0, 255.0).astype(np.float32)


def hsv_to_rgb(hue: float, saturation: float, value: float) -> Colour:
    """RGB in 0 to 255 of a hue, saturation and value in [0, 1]; hues wrap around."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return 255.0 * red, 255.0 * green, 255.0 * blue


def _noise(rng: np.random.Generator, blur: tuple[float, float]) -> Plane:
    """Smooth noise ``[128, 128, 1]`` of unit variance, blurred along (y, x).

    The blur wraps around, so that the tile has no seam.
    """
    white = rng.normal(size=(SIZE, SIZE))
    smooth = ndimage.gaussian_filter(white, blur, mode="wrap")
    return np.asarray(smooth / smooth.std(), dtype=np.float32)[..., None]


def _axes() -> tuple[Plane, Plane]:
    line = np.arange(SIZE, dtype=np.float32) / SIZE
    return line[None, :, None], line[:, None, None]


def _metal(hue_shift: float, rng: np.random.Generator) -> Plane:
    """Brushed along x, with diagonal gleams."""
    x, y = _axes()
    gleam = 34.0 * np.sin(2.0 * np.pi * (3.0 * x + 3.0 * y)) ** 8
    base = np.array(hsv_to_rgb(0.58 + 0.05 * hue_shift, 0.10, 0.66))
    return np.asarray(base + 12.0 * _noise(rng, (0.0, 9.0)) + 2.0 * gleam)


def _wood(hue_shift: float, rng: np.random.Generator) -> Plane:
    """Rings cut along the grain."""
    _, y = _axes()
    warp = 0.35 * _noise(rng, (6.0, 24.0))
    rings = np.sin(2.0 * np.pi * (14.0 * y + warp))
    base = np.array(hsv_to_rgb(0.08 + 0.02 * hue_shift, 0.62, 0.62))
    return np.asarray(base + 26.0 * rings + 6.0 * _noise(rng, (0.3, 6.0)))


def _glass(hue_shift: float, rng: np.random.Generator) -> Plane:
    """Pale and clear, with hard white reflections."""
    x, y = _axes()
    phase = np.mod(4.0 * (x - y), 1.0)
    streak = (phase < 0.16) | (np.abs(phase - 0.3) < 0.04)
    base = np.array(hsv_to_rgb(0.50 + 0.06 * hue_shift, 0.28, 0.80))
    return np.asarray(base + 45.0 * streak + 2.0 * _noise(rng, (8.0, 8.0)))


def _plastic(hue_shift: float, rng: np.random.Generator) -> Plane:
    """One loud, even colour with a soft gloss."""
    _, y = _axes()
    gloss = 60.0 * np.exp(-(((y - 0.955) / 0.012) ** 2))
    base = np.array(hsv_to_rgb(0.97 + 0.10 * hue_shift, 0.85, 0.86))
    return np.asarray(base + gloss + 3.0 * _noise(rng, (10.0, 10.0)))


def _stone(hue_shift: float, rng: np.random.Generator) -> Plane:
    """Grey with dark and light specks."""
    specks = _noise(rng, (0.8, 0.8))
    base = np.array(hsv_to_rgb(0.10 + 0.1 * hue_shift, 0.06, 0.56))
    marks = 50.0 * (specks > 1.2) - 55.0 * (specks < -1.0)
    return np.asarray(base + marks + 9.0 * _noise(rng, (5.0, 5.0)))


def _rubber(hue_shift: float, rng: np.random.Generator) -> Plane:
    """Near black, with a raised lattice."""
    x, y = _axes()
    lattice = (np.mod(16.0 * (x + y), 1.0) < 0.3) | (np.mod(16.0 * (x - y), 1.0) < 0.3)
    base = np.array(hsv_to_rgb(0.65 + 0.1 * hue_shift, 0.15, 0.15))
    return np.asarray(base + 30.0 * lattice + 2.0 * _noise(rng, (2.0, 2.0)))


_TILES: dict[str, Callable[[float, np.random.Generator], Plane]] = {
    "metal": _metal,
    "wood": _wood,
    "glass": _glass,
    "plastic": _plastic,
    "stone": _stone,
    "rubber": _rubber,
}
