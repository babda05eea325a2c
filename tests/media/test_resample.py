import math
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.errors import MediaError
from bench.media import prepare_evaluator_waveform, read_audio, resample
from bench.media.resample import Method
from bench.types import Audio, Excerpt

RATES = [(44_100, 16_000), (44_100, 32_000), (48_000, 22_050), (16_000, 44_100), (32_000, 16_000)]
GOLDEN = [
    (name, loader)
    for name in ("v1_gt", "v1_predA", "v2_gt", "v2_predA", "v2_10s", "v1_stereo48_4s")
    for loader in ("audio16k", "audio32k", "sync16k")
    if (name, loader) != ("v1_stereo48_4s", "sync16k")  # Synchformer refuses 4 s
]


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
@pytest.mark.parametrize("n_samples", [1, 1000, 4411])
def test_soxr_hq_equals_librosa_bit_for_bit(
    rng: np.random.Generator, from_hz: int, to_hz: int, n_samples: int
) -> None:
    samples = rng.uniform(-1, 1, (2, n_samples)).astype(np.float32)
    expected = librosa.resample(samples, orig_sr=from_hz, target_sr=to_hz)
    assert np.array_equal(resample(samples, from_hz, to_hz, "soxr_hq"), expected)


def slow_sinc_hann(samples: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """The definition, sample by sample: a sum over all inputs of a windowed sinc."""
    cutoff_hz = min(from_hz, to_hz) * 0.99
    input_s = np.arange(len(samples)) / from_hz
    resampled = []
    for output_s in np.arange(math.ceil(len(samples) * to_hz / from_hz)) / to_hz:
        zeros = ((input_s - output_s) * cutoff_hz).clip(-6, 6)
        kernel = np.sinc(zeros) * np.cos(np.pi * zeros / 12) ** 2 * cutoff_hz / from_hz
        resampled.append(kernel @ samples)
    return np.array(resampled)


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_sinc_hann_equals_the_plain_sum(rng: np.random.Generator, from_hz: int, to_hz: int) -> None:
    samples = rng.standard_normal(1200)
    expected = slow_sinc_hann(samples, from_hz, to_hz)
    assert resample(samples, from_hz, to_hz, "sinc_hann") == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("from_hz", "to_hz"), [*RATES, (48_000, 44_100), (22_050, 44_100)])
def test_sinc_kaiser_equals_torchaudio(rng: np.random.Generator, from_hz: int, to_hz: int) -> None:
    transforms = pytest.importorskip("torchaudio").transforms
    samples = rng.uniform(-1, 1, (2, 9_000)).astype(np.float32)
    reference = transforms.Resample(
        from_hz,
        to_hz,
        resampling_method="sinc_interp_kaiser",
        lowpass_filter_width=64,
        rolloff=0.9475937167399596,
        beta=14.769656459379492,
    )
    expected = reference(torch.from_numpy(samples)).numpy()
    found = resample(samples, from_hz, to_hz, "sinc_kaiser")
    assert found.shape == expected.shape
    assert found == pytest.approx(expected, abs=3e-5)  # it rounds phases to float32


@pytest.mark.parametrize(("name", "loader"), GOLDEN)
def test_waveforms_equal_those_of_the_reference_evaluator(
    shared: Path, name: str, loader: str
) -> None:
    golden = np.load(shared / "golden" / "m1_audio_loading.npz")
    audio = read_audio(Excerpt(shared / "golden" / "media" / f"{name}.flac"))
    rate = 32_000 if loader == "audio32k" else 16_000
    waveform = prepare_evaluator_waveform(audio, rate, 8.0, remove_dc=loader != "sync16k")
    middle = len(waveform) // 2
    slices = np.stack([waveform[:512], waveform[middle : middle + 512], waveform[-512:]])
    assert np.abs(slices - golden[f"{name}.{loader}.slices"]).max() < 5e-6
    n_samples, total, magnitude, energy, _ = golden[f"f64_{name}.{loader}.sums"]
    assert len(waveform) == n_samples
    wide = waveform.astype(np.float64)
    found = [wide.sum(), np.abs(wide).sum(), (wide**2).sum()]
    assert found == pytest.approx([total, magnitude, energy], rel=1e-4, abs=5e-6 * n_samples)


