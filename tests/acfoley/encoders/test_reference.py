from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from acfoley.encoders.encoders import prepare_reference
from bench.errors import MediaError
from bench.media import read_audio
from bench.types import Audio, Excerpt

PUBLISHED = 89_088


def noise(rng: np.random.Generator, seconds: float, rate_hz: int = 44_100) -> Audio:
    samples = rng.uniform(-0.3, 0.3, (2, round(seconds * rate_hz)))
    return Audio(samples.astype(np.float32), rate_hz)


def by_torchaudio(audio: Audio) -> np.ndarray:
    """The steps of the published inference, with its own resampler."""
    transforms = pytest.importorskip("torchaudio").transforms
    waveform = torch.from_numpy(audio.samples).mean(dim=0)
    waveform = waveform / waveform.abs().max() * 0.95
    if audio.sample_rate_hz != 44_100:
        waveform = transforms.Resample(
            audio.sample_rate_hz,
            44_100,
            lowpass_filter_width=64,
            rolloff=0.9475937167399596,
            resampling_method="sinc_interp_kaiser",
            beta=14.769656459379492,
        )(waveform)
    padded = torch.zeros(PUBLISHED)
    padded[: min(PUBLISHED, len(waveform))] = waveform[:PUBLISHED]
    return padded.numpy()


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("seconds", [0.1, 1.9, 3.0])
def test_a_reference_is_prepared_as_published(
    rng: np.random.Generator, seconds: float, rate_hz: int
) -> None:
    audio = noise(rng, seconds, rate_hz)
    prepared = prepare_reference(audio)
    assert prepared.dtype == np.float32
    assert prepared.shape == (PUBLISHED,)
    assert prepared == pytest.approx(by_torchaudio(audio), abs=3e-5)


def test_a_real_reference_is_prepared_as_published(shared: Path) -> None:
    audio = read_audio(Excerpt(shared / "golden" / "media" / "v1_stereo48_4s.flac"))
    assert prepare_reference(audio) == pytest.approx(by_torchaudio(audio), abs=1e-5)


def test_the_level_of_the_reference_makes_no_difference(rng: np.random.Generator) -> None:
    audio = noise(rng, 2.0)
    quiet = Audio(audio.samples * np.float32(0.001), audio.sample_rate_hz)
    assert prepare_reference(quiet) == pytest.approx(prepare_reference(audio), abs=1e-6)
    assert np.abs(prepare_reference(audio)).max() == pytest.approx(0.95)


@pytest.mark.parametrize(("seconds", "n_latents"), [(0.1, 5), (2.0, 87), (7.3, 315), (30.0, 1292)])
def test_a_reference_of_full_length_is_padded_to_its_last_latent(
    rng: np.random.Generator, seconds: float, n_latents: int
) -> None:
    whole = prepare_reference(noise(rng, seconds), "whole")
    assert len(whole) == 1024 * n_latents
    assert not whole[round(seconds * 44_100) :].any()
    start = prepare_reference(noise(np.random.default_rng(20260), seconds))
    n_common = min(len(whole), PUBLISHED)
    assert np.array_equal(whole[:n_common], start[:n_common])


@pytest.mark.parametrize(
    ("samples", "length", "message"),
    [
        (np.zeros((1, 0)), "published", "the reference audio is empty"),
        (np.ones((1, 4_000)), "published", r"lasts 0\.091 s, at least 0\.1 s"),
        (np.zeros((2, 90_000)), "published", r"is silent \(peak 0 of full scale\)"),
        (np.full((1, 90_000), 1e-7), "whole", "is silent"),
        (np.ones((1, 31 * 44_100)), "whole", r"lasts 31\.0 s, at most 30 s"),
        (np.eye(1, 100_000, 95_000), "published", r"silent in its first 2\.02 s"),
    ],
)
def test_an_invalid_reference_is_refused(samples: np.ndarray, length: str, message: str) -> None:
    with pytest.raises(MediaError, match=message):
        prepare_reference(Audio(samples.astype(np.float32), 44_100), length)


def test_late_audio_can_be_used_in_its_full_length() -> None:
    samples = np.eye(1, 100_000, 95_000, dtype=np.float32)
    assert np.abs(prepare_reference(Audio(samples, 44_100), "whole")).max() == pytest.approx(0.95)
