"""Each corruption changes exactly one thing by the requested amount."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.errors import BenchError
from bench.synthetic.corruptions import (
    add_noise,
    apply_gain,
    change_class,
    change_timbre,
    low_pass,
    shift_events,
    silence_from,
    speed_up,
)
from bench.synthetic.scene import make_scene

SCENE = make_scene("mini", 4)
RATE_HZ = 16_000
TONES_HZ = (500.0, 3_000.0)


def test_a_shift_moves_every_event_and_nothing_else() -> None:
    shifted = shift_events(SCENE, 0.05)
    assert replace(shifted, events=SCENE.events) == SCENE
    moved_s = [b.time_s - a.time_s for a, b in zip(SCENE.events, shifted.events, strict=True)]
    np.testing.assert_allclose(moved_s, 0.05, atol=1e-12)
    assert [e.number for e in shifted.events] == [e.number for e in SCENE.events]


@pytest.mark.parametrize("offset_s", [-3.0, 3.0])
def test_events_that_leave_the_clip_are_dropped(offset_s: float) -> None:
    kept = [e for e in SCENE.events if 0.0 <= e.time_s + offset_s < SCENE.seconds]
    assert 0 < len(kept) < len(SCENE.events)
    assert [e.number for e in shift_events(SCENE, offset_s).events] == [e.number for e in kept]


def test_a_shift_beyond_the_clip_leaves_no_event() -> None:
    assert shift_events(SCENE, 20.0).events == ()


@pytest.mark.parametrize("distance", [0.0, 0.1, 0.5, 1.0, 1.5])
def test_a_changed_timbre_has_the_requested_distance_and_is_in_bounds(distance: float) -> None:
    for index in range(20):
        scene = make_scene("mini", index)
        other = change_timbre(scene, distance, seed=index)
        moved = other.timbre.vector() - scene.timbre.vector()
        assert np.linalg.norm(moved) == pytest.approx(distance, abs=1e-9)
        assert 0.0 <= other.timbre.vector().min() <= other.timbre.vector().max() <= 1.0
        assert replace(other, timbre=scene.timbre) == scene


def test_the_farthest_corner_is_the_largest_distance_accepted() -> None:
    start = SCENE.timbre.vector()
    farthest = float(np.linalg.norm(np.maximum(start, 1.0 - start)))
    reached = change_timbre(SCENE, farthest, seed=0).timbre.vector()
    np.testing.assert_allclose(np.abs(reached - start), np.maximum(start, 1.0 - start), atol=1e-9)
    with pytest.raises(BenchError, match=r"the timbre distance is 3, expected 0 to \d"):
        change_timbre(SCENE, 3.0, seed=0)
    with pytest.raises(BenchError, match="the timbre distance is -0.1"):
        change_timbre(SCENE, -0.1, seed=0)


def test_the_seed_determines_the_direction() -> None:
    assert change_timbre(SCENE, 0.5, 1) == change_timbre(SCENE, 0.5, 1)
    assert change_timbre(SCENE, 0.5, 1) != change_timbre(SCENE, 0.5, 2)


def test_change_class_keeps_the_events_and_changes_material_and_timbre() -> None:
    drawn = [change_class(SCENE, seed) for seed in range(40)]
    assert {scene.material for scene in drawn} == {"metal", "wood", "glass", "plastic", "rubber"}
    assert SCENE.material == "stone"
    for scene in drawn:
        assert scene.timbre != SCENE.timbre
        assert replace(scene, material="stone", timbre=SCENE.timbre) == SCENE


def tone(frequency_hz: float, seconds: float = 2.0) -> np.ndarray:
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (0.3 * np.sin(2 * np.pi * frequency_hz * times)).astype(np.float32)


def loudest_hz(audio: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(audio))) * RATE_HZ / audio.size)


def test_noise_has_the_requested_level_relative_to_the_audio(rng):
    audio = tone(500.0)
    noise = add_noise(audio, -12.0, rng) - audio
    assert 20 * np.log10(noise.std() / audio.std()) == pytest.approx(-12.0, abs=0.2)


def test_a_low_pass_keeps_low_frequencies_and_removes_high_ones():
    low, high = (tone(frequency_hz) for frequency_hz in TONES_HZ)
    middle = slice(2_000, -2_000)
    kept = low_pass(low + high, 1_500.0, RATE_HZ)[middle]
    np.testing.assert_allclose(kept, low[middle], atol=2e-3)


@pytest.mark.parametrize("cutoff_hz", [0.0, 8_000.0, -3.0])
def test_a_cutoff_outside_the_band_is_refused(cutoff_hz):
    with pytest.raises(BenchError, match="expected between 0 and 8000 Hz"):
        low_pass(tone(500.0), cutoff_hz, RATE_HZ)


def test_gain_scales_the_audio_and_silence_starts_at_the_requested_time():
    audio = tone(500.0)
    np.testing.assert_allclose(apply_gain(audio, -20.0), 0.1 * audio, atol=1e-7)
    ended = silence_from(audio, 1.5, RATE_HZ)
    assert not ended[24_000:].any()
    assert np.array_equal(ended[:24_000], audio[:24_000])
    assert not silence_from(audio, -1.0, RATE_HZ).any()


def test_speed_up_makes_audio_shorter_and_higher():
    faster = speed_up(tone(500.0), 20.0, RATE_HZ)
    assert faster.size == pytest.approx(32_000 / 1.2, abs=2)
    assert loudest_hz(faster) == pytest.approx(600.0, abs=1.0)
    with pytest.raises(BenchError, match="more than -100 %"):
        speed_up(tone(500.0), -100.0, RATE_HZ)
