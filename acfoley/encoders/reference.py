"""Reference audio, prepared as the published model encodes it.

In its order: mean over channels; the peak of all samples brought to 0.95; 44.1 kHz through a Kaiser
sinc of width 64; the first 89,088 samples (2.02 s, 87 latents), zeros after a shorter one.

The paper claims references of any length. The network takes the mean of their latents, so that
``length="whole"`` encodes all of 0.1 to 30 s, with zeros only to fill the last latent. The
published length is the default.

Source: paper, section 3.2; the inference code of its release.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from acfoley.params import REFERENCE_SAMPLES, SAMPLE_RATE_HZ, SAMPLES_PER_LATENT
from bench.errors import MediaError
from bench.media import resample
from bench.types import Audio, Waveform

Length = Literal["published", "whole"]

PEAK = 0.95
#: Audio whose peak is lower is silent: normalising it would raise its noise to full scale.
SILENT_PEAK = 1e-6
SHORTEST_S, LONGEST_S = 0.1, 30.0


def prepare_reference(audio: Audio, length: Length = "published") -> Waveform:
    """Return ``[T]`` at 44.1 kHz: 89,088 samples, or a multiple of 1,024 for ``whole``.

    Raises:
        MediaError: the audio is empty, silent, shorter than 0.1 s, silent in its first 2.02 s, or,
            for ``whole``, longer than 30 s.
    """
    if not audio.samples.size:
        raise MediaError("the reference audio is empty: give at least 0.1 s")
    if audio.seconds < SHORTEST_S:
        raise MediaError(
            f"the reference audio lasts {audio.seconds:.3f} s, at least {SHORTEST_S:g} s are needed"
        )
    if length == "whole" and audio.seconds > LONGEST_S:
        raise MediaError(
            f"the reference audio lasts {audio.seconds:.1f} s, at most {LONGEST_S:g} s can "
            "be used: cut it, or leave out --whole-reference to use its first 2.02 s"
        )
    loud = _normalise_peak(audio.mono())
    waveform = resample(loud, audio.sample_rate_hz, SAMPLE_RATE_HZ, "sinc_kaiser")
    if length == "whole":
        return np.pad(waveform, (0, -len(waveform) % SAMPLES_PER_LATENT))
    start = waveform[:REFERENCE_SAMPLES]
    if np.abs(start).max() < SILENT_PEAK:
        raise MediaError(
            "the reference audio is silent in its first 2.02 s, which alone are used: cut off the "
            "silence, or use all of it by --whole-reference"
        )
    return np.pad(start, (0, REFERENCE_SAMPLES - len(start)))


def _normalise_peak(waveform: Waveform) -> Waveform:
    peak = np.abs(waveform).max()
    if peak < SILENT_PEAK:
        raise MediaError(
            f"the reference audio is silent (peak {peak:.1g} of full scale): give louder audio, or "
            "none"
        )
    return waveform * np.float32(PEAK / peak)
