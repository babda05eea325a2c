from __future__ import annotations

import math

import numpy as np
import pytest

from bench.metrics.spectral import envelope, envelope_correlation, log_mel, log_spectral_distance


def sine(frequency_hz: float, seconds: float = 1.0, rate_hz: int = 22_050) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * np.arange(int(seconds * rate_hz)) / rate_hz)


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 44_100, 48_000])
def test_an_envelope_has_a_hundred_values_a_second_at_any_rate(rate_hz):
    level = envelope(sine(1_000, 8.0, rate_hz), rate_hz)
    assert level.shape == (800,)
    assert level == pytest.approx(np.full(800, math.sqrt(0.5)), rel=0.05)


def test_each_value_of_an_envelope_is_the_root_mean_square_of_its_block():
    waveform = np.repeat([0.0, 0.5, 0.25], 441)
    waveform[441:882:2] *= -1
    assert envelope(waveform, 44_100) == pytest.approx([0.0, 0.5, 0.25], abs=1e-15)


def test_blocks_of_half_a_sample_take_turns(rng):
    # At 22,050 Hz a block is 220.5 samples: edges at 0, 220, 441, 661, ...
    waveform = rng.normal(size=22_050)
    level = envelope(waveform, 22_050)
    assert level[0] == pytest.approx(np.sqrt(np.mean(waveform[:220] ** 2)), rel=1e-12)
    assert level[1] == pytest.approx(np.sqrt(np.mean(waveform[220:441] ** 2)), rel=1e-12)
    assert level[-1] == pytest.approx(np.sqrt(np.mean(waveform[21_829:] ** 2)), rel=1e-12)


def test_samples_that_do_not_fill_a_block_are_dropped():
    assert envelope(np.ones(1_763), 44_100).shape == (3,)


def test_an_envelope_follows_gain(rng):
    waveform = rng.normal(size=22_050)
    assert envelope(0.5 * waveform, 22_050) == pytest.approx(0.5 * envelope(waveform, 22_050))


def test_correlation_agrees_with_scipy(rng):
    from scipy.stats import pearsonr

    true, generated = rng.random(800), rng.random(800)
    expected = pearsonr(true, generated).statistic
    assert envelope_correlation(true, generated) == pytest.approx(expected, abs=1e-12)


def test_correlation_ignores_gain_and_offset_and_knows_the_sign(rng):
    true = rng.random(100)
    assert envelope_correlation(true, 3 * true + 1) == pytest.approx(1.0)
    assert envelope_correlation(true, -true) == pytest.approx(-1.0)


def test_correlation_falls_as_the_audio_is_shifted(waveforms):
    level = envelope(waveforms["c_gt"], 22_050)
    found = [envelope_correlation(level, np.roll(level, shift)) for shift in (0, 2, 5, 20)]
    assert found[0] == pytest.approx(1.0)
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e-30])
def test_correlation_with_a_constant_envelope_is_not_scored(constant, rng):
    assert math.isnan(envelope_correlation(rng.random(99), np.full(99, constant)))
    assert math.isnan(envelope_correlation(np.full(99, constant), rng.random(99)))


def test_silence_is_the_floor_in_every_band():
    spectrum = log_mel(np.zeros(22_050))
    assert spectrum.shape == (22_050 // 256 + 1, 64)
    assert spectrum.dtype == np.float32
    assert (spectrum == -80.0).all()


def test_a_full_scale_sine_has_about_zero_decibels_at_the_centre_of_its_band():
    import librosa

    centres_hz = librosa.mel_frequencies(66, fmin=0, fmax=11_025)[1:-1]
    found = [log_mel(sine(hz))[20:60, band].mean() for band, hz in enumerate(centres_hz)]
    assert min(found) > 0.5
    assert max(found) < 1.8


def test_a_tenth_of_the_level_is_twenty_decibels_away(rng):
    noise = 0.1 * rng.normal(size=44_100)
    distance = log_spectral_distance(log_mel(noise), log_mel(0.1 * noise))
    assert distance == pytest.approx(20.0, abs=1e-3)


def test_the_distance_is_root_mean_square_over_bands_and_mean_over_frames():
    true = np.zeros((2, 4))
    generated = np.array([[3.0, 3.0, 3.0, 3.0], [2.0, 0.0, 0.0, 0.0]])
    assert log_spectral_distance(true, generated) == pytest.approx((3.0 + 1.0) / 2)


def test_the_distance_of_a_spectrum_from_itself_is_zero(waveforms):
    spectrum = log_mel(waveforms["c_gt"])
    assert log_spectral_distance(spectrum, spectrum) == 0.0


def test_more_noise_is_further_away(waveforms, rng):
    audio, hiss = waveforms["c_gt"], rng.normal(size=len(waveforms["c_gt"]))
    true = log_mel(audio)
    found = [log_spectral_distance(true, log_mel(audio + g * hiss)) for g in (1e-3, 1e-2, 1e-1)]
    assert 0 < found[0] < found[1] < found[2]


def test_envelopes_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="equally long, got 800 and 200"):
        envelope_correlation(np.zeros(800), np.zeros(200))


def test_spectra_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="equally long, got 4 and 5 frames"):
        log_spectral_distance(np.zeros((4, 64)), np.zeros((5, 64)))


def test_a_waveform_shorter_than_a_block_is_refused():
    with pytest.raises(ValueError, match="has 220 values, at least 221 are needed"):
        envelope(np.zeros(220), 22_050)


def test_a_waveform_shorter_than_a_window_is_refused():
    with pytest.raises(ValueError, match="has 1000 values, at least 1024 are needed"):
        log_mel(np.zeros(1_000))
