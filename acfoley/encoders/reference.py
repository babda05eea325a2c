"""A reference sound, prepared as the published model hears it.

In its order: mean over channels; the peak of the whole brought to 0.95; 44.1 kHz through a Kaiser
sinc of width 64; the first 89,088 samples (2.02 s, 87 latents), zeros after a shorter one.

The paper claims references of any length. The network takes the mean of their latents, so that
``length="whole"`` gives it all of a sound of 0.1 to 30 s and no zeros but those that fill the last
latent. What was published is the default.

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
#: A sound that stays below is silent: its noise would be blown up to full scale.
SILENT_PEAK = 1e-6
SHORTEST_S, LONGEST_S = 0.1, 30.0


def prepare_reference(audio: Audio, length: Length = "published") -> Waveform:
    """``[T]`` at 44.1 kHz, ready for the codec; T is 89,088, or a multiple of 1,024 for ``whole``.

    Raises:
        MediaError: the sound is empty, silent, shorter than 0.1 s, silent in the part that is
            heard, or, where all of it is, longer than 30 s.
    """
    if not audio.samples.size:
        raise MediaError("the reference sound is empty: give a sound of at least 0.1 s")
    if audio.seconds < SHORTEST_S:
        raise MediaError(
            f"the reference sound lasts {audio.seconds:.3f} s, at least {SHORTEST_S:g} s are needed"
        )
    if length == "whole" and audio.seconds > LONGEST_S:
        raise MediaError(
            f"the reference sound lasts {audio.seconds:.1f} s, at most {LONGEST_S:g} s can be "
            "heard as a whole: cut it, or let its first 2.02 s be heard as published"
        )
    loud = _normalised(audio.mono())
    waveform = resample(loud, audio.sample_rate_hz, SAMPLE_RATE_HZ, "sinc_kaiser")
    if length == "whole":
        return np.pad(waveform, (0, -len(waveform) % SAMPLES_PER_LATENT))
    heard = waveform[:REFERENCE_SAMPLES]
    if np.abs(heard).max() < SILENT_PEAK:
        raise MediaError(
            "the reference sound is silent in its first 2.02 s, and only they are heard: cut off "
            "the silence, or let all of it be heard"
        )
    return np.pad(heard, (0, REFERENCE_SAMPLES - len(heard)))


def _normalised(waveform: Waveform) -> Waveform:
    peak = np.abs(waveform).max()
    if peak < SILENT_PEAK:
        raise MediaError(
            f"the reference sound is silent (peak {peak:.1g} of full scale): give one that can be "
            "heard, or none"
        )
    return waveform * np.float32(PEAK / peak)
