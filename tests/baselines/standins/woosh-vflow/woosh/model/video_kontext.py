"""The model of Woosh VFlow: conditions, and an autoencoder of 480 samples a frame."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from woosh.components.base import LoadConfig


class VideoKontext:
    """Latents of 8 s, which are louder than full scale for a prompt that says so."""

    def __init__(self, config: LoadConfig) -> None:
        self.autoencoder = self

    def eval(self) -> VideoKontext:
        """Return it."""
        return self

    def to(self, device: str) -> VideoKontext:
        """Return it."""
        return self

    def get_cond(self, batch: dict, no_dropout: bool, device: str) -> float:
        """Return the level of the sample."""
        assert no_dropout
        assert batch["audio"] is None
        assert batch["synch_out"].shape == (1, 192)
        return 1.5 if batch["description"][0].endswith("loud") else 0.25

    def inverse(self, latents: Tensor) -> Tensor:
        """Return audio ``[1, 1, samples]``."""
        assert latents.shape == (1, 128, 801)
        first = np.tanh(np.asarray(latents[:, :1]))
        return np.repeat(first / np.abs(first).max() * np.abs(latents).max(), 480, 2).view(Tensor)
