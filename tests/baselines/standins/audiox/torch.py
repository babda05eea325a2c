"""What the stand-in needs of torch: arrays with its names of methods."""

from __future__ import annotations

import numpy as np

float32 = np.float32


class Tensor(np.ndarray):
    """An array."""

    def to(self, dtype: type) -> Tensor:
        """Convert it."""
        return self.astype(dtype)

    def cpu(self) -> Tensor:
        """Move it."""
        return self

    def unsqueeze(self, axis: int) -> Tensor:
        """Add an axis of one."""
        return np.expand_dims(self, axis).view(Tensor)


def cat(tensors: list[Tensor]) -> Tensor:
    """Join along the first axis."""
    return np.concatenate(tensors).view(Tensor)
