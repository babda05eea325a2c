"""Damage to a sound is exactly what it says."""

from __future__ import annotations

import numpy as np
import pytest

from bench.errors import BenchError
from bench.synthetic.spoil import at_level, low_passed, played_faster, silent_from, with_noise

RATE_HZ = 16_000
TONES_HZ = (500.0, 3_000.0)


def tone(frequency_hz: float, seconds: float = 2.0) -> np.ndarray:
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (0.3 * np.sin(2 * np.pi * frequency_hz * times)).astype(np.float32)


def loudest_hz(audio: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(audio))) * RATE_HZ / audio.size)


def test_noise_has_the_level_asked_for_relative_to_the_sound(rng):
    audio = tone(500.0)
    noise = with_noise(audio, -12.0, rng) - audio
    assert 20 * np.log10(noise.std() / audio.std()) == pytest.approx(-12.0, abs=0.2)


def test_a_low_pass_keeps_what_lies_below_and_takes_what_lies_above():
    low, high = (tone(frequency_hz) for frequency_hz in TONES_HZ)
    middle = slice(2_000, -2_000)
    kept = low_passed(low + high, 1_500.0, RATE_HZ)[middle]
    np.testing.assert_allclose(kept, low[middle], atol=2e-3)


@pytest.mark.parametrize("cutoff_hz", [0.0, 8_000.0, -3.0])
def test_a_cutoff_outside_the_band_is_refused(cutoff_hz):
    with pytest.raises(BenchError, match="expected between 0 and 8000 Hz"):
        low_passed(tone(500.0), cutoff_hz, RATE_HZ)


def test_level_and_end():
    audio = tone(500.0)
    np.testing.assert_allclose(at_level(audio, -20.0), 0.1 * audio, atol=1e-7)
    ended = silent_from(audio, 1.5, RATE_HZ)
    assert not ended[24_000:].any()
    assert np.array_equal(ended[:24_000], audio[:24_000])
    assert not silent_from(audio, -1.0, RATE_HZ).any()


def test_a_sound_that_is_played_faster_is_shorter_and_higher():
    faster = played_faster(tone(500.0), 20.0, RATE_HZ)
    assert faster.size == pytest.approx(32_000 / 1.2, abs=2)
    assert loudest_hz(faster) == pytest.approx(600.0, abs=1.0)
    with pytest.raises(BenchError, match="more than -100 %"):
        played_faster(tone(500.0), -100.0, RATE_HZ)
