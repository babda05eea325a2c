import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torchaudio.compliance import kaldi

from bench.dsp.fbank import POWER_FLOOR, fbank
from bench.errors import MediaError
from bench.media import read_audio
from bench.types import Excerpt


def noise(n_samples: int, level: float = 0.1) -> torch.Tensor:
    return level * torch.randn(n_samples, generator=torch.Generator().manual_seed(7))


def torchaudio_fbank(waveform: torch.Tensor, sample_rate_hz: int, n_mels: int) -> torch.Tensor:
    return kaldi.fbank(
        waveform[None],
        htk_compat=True,
        sample_frequency=sample_rate_hz,
        use_energy=False,
        window_type="hanning",
        num_mel_bins=n_mels,
        dither=0.0,
        frame_length=25,
        frame_shift=10,
    ).T


@pytest.mark.parametrize(
    ("sample_rate_hz", "n_mels"), [(16_000, 128), (16_000, 40), (32_000, 128), (44_100, 64)]
)
@pytest.mark.filterwarnings("ignore:At least one mel filterbank:UserWarning")
def test_noise_gives_the_values_of_torchaudio(sample_rate_hz: int, n_mels: int) -> None:
    waveform = noise(2 * sample_rate_hz)
    expected = torchaudio_fbank(waveform, sample_rate_hz, n_mels)
    ours = fbank(waveform, sample_rate_hz, n_mels)
    assert ours.shape == expected.shape
    assert (ours - expected).abs().max() < 1e-3
    assert (ours - expected).abs().mean() < 1e-5


def test_real_audio_gives_the_values_of_torchaudio(shared: Path) -> None:
    audio = read_audio(Excerpt(shared / "golden" / "media" / "v1_gt.flac", 0.0, 2.0))
    waveform = torch.from_numpy(audio.mono())
    expected = torchaudio_fbank(waveform, audio.sample_rate_hz, 64)
    assert (fbank(waveform, audio.sample_rate_hz, 64) - expected).abs().max() < 1e-3


@pytest.mark.parametrize(("n_samples", "n_frames"), [(400, 1), (559, 1), (560, 2), (32_000, 198)])
def test_frames_are_inside_the_audio(n_samples: int, n_frames: int) -> None:
    assert fbank(noise(n_samples), 16_000, 128).shape == (128, n_frames)


def test_silence_is_at_the_floor() -> None:
    assert torch.all(fbank(torch.zeros(16_000), 16_000, 128) == math.log(POWER_FLOOR))


def test_a_gain_adds_twice_its_logarithm() -> None:
    difference = fbank(noise(16_000, 0.4), 16_000, 40) - fbank(noise(16_000, 0.1), 16_000, 40)
    assert torch.allclose(difference, torch.full_like(difference, 2 * math.log(4)), atol=1e-4)


def test_a_constant_offset_does_not_matter() -> None:
    shifted = fbank(noise(16_000) + 0.25, 16_000, 40)
    assert torch.allclose(shifted, fbank(noise(16_000), 16_000, 40), atol=1e-2)


@pytest.mark.parametrize("frequency_hz", [500, 1000, 3000, 6000])
def test_a_tone_is_loudest_in_its_band(frequency_hz: int) -> None:
    times_s = np.arange(16_000) / 16_000
    tone = torch.from_numpy(np.sin(2 * np.pi * frequency_hz * times_s)).float()

    def mel(hz: float) -> float:
        return 1127 * math.log(1 + hz / 700)

    band = (mel(frequency_hz) - mel(20)) / (mel(8000) - mel(20)) * 41 - 1
    assert abs(int(fbank(tone, 16_000, 40).mean(dim=1).argmax()) - band) <= 0.51


def test_waveforms_of_a_batch_do_not_affect_each_other() -> None:
    batch = torch.stack([noise(8_000, 0.1), noise(8_000, 0.3), torch.zeros(8_000)])
    together = fbank(batch.reshape(1, 3, -1), 16_000, 128)[0]
    for waveform, row in zip(batch, together, strict=True):
        assert torch.allclose(fbank(waveform, 16_000, 128), row, atol=1e-5)


def test_the_waveform_is_left_as_it_was() -> None:
    waveform = noise(16_000)
    before = waveform.clone()
    fbank(waveform, 16_000, 128)
    assert torch.equal(waveform, before)


def test_audio_shorter_than_a_frame_is_refused() -> None:
    with pytest.raises(MediaError, match=re.escape("399 samples has no frame of 400 samples")):
        fbank(torch.zeros(399), 16_000, 128)
