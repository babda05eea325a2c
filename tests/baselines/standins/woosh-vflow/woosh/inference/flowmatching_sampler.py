"""The sampler of Woosh."""

from __future__ import annotations

from typing import Any

import numpy as np


def flowmatching_integrate(
    model: Any,
    *,
    noise: np.ndarray,
    cond: float,
    cfg: float,
    atol: float,
    rtol: float,
    return_steps: bool,
    device: str,
    dtype: str,
) -> tuple[np.ndarray, int]:
    """Return latents whose largest value is the level, and the number of steps."""
    assert return_steps
    assert dtype == "float64"
    return noise / np.abs(noise).max() * cond, 25
