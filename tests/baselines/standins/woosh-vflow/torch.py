"""What the stand-in needs of torch: arrays with a device, and noise by a seed."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np

float64 = "float64"
inference_mode = nullcontext
_generator = [np.random.default_rng()]


class Tensor(np.ndarray):
    """An array that can be moved."""

    def to(self, device: str) -> Tensor:
        """Move it."""
        return self

    def cpu(self) -> Tensor:
        """Move it."""
        return self


def manual_seed(seed: int) -> None:
    """Seed the generator of ``randn``."""
    _generator[0] = np.random.default_rng(seed)


def randn(*shape: int) -> Tensor:
    """Return noise."""
    return _generator[0].standard_normal(shape).view(Tensor)
