import librosa
import numpy as np
import pytest
import torch

from bench.dsp.mel import (
    check_waveforms,
    htk_mel_bank,
    power_spectrogram,
    slaney_mel_bank,
    torchaudio_mel_bank,
)
from bench.errors import MediaError


def test_htk_triangles_add_up_to_one_between_the_outer_peaks():
    bank = htk_mel_bank(64, 512, 16_000, 125.0, 7500.0)
    frequencies_hz = np.linspace(0, 8000, 257)
    inside = (frequencies_hz > 200) & (frequencies_hz < 7000)
    assert bank.shape == (257, 64)
    assert bank[inside].sum(axis=1) == pytest.approx(1.0)


def test_htk_triangles_are_zero_outside_their_range_dc_and_nyquist_included():
    bank = htk_mel_bank(64, 512, 16_000, 125.0, 7500.0)
    frequencies_hz = np.linspace(0, 8000, 257)
    assert not bank[frequencies_hz <= 125].any()
    assert not bank[frequencies_hz >= 7500].any()


def test_htk_triangles_peak_at_even_steps_of_mel():
    # one band from 0 Hz to 1127 ln(1 + 2100 / 700) mel peaks halfway: at 700 (sqrt 4 - 1) Hz
    bank = htk_mel_bank(1, 3200, 32_000, 0.0, 2100.0)
    assert np.argmax(bank[:, 0]) == 70  # bins of 10 Hz
    assert bank[70, 0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("n_mels", "n_fft", "rate_hz", "min_hz", "max_hz"),
    [(64, 512, 16_000, 50.0, 8000.0), (128, 2048, 44_100, 0.0, 22_050.0)],
)
def test_slaney_triangles_peak_at_even_steps_of_slaneys_scale(
    n_mels, n_fft, rate_hz, min_hz, max_hz
):
    def mel(hz):  # linear to 1 kHz (15 mel), then 27 mel for every factor of 6.4
        logarithmic = 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4)
        return np.where(hz < 1000, hz * 15 / 1000, logarithmic)

    bank = slaney_mel_bank(n_mels, n_fft, rate_hz, min_hz, max_hz)
    assert bank.shape == (n_fft // 2 + 1, n_mels)
    assert bank.dtype == np.float64
    peaks_hz = bank.argmax(axis=0) * rate_hz / n_fft
    steps = np.linspace(mel(np.float64(min_hz)), mel(np.float64(max_hz)), n_mels + 2)[1:-1]
    nearest_mel = mel(peaks_hz + rate_hz / n_fft) - mel(peaks_hz)  # one bin of the spectrum
    assert np.all(np.abs(mel(peaks_hz) - steps) <= nearest_mel)


def test_the_bank_of_torchaudio_is_that_of_librosa_up_to_rounding():
    expected = librosa.filters.mel(sr=16_000, n_fft=1024, n_mels=128, htk=True, norm=None)
    assert torchaudio_mel_bank(128, 1024, 16_000).T.numpy() == pytest.approx(expected, abs=2e-5)


def test_slaney_triangles_have_unit_area():
    bank = slaney_mel_bank(64, 16_384, 16_000, 50.0, 8000.0)
    assert bank.sum(axis=0) * (16_000 / 16_384) == pytest.approx(1.0, rel=1e-2)


def test_the_power_of_a_sine_is_the_square_of_half_its_windowed_amplitude():
    time = torch.arange(4096) / 16_000
    sine = torch.sin(2 * torch.pi * 1000 * time)[None]  # 1 kHz is bin 32 of 512 exactly
    window = torch.hann_window(512)
    power = power_spectrogram(sine, window, n_fft=512, hop_samples=160)
    assert power.shape == (1, 257, 1 + 4096 // 160)
    assert power[0, 32, 10].item() == pytest.approx((0.5 * window.sum().item()) ** 2, rel=1e-4)


@pytest.mark.parametrize(
    "batch", [torch.zeros(8), torch.zeros(1, 1, 8), torch.zeros(1, 8).double()]
)
def test_anything_but_float32_waveforms_in_a_batch_is_refused(batch):
    with pytest.raises(ValueError, match=r"float32 \[B, T\]"):
        check_waveforms(batch, "Network", 16_000)


def test_a_refusal_names_the_network_what_was_expected_and_what_was_found():
    with pytest.raises(MediaError, match=r"Net needs .* 200 samples \(2 s .*has 100 \(1.000 s\)"):
        check_waveforms(torch.zeros(1, 100), "Net", 100, shortest=200)
    with pytest.raises(MediaError, match=r"Net takes at most 50 samples .*has 100"):
        check_waveforms(torch.zeros(1, 100), "Net", 100, longest=50)
