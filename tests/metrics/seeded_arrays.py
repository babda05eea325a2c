"""The arrays that the goldens ``m8_scalars.npz`` were computed from: drawn by name, not stored."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

#: Goldens hold the generated side of a Fréchet or kernel distance scaled and shifted by these.
SCALE, OFFSET = np.float32(1.15), np.float32(0.25)

CLIPS = [f"clip{i:07d}_{7 * i:06d}" for i in range(24)]


def golden() -> dict[str, np.ndarray]:
    """All values by name."""
    with np.load(Path(__file__).resolve().parents[1] / "golden/m8_scalars.npz") as arrays:
        return dict(arrays)


def draw(name: str, shape: tuple[int, ...], scale: float = 1.0) -> FloatArray:
    """Normal values by name and shape; NumPy freezes the streams of its old generator."""
    rng = np.random.RandomState(zlib.crc32(name.encode()))
    return np.asarray(rng.standard_normal(shape) * scale, dtype=np.float32)


def single(name: str, shape: tuple[int, ...], scale: float = 1.0) -> FloatArray:
    """Inputs of the single values."""
    return draw(f"golden.shared.{name}", shape, scale)


def of_clips(name: str, shape: tuple[int, ...], scale: float = 1.0) -> FloatArray:
    """Inputs of the full evaluation, ``[24, *shape]``."""
    return np.stack([draw(f"golden.shared.eval.{name}.{c}", shape, scale) for c in CLIPS])
