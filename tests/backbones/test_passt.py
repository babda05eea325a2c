from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.backbones import passt
from bench.backbones.passt import Passt, embed, front_end, load_passt
from bench.errors import BenchError, MediaError
from tests.backbones.seeded import (
    NAMES,
    drawn_state,
    noise_and_expected,
    relative_errors,
    seeded_state,
    sounds,
)

FRAMES = [0, 1, 2, 400, 798, 800, 999]
SILENCE = -1.40259  # (ln 1e-5 + 4.5) / 5


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    return dict(np.load(shared / "golden" / "m4_passt.npz"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("passt")


@pytest.fixture(scope="module")
def model(folder: Path) -> Iterator[Passt]:
    """Drawn weights, by way of a file like the official one: tensors by name, nothing else."""
    with torch.device("meta"):
        names = Passt().state_dict()
    unused = {name: torch.zeros(1) for name in passt.UNUSED}
    path = folder / "drawn.pt"
    torch.save(drawn_state({**names, **unused}), path)
    yield load_passt(path)
    path.unlink()


@pytest.fixture
def seeded(shared: Path, folder: Path) -> Iterator[Passt]:
    """The weights of the reference arrays, by the same way."""
    path = folder / "passt-s-f128-p16-s10-ap.476-swa.pt"
    torch.save(seeded_state(shared, "m4_passt_state.json"), path)
    yield load_passt(path)
    path.unlink()


@pytest.fixture(scope="module")
def clips(shared: Path) -> torch.Tensor:
    return sounds(shared, NAMES, passt.SAMPLE_RATE_HZ)


def test_the_package_makes_the_same_of_noise_and_silence(model):
    noise, expected = noise_and_expected("passt")
    np.testing.assert_allclose(front_end(noise)[0, :, ::8].numpy(), expected["input"], atol=1e-4)
    for name, feature in embed(model, noise).items():
        assert feature.dtype == torch.float32
        assert relative_errors(feature, expected[name]).max() < 1e-5


@pytest.mark.slow
def test_features_of_files_are_those_of_the_reference(seeded, clips, golden):
    features = embed(seeded, clips)
    assert relative_errors(features["embedding"], golden["features"]).max() < 1e-5
    assert relative_errors(features["logits"], golden["logits"]).max() < 1e-5


@pytest.mark.slow
def test_features_do_not_depend_on_their_batch(model, rng):
    noise = torch.from_numpy(rng.normal(0, 0.1, (2, 32_000)).astype(np.float32))
    alone = embed(model, noise[:1])
    for name, together in embed(model, noise).items():
        assert relative_errors(together[:1], alone[name].numpy()).max() < 1e-5


def test_log_mels_of_files_are_those_of_the_reference(clips, golden):
    images = front_end(clips).numpy()
    np.testing.assert_allclose(images[:, :, FRAMES], golden["mel_frames"], atol=1e-3)
    heard = images[:, :, :790]
    np.testing.assert_allclose(heard.mean(axis=2), golden["mel_mean"], atol=1e-4)
    np.testing.assert_allclose(heard.std(axis=2, ddof=1), golden["mel_std"], atol=1e-4)


@pytest.mark.parametrize("seconds", [2, 4, 10])
def test_what_is_missing_of_ten_seconds_is_heard_as_silence(rng, seconds):
    noise = rng.normal(0, 0.1, (1, 32_000 * seconds)).astype(np.float32)
    padded = np.pad(noise, ((0, 0), (0, 320_000 - noise.shape[1])))
    assert torch.equal(front_end(torch.from_numpy(noise)), front_end(torch.from_numpy(padded)))


@pytest.mark.parametrize("n_samples", [1, 32_000, 256_000, 320_000])
def test_images_last_ten_seconds_and_silence_reads_the_same_everywhere(n_samples):
    image = front_end(torch.zeros(1, n_samples))
    assert image.shape == (1, 128, 1000)
    assert image.numpy() == pytest.approx(SILENCE, abs=1e-5)


def test_the_front_end_draws_no_random_numbers():
    before = torch.get_rng_state()
    front_end(torch.zeros(1, 32_000))
    assert torch.equal(torch.get_rng_state(), before)


def test_more_than_ten_seconds_are_refused():
    with pytest.raises(MediaError, match=r"PaSST hears at most 320,000 samples \(10 s"):
        front_end(torch.zeros(1, 320_001))


def test_a_sound_without_samples_is_refused():
    with pytest.raises(MediaError, match="PaSST needs"):
        front_end(torch.zeros(1, 0))


def test_weights_for_other_lengths_are_refused(tmp_path):
    path = tmp_path / "passt.pt"
    torch.save({"time_new_pos_embed": torch.zeros(1, 768, 1, 199)}, path)
    with pytest.raises(BenchError, match=r"does not fit Passt: .*\[1, 768, 1, 199\]"):
        load_passt(path)
