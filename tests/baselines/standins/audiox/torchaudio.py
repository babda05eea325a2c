"""What the stand-in needs of torchaudio."""

from __future__ import annotations

import numpy as np
import soundfile
from torch import Tensor


class functional:  # noqa: N801
    """The module of that name."""

    @staticmethod
    def resample(audio: Tensor, found_hz: int, rate_hz: int) -> Tensor:
        """Return as many seconds at another rate."""
        at = np.arange(audio.shape[1] * rate_hz // found_hz) * (found_hz / rate_hz)
        return audio[:, np.minimum(at.astype(int), audio.shape[1] - 1)]


def load(path: str) -> tuple[Tensor, int]:
    """Return ``[channels, samples]`` and the rate."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return samples.T.copy().view(Tensor), rate


def save(path: str, audio: Tensor, sample_rate: int) -> None:
    """Write ``[channels, samples]``."""
    soundfile.write(path, np.asarray(audio).T, sample_rate, "FLOAT")
