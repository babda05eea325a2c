"""Mel-cepstral distortion, by both definitions, of copies that are late by less than a frame."""

from __future__ import annotations

import numpy as np
import pytest

from bench.metrics import (
    mcd_c1,
    mel_cepstra,
    mel_cepstra_c1,
    mel_cepstral_distortion,
    steady_envelope,
    world_envelope,
)

FINE_HZ = 88_200


def at(delay_s: float, kind: str) -> np.ndarray:
    """2 s of audio at 22,050 Hz, delayed by any time that 88.2 kHz resolves."""
    from scipy.signal import resample_poly

    rng = np.random.default_rng(3)
    audio = rng.normal(0, 0.1, 2 * FINE_HZ)
    if kind == "bursts":
        times = np.arange(2 * FINE_HZ) / FINE_HZ
        audio *= np.exp(-30 * (times % 0.25)) * (times % 0.25 > 0)
    late = round(delay_s * FINE_HZ)
    return resample_poly(np.concatenate([np.zeros(late), audio])[: len(audio)], 1, 4)


@pytest.mark.parametrize("source", ["world", "stft"])
@pytest.mark.parametrize("kind", ["noise", "bursts"])
@pytest.mark.parametrize("delay_s", [0.001, 0.0025, 0.0075, 0.0125])
def test_the_strict_distortion_of_a_copy_late_by_any_delay_is_small(source, kind, delay_s):
    found = [mel_cepstra_c1(steady_envelope(at(late, kind), source)) for late in (0.0, delay_s)]
    assert mcd_c1(*found) < 0.8


def test_the_published_distortion_takes_half_a_frame_for_another_timbre():
    half, whole = (
        mel_cepstral_distortion(
            *(mel_cepstra(world_envelope(at(late, "noise"))) for late in (0.0, delay_s))
        )
        for delay_s in (0.0025, 0.005)
    )
    assert half > 5.0
    assert whole < 0.5


def test_another_timbre_stays_far_apart_in_steady_envelopes():
    from scipy.signal import lfilter

    audio = at(0.0, "bursts")
    darker = lfilter([0.3], [1.0, -0.7], audio)
    found = [mel_cepstra_c1(steady_envelope(each, "world")) for each in (audio, darker)]
    assert mcd_c1(*found) > 4.0


@pytest.mark.parametrize("seconds", [0.3, 1.0, 1.999])
def test_a_steady_envelope_has_as_many_frames_as_its_source(seconds):
    audio = at(0.0, "noise")[: int(seconds * 22_050)]
    assert steady_envelope(audio, "world").shape == world_envelope(audio).shape


def test_an_unknown_source_is_refused():
    with pytest.raises(ValueError, match=r"one of \['stft', 'world'\], got 'mel'"):
        steady_envelope(np.zeros(22_050), "mel")
