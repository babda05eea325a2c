"""Rendered audio: exact in time, in range, and determined by class and timbre."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest
import soxr
from scipy import signal

from bench.synthetic.actions import ACTIONS
from bench.synthetic.audio import (
    SAMPLE_RATE_HZ,
    compute_impulse_responses,
    compute_modes,
    compute_room_response,
    render_audio,
)
from bench.synthetic.corruptions import change_timbre, shift_events
from bench.synthetic.materials import MATERIALS
from bench.synthetic.motion import stroke_speed
from bench.synthetic.scene import CLASSES, Scene, make_scene

IMPACTS = [name for name, action in ACTIONS.items() if not action.is_stroke]
STROKES = [name for name, action in ACTIONS.items() if action.is_stroke]


def scene_of(action: str, material: str, block: int = 0) -> Scene:
    return make_scene("mini", CLASSES.index((action, material)) + block * len(CLASSES))


@pytest.fixture(scope="module")
def rendered() -> Iterator[Callable[[str, str], np.ndarray]]:
    """The audio of ``scene_of(action, material)``, rendered once; not to be changed."""
    render = cache(lambda action, material: render_audio(scene_of(action, material)))
    yield render
    render.cache_clear()


def log_spectrum(audio: np.ndarray) -> np.ndarray:
    """Mean level in 24 bands from 60 Hz to 16 kHz, in dB below the loudest."""
    frequencies_hz, power = signal.welch(audio, SAMPLE_RATE_HZ, nperseg=4096)
    edges_hz = np.geomspace(60.0, 16_000.0, 25)
    bands = np.digitize(frequencies_hz, edges_hz)
    level_db = 10.0 * np.log10([power[bands == band].mean() + 1e-14 for band in range(1, 25)])
    return np.maximum(level_db - level_db.max(), -60.0)


def onset_error_s(audio: np.ndarray, time_s: float) -> float:
    """From ``time_s`` to the first sample above the level of the audio before it."""
    start = round(time_s * SAMPLE_RATE_HZ)
    past = np.abs(audio[start - 900 : start - 60]).max()
    nearby = np.abs(audio[start - 440 : start + 1320])
    above = np.flatnonzero(nearby > max(1.5 * past, 0.1 * nearby.max()))
    return float(above[0] - 440) / SAMPLE_RATE_HZ


def test_the_same_scene_gives_the_same_bytes() -> None:
    scene = make_scene("mini", 13, seconds=2.0)
    assert render_audio(scene).tobytes() == render_audio(scene).tobytes()


@pytest.mark.parametrize("action", ACTIONS)
def test_audio_has_its_length_and_is_in_range(action: str, rendered) -> None:
    for material in ("metal", "stone", "rubber"):
        audio = rendered(action, material)
        assert audio.shape == (441_000,)
        assert audio.dtype == np.float32
        assert np.isfinite(audio).all()
        assert 0.15 < np.abs(audio).max() < 0.95
        level_db = 20.0 * np.log10(np.sqrt(np.mean(audio.astype(np.float64) ** 2)))
        assert -42.0 < level_db < -22.0


@pytest.mark.parametrize("seconds", [0.7, 2.0, 3.33])
def test_length_follows_seconds_and_rate(seconds: float) -> None:
    scene = make_scene("mini", 1, seconds=seconds)
    assert render_audio(scene, 16_000).shape == (round(seconds * 16_000),)


@pytest.mark.parametrize("material", MATERIALS)
@pytest.mark.parametrize("action", IMPACTS)
def test_an_impact_starts_within_a_millisecond_of_its_time(action, material, rendered) -> None:
    scene, audio = scene_of(action, material), rendered(action, material)
    errors_s = [onset_error_s(audio, event.time_s) for event in scene.events]
    assert np.abs(errors_s).max() < 1e-3


@pytest.mark.parametrize("action", IMPACTS)
def test_the_onset_detector_of_the_benchmark_finds_most_impacts(action: str, rendered) -> None:
    import librosa

    found = n_events = n_onsets = 0
    for material in MATERIALS:
        scene = scene_of(action, material)
        audio = soxr.resample(rendered(action, material), SAMPLE_RATE_HZ, 22_050)
        onsets = librosa.onset.onset_detect(y=audio, sr=22_050, delta=0.3, units="samples")
        times_s = np.array([event.time_s for event in scene.events])
        near = np.abs(onsets[None, :] / 22_050 - times_s[:, None]) < 0.1
        found += int(near.any(axis=1).sum())
        n_events += times_s.size
        n_onsets += onsets.size
    assert found / n_events > 0.8
    assert n_onsets <= 1.05 * n_events


@pytest.mark.parametrize("action", STROKES)
def test_a_stroke_is_as_loud_as_it_is_fast(action: str, rendered) -> None:
    scene = scene_of(action, "stone")
    audio = rendered(action, "stone").astype(np.float64)
    loudness = np.sqrt((audio.reshape(-1, 1764) ** 2).mean(axis=1))
    times_s = (np.arange(loudness.size) + 0.5) * 0.04
    speed = sum(
        event.strength * stroke_speed((times_s - event.time_s) / event.duration_s)
        for event in scene.events
    )
    assert np.corrcoef(loudness, speed)[0, 1] > 0.75


def test_before_the_first_event_there_is_only_the_faint_floor() -> None:
    scene = make_scene("mini", 0)
    silent = render_audio(replace(scene, events=()))
    audio = render_audio(scene)
    start = round(scene.events[0].time_s * SAMPLE_RATE_HZ)
    np.testing.assert_allclose(audio[: start - 1], silent[: start - 1], atol=1e-7)
    level_db = 20.0 * np.log10(np.sqrt(np.mean(silent.astype(np.float64) ** 2)))
    assert level_db == pytest.approx(-66.0, abs=0.1)


def test_a_shifted_scene_has_the_same_audio_later(rendered) -> None:
    scene, audio = scene_of("striking", "wood"), rendered("striking", "wood")
    n_later = 4410
    later = render_audio(shift_events(scene, 0.1))
    middle = slice(0, 400_000)
    difference = later[n_later:][middle] - audio[middle]
    assert np.abs(difference).max() < 0.01 * np.abs(audio).max()


def test_a_stronger_impact_is_louder_and_brighter() -> None:
    scene = scene_of("striking", "wood")
    pair = tuple(
        replace(scene.events[0], time_s=time_s, strength=strength)
        for time_s, strength in ((1.0, 1.0), (4.0, 0.5))
    )
    audio = render_audio(replace(scene, events=pair)).astype(np.float64)
    strong, weak = audio[44_100:46_305], audio[176_400:178_605]
    assert np.sum(strong**2) > 3.0 * np.sum(weak**2)

    def high_share(part: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(part)) ** 2
        return float(power[np.fft.rfftfreq(part.size, 1 / 44_100) > 1000.0].sum() / power.sum())

    assert high_share(strong) > 1.2 * high_share(weak)


def test_spectra_differ_more_for_a_larger_timbre_distance() -> None:
    distances = (0.2, 0.6, 1.2)
    differences = np.zeros(len(distances))
    for index in range(10):
        scene = make_scene("mini", index, seconds=3.0)
        true = log_spectrum(render_audio(scene))
        for number, distance in enumerate(distances):
            other = render_audio(change_timbre(scene, distance, seed=index))
            differences[number] += np.abs(log_spectrum(other) - true).mean()
    assert differences[0] > 0.0
    assert (np.diff(differences) > 0.15 * differences[0]).all()


def test_spectra_identify_the_material_for_any_timbre() -> None:
    split = [(m, make_scene("mini", CLASSES.index(("striking", m)) + 60 * k, seconds=3.0))
             for m in MATERIALS for k in range(6)]  # fmt: skip
    names = np.array([name for name, _ in split])
    spectra = np.stack([log_spectrum(render_audio(scene)) for _, scene in split])
    distances = np.linalg.norm(spectra[:, None] - spectra[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert np.mean(names[distances.argmin(axis=1)] == names) > 0.6


def test_modes_have_their_frequencies_and_decay_by_60_db_in_their_decay_time() -> None:
    scene = scene_of("striking", "metal")
    modes = compute_modes(MATERIALS["metal"], scene.timbre, ACTIONS["striking"].exciter)
    single = type(modes)(modes.frequencies_hz[:1], modes.rates_per_s[:1], modes.gains[:, :1])
    centre, edge = compute_impulse_responses(single, SAMPLE_RATE_HZ)
    spectrum = np.abs(np.fft.rfft(centre, 1 << 18))
    peak_hz = spectrum.argmax() * SAMPLE_RATE_HZ / (1 << 18)
    assert peak_hz == pytest.approx(modes.frequencies_hz[0], abs=1.0)
    assert centre.size == pytest.approx(np.log(1000) / modes.rates_per_s[0] * SAMPLE_RATE_HZ, abs=1)
    assert np.abs(centre[-500:]).max() < 1.3e-3 * np.abs(centre[:500]).max()
    assert np.all(edge * modes.gains[0, 0] == pytest.approx(centre * modes.gains[1, 0]))


def test_a_larger_room_rings_longer_and_a_wetter_one_louder() -> None:
    timbre = replace(make_scene("mini", 0).timbre, room_size=0.2, room_wetness=0.5)
    room = compute_room_response(timbre, SAMPLE_RATE_HZ)
    large = compute_room_response(replace(timbre, room_size=0.9), SAMPLE_RATE_HZ)
    wet = compute_room_response(replace(timbre, room_wetness=1.0), SAMPLE_RATE_HZ)
    assert room[0] == large[0] == wet[0] == 1.0
    assert large.size > 2 * room.size
    assert np.sum(wet[1:] ** 2) > 2.0 * np.sum(room[1:] ** 2)


def test_two_timbres_of_a_class_have_different_spectra() -> None:
    rendered = [render_audio(make_scene("mini", 60 * k, seconds=2.0)) for k in range(4)]
    for one, other in combinations(rendered, 2):
        assert np.abs(log_spectrum(one) - log_spectrum(other)).mean() > 1.0