@pytest.mark.parametrize("method", ["soxr_hq", "sinc_hann", "sinc_kaiser"])
def test_a_tone_stays_the_same_tone(method: Method) -> None:
    def tone(rate: int) -> np.ndarray:
        return np.sin(2 * np.pi * 1000 * np.arange(rate) / rate).astype(np.float32)

    resampled = resample(tone(44_100), 44_100, 16_000, method)
    assert resampled.dtype == np.float32
    assert np.abs(resampled - tone(16_000))[500:-500].max() < 2e-3


@pytest.mark.parametrize("method", ["soxr_hq", "sinc_hann", "sinc_kaiser"])
def test_a_tone_above_the_new_range_vanishes(method: Method) -> None:
    tone = np.sin(2 * np.pi * 12_000 * np.arange(44_100) / 44_100).astype(np.float32)
    assert np.abs(resample(tone, 44_100, 16_000, method))[500:-500].max() < 5e-3


@given(
    n_samples=st.integers(1, 3000),
    rates=st.sampled_from([(1, 2), (2, 1), (3, 2), (441, 160), (160, 441), (147, 320)]),
    method=st.sampled_from(["soxr_hq", "sinc_hann", "sinc_kaiser"]),
)
@example(n_samples=441, rates=(147, 320), method="soxr_hq")
@settings(max_examples=60, deadline=None)
def test_the_length_is_rounded_up(n_samples: int, rates: tuple[int, int], method: Method) -> None:
    from_hz, to_hz = rates[0] * 100, rates[1] * 100
    resampled = resample(np.zeros((2, n_samples), np.float32), from_hz, to_hz, method)
    exact, as_librosa = -(-n_samples * to_hz // from_hz), math.ceil(n_samples * (to_hz / from_hz))
    assert resampled.shape == (2, as_librosa if method == "soxr_hq" else exact)
    assert resampled.shape[1] - exact in (0, 1)


def test_the_same_rate_changes_nothing(rng: np.random.Generator) -> None:
    samples = rng.standard_normal((1, 100)).astype(np.float32)
    assert resample(samples, 16_000, 16_000, "sinc_hann") is samples


def test_removing_the_mean_uses_the_full_audio() -> None:
    samples = np.concatenate([np.zeros(16_000), np.ones(16_000)]).astype(np.float32)[np.newaxis]
    audio = Audio(samples, 16_000)
    assert prepare_evaluator_waveform(audio, 16_000, 1.0, remove_dc=True) == pytest.approx(-0.5)
    assert prepare_evaluator_waveform(audio, 16_000, 1.0, remove_dc=False) == pytest.approx(0.0)


def test_short_audio_gives_a_short_waveform() -> None:
    audio = Audio(np.zeros((2, 44_100), np.float32), 44_100)
    assert prepare_evaluator_waveform(audio, 16_000, 8.0, remove_dc=True).shape == (16_000,)


def test_invalid_waveforms_and_rates_are_refused() -> None:
    one_second = np.zeros(16_000, np.float32)
    with pytest.raises(MediaError, match="from 16000 to 0 Hz"):
        resample(one_second, 16_000, 0, "soxr_hq")
    with pytest.raises(MediaError, match="no samples"):
        resample(one_second[:0], 16_000, 8_000, "soxr_hq")
    with pytest.raises(MediaError, match="share no useful divisor"):
        resample(one_second, 16_001, 16_000, "sinc_hann")
    with pytest.raises(MediaError, match="no method 'kaiser_best'; there are: soxr_hq, sinc_hann"):
        resample(one_second, 16_000, 8_000, "kaiser_best")
