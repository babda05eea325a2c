"""What the stand-in needs of torchaudio."""

from __future__ import annotations

import numpy as np
import soundfile


def save(path: str, audio: np.ndarray, sample_rate: int) -> None:
    """Write ``[channels, samples]``."""
    soundfile.write(path, np.asarray(audio).T, sample_rate, "FLOAT")
