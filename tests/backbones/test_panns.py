from collections.abc import Iterator
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from bench.backbones import panns
from bench.backbones.panns import build_network, front_end, load_panns
from bench.errors import BenchError, MediaError
from tests.backbones.seeded import (
    NAMES,
    drawn_state,
    noise_and_expected,
    open_row,
    prepare_files,
    prepare_waveforms,
    relative_errors,
    seeded_state,
    waveforms,
)

FRAMES = [0, 1, 2, 200, 400, 600, 798, 799, 800]


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    return dict(np.load(shared / "golden" / "m2_panns.npz"))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for checkpoints, deleted at the end because they are large."""
    path = tmp_path_factory.mktemp("panns") / "Cnn14_16k_mAP=0.438.pth"
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def embed(path: Path):
    """Random weights, from a file like the official one, with the rest of its training state."""
    return through_file(drawn_state(build_network().state_dict()), path)


@pytest.fixture
def embed_seeded(shared: Path, path: Path):
    """The weights of the reference arrays, from such a file; large, so kept for one test."""
    return through_file(seeded_state(shared, "m2_panns_state.json"), path)


def through_file(state: dict[str, torch.Tensor], path: Path):
    save_as_in_training({**state, "logmel_extractor.melW": mel_bank(16_000, 512, 8000.0)}, path)
    return open_row("panns", path.parent)


def embed_waveforms(embed, waveforms: torch.Tensor) -> dict[str, torch.Tensor]:
    return embed(prepare_waveforms(front_end, waveforms))


@pytest.fixture(scope="module")
def clips(shared: Path) -> torch.Tensor:
    return waveforms(shared, NAMES, panns.SAMPLE_RATE_HZ)


def mel_bank(sample_rate_hz: int, n_fft: int, max_hz: float) -> torch.Tensor:
    bank = librosa.filters.mel(sr=sample_rate_hz, n_fft=n_fft, n_mels=64, fmin=50, fmax=max_hz)
    return torch.from_numpy(bank.T.copy())


def save_as_in_training(state: dict[str, torch.Tensor], path: Path) -> None:
    """The layout of qiuqiangkong/audioset_tagging_cnn, in the format of torch before 1.6."""
    sampler = {
        "indexes_per_class": [np.arange(3), np.arange(5)],
        "queue": [1, 0],
        "pointers_of_classes": [2, 4],
    }
    content = {"iteration": 660_000, "model": state, "sampler": sampler}
    torch.save(content, path, _use_new_zipfile_serialization=False)


def test_features_of_files_are_those_of_the_reference(embed_seeded, shared, golden):
    features = embed_seeded(prepare_files("panns", shared, NAMES))
    assert {feature.dtype for feature in features.values()} == {torch.float32}
    assert relative_errors(features["embedding"], golden["feat2048"]).max() < 1e-5
    assert relative_errors(features["logits"], golden["logits"]).max() < 1e-5


def test_features_of_noise_and_silence_are_those_of_the_package(embed):
    noise, expected = noise_and_expected("panns")
    np.testing.assert_allclose(front_end(noise)[0, ::4].numpy(), expected["input"], atol=1e-3)
    for name, feature in embed_waveforms(embed, noise).items():
        assert relative_errors(feature, expected[name]).max() < 1e-5


def test_log_mels_of_files_are_those_of_the_reference(clips, golden):
    log_mel = front_end(clips).numpy()
    difference_db = np.abs(log_mel[:, FRAMES] - golden["logmel_frames"])
    assert difference_db.max() < 0.02
    assert difference_db.mean() < 1e-3
    np.testing.assert_allclose(log_mel.mean(axis=1), golden["logmel_mean"], atol=1e-3)
    np.testing.assert_allclose(log_mel.std(axis=1, ddof=1), golden["logmel_std"], atol=1e-3)


def test_features_do_not_depend_on_their_batch(embed, rng):
    noise = torch.from_numpy(rng.normal(0, 0.1, (3, 32_000)).astype(np.float32))
    alone = embed_waveforms(embed, noise[:1])
    for name, together in embed_waveforms(embed, noise).items():
        assert relative_errors(together[:1], alone[name].numpy()).max() < 1e-5


@pytest.mark.parametrize(("seconds", "n_frames"), [(2, 201), (4, 401), (10, 1001)])
def test_audio_of_any_length_gives_one_vector(embed, rng, seconds, n_frames):
    noise = torch.from_numpy(rng.normal(0, 0.1, (1, 16_000 * seconds)).astype(np.float32))
    assert front_end(noise).shape == (1, n_frames, 64)
    features = embed_waveforms(embed, noise)
    assert features["embedding"].shape == (1, panns.WIDTH)
    assert features["logits"].shape == (1, panns.N_CLASSES)
    assert features["embedding"].min() == 0


def test_ten_times_the_amplitude_is_twenty_decibels_more(rng):
    noise = torch.from_numpy(rng.normal(0, 0.01, (1, 16_000)).astype(np.float32))
    np.testing.assert_allclose(front_end(10 * noise) - front_end(noise), 20.0, atol=1e-3)


def test_silence_is_at_the_floor():
    assert front_end(torch.zeros(1, 16_000)).numpy() == pytest.approx(-100.0)


def test_the_shortest_audio_leaves_one_frame_after_five_poolings(embed):
    assert torch.isfinite(embed_waveforms(embed, torch.zeros(1, 4960))["logits"]).all()
    with pytest.raises(MediaError, match=r"PANNs Cnn14 needs .* 4,960 samples \(0.31 s"):
        front_end(torch.zeros(1, 4959))


@pytest.mark.parametrize(
    ("rate_hz", "n_fft", "max_hz"), [(32_000, 1024, 14_000), (8000, 256, 3500)]
)
def test_weights_for_another_rate_are_refused(tmp_path, rate_hz, n_fft, max_hz):
    path = tmp_path / "Cnn14.pth"
    save_as_in_training({"logmel_extractor.melW": mel_bank(rate_hz, n_fft, max_hz)}, path)
    with pytest.raises(BenchError, match=rf"not Cnn14 at 16 kHz: .*\[{n_fft // 2 + 1}, 64\]"):
        load_panns(path)


def test_weights_without_a_mel_bank_are_refused(tmp_path):
    path = tmp_path / "Cnn14.pth"
    save_as_in_training({"fc1.bias": torch.zeros(2048)}, path)
    with pytest.raises(BenchError, match="not Cnn14 at 16 kHz"):
        load_panns(path)


def test_a_file_with_missing_tensors_is_refused(tmp_path):
    path = tmp_path / "Cnn14.pth"
    save_as_in_training({"logmel_extractor.melW": mel_bank(16_000, 512, 8000)}, path)
    with pytest.raises(BenchError, match=r"does not fit Cnn14: .* missing \(bn0.weight"):
        load_panns(path)


def test_index_arrays_pickled_by_numpy_1_are_loaded_as_data(tmp_path):
    path = tmp_path / "Cnn14.pth"
    save_as_in_training({"fc1.bias": torch.zeros(2048)}, path)
    content = path.read_bytes()
    assert b"numpy._core.multiarray" in content
    path.write_bytes(content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    with pytest.raises(BenchError, match="not Cnn14 at 16 kHz"):  # so it was read
        load_panns(path)


def test_any_other_object_beside_the_weights_is_refused_as_code(tmp_path):
    path = tmp_path / "Cnn14.pth"
    torch.save(
        {"model": {"fc1.bias": torch.zeros(2048)}, "sampler": np.random.RandomState(0)}, path
    )
    with pytest.raises(BenchError, match="holds code"):
        load_panns(path)
