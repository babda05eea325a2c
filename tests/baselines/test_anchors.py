"""Each anchor keeps the property that it is named after, and loses the others."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from baselines.anchors import GROUND_TRUTH, NOISE, REFERENCE_LOOP, SHUFFLED, SILENCE
from bench.errors import BenchError, MediaError
from bench.media import read_audio, write_audio
from bench.system import System
from bench.types import Audio, Clip, Excerpt, FloatArray, Request, Waveform
from tests.baselines.calls import generate_one

RATE_HZ = 16_000

Ask = Callable[..., Request]


def sample(system: System, request: Request) -> Audio:
    return generate_one(system.open("cpu"), request)


def octave_levels_db(samples: FloatArray, rate_hz: int) -> FloatArray:
    """Levels in the octaves around 125 Hz to 4 kHz."""
    bands = [
        butter(4, (f / 2**0.5, f * 2**0.5), "bandpass", fs=rate_hz, output="sos")
        for f in 125.0 * 2.0 ** np.arange(6)
    ]
    power = [np.mean(sosfilt(band, samples) ** 2) for band in bands]
    return 10 * np.log10(np.array(power))


def test_ground_truth_is_the_audio_of_the_window(ask: Ask, clip: Clip) -> None:
    audio = sample(GROUND_TRUTH, ask(GROUND_TRUTH))
    assert np.array_equal(audio.samples, read_audio(clip.audio).samples)


def test_ground_truth_has_the_requested_length_and_refuses_a_longer_one(ask: Ask) -> None:
    assert sample(GROUND_TRUTH, ask(GROUND_TRUTH, seconds=1.25)).seconds == 1.25
    with pytest.raises(MediaError, match="sound.flac"):
        sample(GROUND_TRUTH, ask(GROUND_TRUTH, seconds=3.75))


def test_milliseconds_missing_at_the_end_of_a_file_are_silence(ask: Ask) -> None:
    audio = sample(GROUND_TRUTH, ask(GROUND_TRUTH, seconds=3.55))
    assert audio.seconds == 3.55
    assert not audio.samples[:, round(3.5 * audio.sample_rate_hz) :].any()


def test_silence_is_silent(ask: Ask) -> None:
    audio = sample(SILENCE, ask(SILENCE))
    assert audio.samples.shape == (1, 110_250)
    assert not audio.samples.any()


def test_shuffled_is_the_audio_of_the_other_clip(ask: Ask, clip: Clip, other: Clip) -> None:
    audio = sample(SHUFFLED, ask(SHUFFLED))
    assert np.array_equal(audio.samples, read_audio(other.audio).samples)
    assert not np.array_equal(audio.samples, read_audio(clip.audio).samples)


def coloured_bursts(rng: np.random.Generator) -> FloatArray:
    """Four seconds of noise falling by 6 dB per octave, with all its energy in six bursts."""
    brown = np.cumsum(rng.standard_normal(4 * RATE_HZ))
    brown = sosfilt(butter(2, 80, "highpass", fs=RATE_HZ, output="sos"), brown)
    gate = (np.arange(brown.size) % (brown.size // 6)) < 1600
    return np.asarray(0.3 * brown * gate / np.abs(brown).max())


def test_noise_keeps_spectrum_and_level_and_destroys_timing(
    ask: Ask, clip: Clip, tmp_path_factory: pytest.TempPathFactory, rng: np.random.Generator
) -> None:
    path = tmp_path_factory.mktemp("bursts") / "bursts.wav"
    truth = coloured_bursts(rng)
    write_audio(path, Audio(truth[None].astype(np.float32), RATE_HZ))
    bursts = replace(clip, audio=Excerpt(path), seconds=4.0)
    noise = sample(NOISE, ask(NOISE, clip=bursts, seconds=4.0)).mono().astype(np.float64)
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(np.sqrt(np.mean(truth**2)), rel=1e-5)
    difference_db = octave_levels_db(noise, RATE_HZ) - octave_levels_db(truth, RATE_HZ)
    assert np.abs(difference_db).max() < 1.0
    levels = [np.sqrt(np.mean(part**2)) for part in np.array_split(noise, 40)]
    assert max(levels) < 2 * min(levels)
    assert abs(np.corrcoef(noise, truth)[0, 1]) < 0.05


def test_noise_for_a_clip_without_true_audio_is_white(ask: Ask, clip: Clip) -> None:
    request = ask(NOISE, clip=replace(clip, audio=None), seconds=4.0)
    noise = sample(NOISE, request).mono().astype(np.float64)
    assert len(noise) == 4 * 44_100
    assert 20 * np.log10(np.sqrt(np.mean(noise**2))) == pytest.approx(-20, abs=0.1)
    # White noise gains 3 dB an octave: each has twice the bandwidth of the one below.
    steps_db = np.diff(octave_levels_db(noise, 44_100))
    np.testing.assert_allclose(steps_db, 3.0, atol=1.0)
    with pytest.raises(BenchError, match="without the clip itself, which this anchor reads"):
        sample(GROUND_TRUTH, request)


def test_noise_of_silence_is_silence(
    ask: Ask, clip: Clip, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("silent") / "silent.wav"
    write_audio(path, Audio(np.zeros((2, RATE_HZ), np.float32), RATE_HZ))
    silent = replace(clip, audio=Excerpt(path))
    assert not sample(NOISE, ask(NOISE, clip=silent, seconds=1.0)).samples.any()


def loop(ask: Ask, reference: FloatArray, seconds: float) -> Waveform:
    audio = Audio(np.atleast_2d(reference).astype(np.float32), RATE_HZ)
    return sample(REFERENCE_LOOP, ask(REFERENCE_LOOP, reference=audio, seconds=seconds)).samples


def test_a_loop_starts_with_the_reference_and_repeats_it(
    ask: Ask, rng: np.random.Generator
) -> None:
    reference = 0.2 * rng.standard_normal((2, RATE_HZ))
    looped = loop(ask, reference, 3.5)
    fade = RATE_HZ // 100
    period = RATE_HZ - fade
    assert looped.shape == (2, round(3.5 * RATE_HZ))
    assert np.allclose(looped[:, :period], reference[:, :period], atol=1e-7)
    second = slice(period + fade, 2 * period)
    assert np.allclose(looped[:, second], reference[:, fade:period], atol=1e-7)


def test_a_loop_has_no_click_at_its_joints(ask: Ask) -> None:
    times_s = np.arange(RATE_HZ) / RATE_HZ
    steepest = 2 * np.pi * 111.3 * 0.5 / RATE_HZ  # a whole number of cycles does not fit
    looped = loop(ask, 0.5 * np.sin(2 * np.pi * 111.3 * times_s), 5.0)
    assert np.abs(np.diff(looped)).max() < 1.6 * steepest


def test_the_level_at_a_joint_is_that_of_the_reference(ask: Ask, rng: np.random.Generator) -> None:
    looped = loop(ask, 0.1 * rng.standard_normal(2000), 50.0)[0]
    fade, period = 160, 1840
    n_joints = looped.size // period - 1
    joints = [looped[k * period : k * period + fade] for k in range(1, n_joints)]
    assert np.sqrt(np.mean(np.square(joints))) == pytest.approx(0.1, rel=0.15)


@pytest.mark.parametrize("n_samples", [1, 2, 3, 100, 40_000])
def test_a_reference_of_any_length_is_looped(ask: Ask, n_samples: int) -> None:
    looped = loop(ask, np.full(n_samples, 0.25), 2.0)
    assert looped.shape == (1, 32_000)
    assert looped.min() >= 0.25 - 1e-6
    assert looped.max() <= 0.25 * 2**0.5 + 1e-6


def test_a_loud_loop_is_scaled_down_instead_of_clipped(ask: Ask) -> None:
    looped = loop(ask, np.ones(1600), 1.0)
    assert looped.max() == 1.0
    assert looped[0, 0] == pytest.approx(2**-0.5, rel=1e-3)


def test_a_missing_file_is_named(ask: Ask, clip: Clip) -> None:
    gone = replace(clip, audio=Excerpt(clip.audio.path.with_name("gone.wav")))
    with pytest.raises(MediaError, match=re.escape("gone.wav")):
        sample(GROUND_TRUTH, ask(GROUND_TRUTH, clip=gone))
